// What is chosen on the map: the images selected and the one focused. The model hears of it, and tells of it.

import { bytesOf, int32 } from "../../front/bytes.js";
import { sameItems } from "../../front/lists.js";
import { images } from "./cloud.js";
import { combineInto, rowsOf } from "./selection.js";
/** @import { Model } from "../../front/model.js" */
/** @import { Cloud } from "./cloud.js" */
/** @import { Deed, History } from "./history.js" */
/** @import { Keys } from "./selection.js" */

export class Choice {
  /** @type {Int32Array} */ last = new Int32Array(0); // rows that were selected before
  /** @type {Deed | undefined} */ deed; // the last one that was a selection

  /**
   * @param {Model} model
   * @param {() => Cloud} cloud
   * @param {History} history
   * @param {(text: string) => void} say
   */
  constructor(model, cloud, history, say) {
    this.model = model;
    this.cloud = cloud;
    this.history = history;
    this.say = say;
    this.restoring = false; // whether a change of the selection is an undo
    this.last = this.rows.slice();
  }

  /** Another selection has come, from here or from elsewhere: it can be undone. */
  remember() {
    const [before, now] = [this.last, this.rows.slice()];
    this.last = now;
    if (this.restoring || sameItems(before, now)) return;
    const what = now.length ? `${images(now.length)} selected` : "nothing selected";
    this.history.did(this.deed = { what, undo: () => this.restore(before), redo: () => this.restore(now) });
  }

  /** @param {number[] | Int32Array} rows */
  restore(rows) {
    this.restoring = true;
    this.set(rows);
    this.restoring = false;
  }

  /** @param {number[] | Int32Array} rows */
  set(rows) {
    this.model.set("_selected", bytesOf(Int32Array.from(rows)));
    this.model.save_changes();
  }

  /** Rows selected. */
  get rows() {
    return int32(this.model.get("_selected"));
  }

  /** The cloud marks the rows selected. */
  takeSelection() {
    const cloud = this.cloud();
    cloud.picks += 1;
    cloud.selected.fill(0);
    cloud.picked = this.rows;
    if (cloud.picked.some((row) => row >= cloud.size)) cloud.picked = cloud.picked.filter((row) => row < cloud.size);
    cloud.picked.forEach((row) => (cloud.selected[row] = 1));
  }

  /**
   * @param {number[]} rows
   * @param {Keys} [keys]
   */
  combine(rows, keys = {}) {
    const cloud = this.cloud();
    const mask = cloud.selected;
    cloud.picks += 1;
    combineInto(mask, rows, keys);
    const selected = rowsOf(mask);
    this.set(selected);
    this.say(selected.length ? `${images(selected.length)} selected` : "nothing selected");
  }

  /** The row focused, or -1. */
  get focused() {
    return this.model.get("_focused");
  }

  /** The image focused if it is shown, or -1. */
  get focusShown() {
    const row = this.focused;
    return row >= 0 && this.cloud().lit[row] === 2 ? row : -1;
  }

  focus(row) {
    this.model.set("_focused", row);
    this.model.save_changes();
  }

  sayFocus() {
    const [cloud, row] = [this.cloud(), this.focused];
    this.say(row >= 0 && row < cloud.size ? `${cloud.className(row)}, ${cloud.id(row)}` : "no image is focused");
  }
}
