// What the model says of pairs of classes, and how it hears which one is chosen.

import { bytesOf, int32 } from "../../front/bytes.js";
/** @import { Model } from "../../front/model.js" */

/** @typedef {Record<string, any>} Pair - of classes, as `_lists` has them */

export const WORDS = ["", "hard negative", "mistaken"]; // what an image of the other class is to an image

export class Pairs {
  /** @param {Model} model */
  constructor(model) {
    this.model = model;
    this.live = model.live !== false;
  }

  get about() {
    return this.model.get("_about");
  }

  get order() {
    return this.model.get("order");
  }

  /** @returns {Pair[]} */
  get all() {
    return this.model.get("_lists")[this.order];
  }

  /** The place of the pair chosen. */
  get at() {
    return this.model.get("pair");
  }

  /** Orders by which there are pairs. */
  get orders() {
    return Object.keys(this.model.get("_lists")).filter((key) => this.model.get("_lists")[key].length);
  }

  /** @param {Pair} pair */
  names(pair) {
    return pair.classes.map((label) => this.model.get("_class_names")[label]);
  }

  nameOf(row) {
    return this.model.get("_class_names")[int32(this.model.get("_labels"))[row]];
  }

  sort(order) {
    if (!this.live) this.model.set("pair", 0); // the kernel does so by itself
    this.put("order", order);
  }

  /** Whether other blocks of a page without a kernel have the same rows: those of the test images do. */
  get shares() {
    return this.live || this.about.split === "test";
  }

  /** The image of another class that is nearest to one, -1: none. */
  hardNegative(row) {
    return int32(this.model.get("_wrong"))[row] ?? -1;
  }

  /** Another pair; its images are selected. @param {number} place */
  choose(place) {
    this.put("pair", place);
    if (!this.shares) return;
    const classes = new Set(this.all[place].classes);
    const rows = [...int32(this.model.get("_labels"))].flatMap((label, row) => (classes.has(label) ? [row] : []));
    this.put("_selected", bytesOf(Int32Array.from(rows)));
  }

  /**
   * An image is looked at, beside the one that stands in its way.
   * @param {number} row
   * @param {number} against
   */
  look(row, against) {
    if (!this.shares) return;
    this.put("_focused", row);
    if (this.live) this.model.send({ kind: "look", row, against });
    else this.put("_against", against);
  }

  /** What is chosen. */
  now() {
    const { order, at, model } = this;
    return { order, pair: at, row: model.get("_focused"), against: model.get("_against"), selected: [...int32(model.get("_selected"))] };
  }

  /** @param {ReturnType<Pairs["now"]>} step */
  restore({ order, pair, row, against, selected }) {
    if (this.live) return this.model.send({ kind: "return", order, pair, row, against, selected });
    this.put("order", order);
    this.put("pair", pair);
    if (!this.shares) return;
    this.put("_selected", bytesOf(Int32Array.from(selected)));
    this.put("_focused", row);
    this.put("_against", against);
  }

  put(name, value) {
    this.model.set(name, value);
    this.model.save_changes();
  }
}
