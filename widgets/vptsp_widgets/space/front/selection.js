// The selection: how a gesture changes it, and the panel that lists it.

import { make } from "../../front/dom.js";
import { count } from "../../front/text.js";
import { images } from "./cloud.js";
/** @import { ChosenActs } from "./selection_actions.js" */
/** @import { Scene } from "./overlay.js" */

const STRIP = 36; // thumbnails of selected images

/** @typedef {{ ctrlKey?: boolean, metaKey?: boolean, altKey?: boolean }} Keys - held while something is selected */

/**
 * Selects rows in `mask`; with Ctrl or Meta adds them (a single one: toggles it), with Alt removes them.
 * @param {Uint8Array} mask
 * @param {number[]} rows
 * @param {Keys} keys
 */
export function combineInto(mask, rows, { ctrlKey, metaKey, altKey }) {
  const before = new Uint8Array(mask);
  if (altKey) rows.forEach((row) => (mask[row] = 0));
  else if (ctrlKey || metaKey) rows.forEach((row) => (mask[row] = rows.length === 1 ? 1 - before[row] : 1));
  else {
    mask.fill(0);
    rows.forEach((row) => (mask[row] = 1));
  }
}

/** Rows of a mask, ascending. */
export function rowsOf(mask) {
  const rows = [];
  for (let row = 0; row < mask.length; row++) if (mask[row]) rows.push(row);
  return rows;
}

export class SelectionPanel {
  /**
   * Calls `focus(row)` with the image clicked; `acts` are what can be done with those selected.
   * @param {(row: number) => void} focus
   * @param {ChosenActs} acts
   */
  constructor(focus, acts) {
    this.focus = focus;
    this.acts = acts;
    this.list = make("div", {});
    this.element = make("div", { className: "vptsp-space-chosen" }, this.list, acts.element);
  }

  /**
   * @param {any} rows
   * @param {Scene} scene
   */
  show(rows, { cloud, pictures }) {
    this.acts.show([...rows]);
    const head = make("h4", {}, rows.length ? `${images(rows.length)} selected` : "Selection");
    if (!rows.length) {
      this.list.replaceChildren(head, make("p", { className: "vptsp-space-hint" }, "Shift + drag draws a lasso."));
      return;
    }
    const counts = new Map();
    rows.forEach((row) => counts.set(cloud.codes[row], (counts.get(cloud.codes[row]) ?? 0) + 1));
    const most = [...counts].sort(([, one], [, other]) => other - one);
    const classes = most.slice(0, 3).map(([code, number]) => make("div", { dir: "auto" }, `${cloud.classes[code] ?? ""} ${count(number)}`));
    if (most.length > 3) classes.push(make("div", {}, `and ${count(most.length - 3)} more class${most.length > 4 ? "es" : ""}`));
    const tiles = [...rows.slice(0, STRIP)];
    const strip = !pictures ? [] : tiles.map((row) => {
      const name = `${cloud.className(row)} (${cloud.id(row)})`;
      return make("button", { type: "button", title: name, "aria-label": `focus ${name}`, onclick: () => this.focus(row) }, pictures.element(row, 40, name));
    });
    this.list.replaceChildren(
      head,
      make("div", { className: "vptsp-space-classes" }, ...classes),
      make("div", { className: "vptsp-space-strip" }, ...strip),
      rows.length > strip.length && strip.length ? make("p", { className: "vptsp-space-hint" }, `the first ${strip.length} of ${count(rows.length)}`) : "",
    );
  }
}
