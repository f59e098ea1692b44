// Light and dark.

/** Whether the page is dark: JupyterLab says so, elsewhere the page's own choice or the system does. */
function isDark() {
  const lab = document.body.dataset.jpThemeLight;
  if (lab !== undefined) return lab === "false";
  const own = document.documentElement.dataset.theme;
  return own ? own === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
}

/**
 * Lets a view's element look like the page, and calls `act(dark)` now, whenever the theme changes, and once the element
 * comes into the page: JupyterLab renders a view before that, and until then the colours of style sheets have no values.
 * Returns a function that ends it.
 * @param {HTMLElement} root
 * @param {(dark: boolean) => void} [act]
 */
export function onTheme(root, act) {
  const tell = () => {
    const dark = isDark();
    root.classList.toggle("vptsp-dark", dark);
    act?.(dark);
  };
  const changes = new MutationObserver(tell);
  changes.observe(document.body, { attributes: true, attributeFilter: ["data-jp-theme-light", "class"] });
  changes.observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
  const media = matchMedia("(prefers-color-scheme: dark)");
  media.addEventListener("change", tell);
  const arrival = new ResizeObserver(() => { // an element has no size before it is in the page
    if (!root.isConnected) return;
    arrival.disconnect();
    tell();
  });
  if (!root.isConnected) arrival.observe(root);
  tell();
  return () => {
    changes.disconnect();
    arrival.disconnect();
    media.removeEventListener("change", tell);
  };
}
