// The selection that linked views share: it is picked among the tiles here, or comes from elsewhere.

import { bytesOf, int32 } from "../../front/bytes.js";
import { count } from "../../front/text.js";
import { button } from "./elements.js";
/** @import { Model } from "../../front/model.js" */

/** @typedef {ReturnType<typeof pickedImages>} Selection */

/**
 * `shown()` gives the rows on show, `tell(values)` sets traits of the model, `changed()` is called after a pick, and
 * `compare(rows)` takes the two that are picked.
 * @param {Model} model
 */
export function pickedImages(model, { shown, tell, changed, compare }) {
  let rows = new Set();
  const all = button("Select all shown", "select the tiles shown, for linked views", () => pick(shown(), true));
  const none = button("Clear selection", "", () => clear());

  const two = button("Compare the two", "both in full size, and how they find each other (c)", () => compareTwo());

  function compareTwo() {
    if (rows.size === 2) compare([...rows]);
  }

  function read() {
    rows = new Set(int32(model.get("_selected")));
  }

  function pick(given, on) {
    for (const row of given) if (on) rows.add(row); else rows.delete(row);
    tell({ _selected: bytesOf(Int32Array.from([...rows].sort((a, b) => a - b))) });
    changed();
  }

  function clear() {
    pick([...rows], false);
  }

  function draw() {
    all.hidden = !shown().length;
    none.hidden = !rows.size;
    two.hidden = rows.size !== 2;
    none.textContent = `Clear selection (${count(rows.size)})`;
  }

  read();
  return {
    all, none, two, read, clear, draw, compareTwo,
    rows: () => [...rows],
    has: (row) => rows.has(row),
    toggle: (row) => pick([row], !rows.has(row)),
  };
}
