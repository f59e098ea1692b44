// Light and dark.

/** Whether the page is dark: JupyterLab says so, elsewhere the page's own choice or the system does. */
function isDark() {
  const lab = document.body.dataset.jpThemeLight;
  if (lab !== undefined) return lab === "false";
  const own = document.documentElement.dataset.theme;
  return own ? own === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
}

/**
 * Calls `act(dark)` now and whenever the theme changes; returns a function that ends it.
 * @param {(dark: boolean) => void} act
 */
export function onTheme(act) {
  const tell = () => act(isDark());
  const observer = new MutationObserver(tell);
  observer.observe(document.body, { attributes: true, attributeFilter: ["data-jp-theme-light", "class"] });
  observer.observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
  const media = matchMedia("(prefers-color-scheme: dark)");
  media.addEventListener("change", tell);
  tell();
  return () => {
    observer.disconnect();
    media.removeEventListener("change", tell);
  };
}
