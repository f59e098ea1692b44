// Light and dark.

/** What the page says of itself: "light", "dark", or nothing. */
function said() {
  const { body, documentElement: html } = document;
  const lab = body.dataset.jpThemeLight;
  if (lab !== undefined) return lab === "false" ? "dark" : "light";
  if (html.dataset.theme) return html.dataset.theme; // saved pages, the documentation
  if (body.classList.contains("notebook_app")) return "light"; // nbclassic has no other
  if (body.classList.contains("vscode-high-contrast")) return body.classList.contains("vscode-high-contrast-light") ? "light" : "dark";
  for (const theme of ["dark", "light"]) {
    const classes = [`${theme}-theme`, `vscode-${theme}`]; // marimo, VS Code
    if (classes.some((name) => body.classList.contains(name)) || html.getAttribute("theme") === theme) return theme; // Colab
  }
  return "";
}

/** Whether the page is dark; where it does not say, the system does. */
function isDark() {
  const theme = said();
  return theme ? theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
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
  changes.observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme", "theme"] });
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
