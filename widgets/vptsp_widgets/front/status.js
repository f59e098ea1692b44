// What a view says of itself: a line of status, and a panel of its keys.

import { make } from "./dom.js";
import { onTraits } from "./model.js";

/** The line in which a view says what it does and what went wrong; screen readers follow it. */
export function statusLine(model) {
  const line = make("div", { className: "vptsp-status", role: "status", "aria-live": "polite" });
  const show = () => {
    line.textContent = model.get("status") || "";
  };
  const end = onTraits(model, { status: show });
  show();
  return { line, say: (text) => (line.textContent = text), end };
}

/** A panel of keys and what they do, toggled by `?`. */
export function helpPanel(rows) {
  const table = make(
    "table",
    { className: "vptsp-help", hidden: true },
    ...rows.map(([key, what]) => make("tr", {}, make("th", { scope: "row" }, key), make("td", {}, what))),
  );
  return { table, toggle: () => (table.hidden = !table.hidden) };
}
