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

  choose(place) {
    if (place === this.at) return;
    this.put("pair", place);
    // without a kernel, blocks of one page share rows only where all show the test images
    if (this.live || this.about.split !== "test") return;
    const classes = new Set(this.all[place].classes);
    const rows = [...int32(this.model.get("_labels"))].flatMap((label, row) => (classes.has(label) ? [row] : []));
    this.model.set("_selected", bytesOf(Int32Array.from(rows)));
  }

  look(row) {
    if (this.live || this.about.split === "test") this.put("_focused", row);
  }

  put(name, value) {
    this.model.set(name, value);
    this.model.save_changes();
  }
}
