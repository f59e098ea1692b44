// Elements of pages and drawings.

/** An element with properties and children; strings become text nodes, never markup. */
export function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  // JupyterLab's shortcuts look at the focused element first, so that "d d" on a button would delete its cell
  element.dataset.lmSuppressShortcuts = "true";
  for (const [key, value] of Object.entries(properties)) {
    if (key === "style") Object.assign(element.style, value);
    else if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (key in element && !key.startsWith("aria")) element[key] = value;
    else element.setAttribute(key, value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

/** The same for a drawing. */
export function svg(tag, attributes = {}, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}
