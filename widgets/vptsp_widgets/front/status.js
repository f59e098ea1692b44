// What a view says of itself: a line of status, and a panel of its keys.

import { make } from "./dom.js";
import { onTraits } from "./model.js";

/** @import { Model } from "./model.js" */

/**
 * The line in which a view says what it does and what went wrong; screen readers follow it.
 * @param {Model} model
 */
export function statusLine(model) {
  const line = make("div", { className: "vptsp-status", role: "status", "aria-live": "polite" });
  const show = () => {
    line.textContent = model.get("status") || "";
  };
  const end = onTraits(model, { status: show });
  show();
  return { line, say: (/** @type {string} */ text) => (line.textContent = text), end };
}

/** @typedef {ReturnType<typeof helpPanel>} Help */

/**
 * A panel of keys and what they do. `button` toggles it, and so does `?` anywhere in what `listen` is given.
 * @param {[key: string, what: string][]} rows
 */
export function helpPanel(rows) {
  const table = make(
    "table",
    { className: "vptsp-help", hidden: true },
    ...rows.map(([key, what]) => make("tr", {}, make("th", { scope: "row" }, key), make("td", {}, what))),
  );
  const toggle = () => (table.hidden = !table.hidden);
  const button = make("button", { type: "button", "aria-label": "keys", onclick: toggle }, "?");
  const listen = (/** @type {HTMLElement} */ root) => root.addEventListener("keydown", (event) => {
    if (event.key !== "?") return;
    toggle();
    event.stopPropagation();
  });
  return { table, toggle, button, listen };
}
