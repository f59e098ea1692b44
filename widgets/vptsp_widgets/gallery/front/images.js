// What the kernel said about the images: their ids and classes, and which of them are queries.

import { int32, typed } from "../../front/bytes.js";
/** @import { Model } from "../../front/model.js" */

export class Images {
  /** @type {Int32Array} */ labels;
  /** @type {Uint8Array} */ roles;
  /** @type {string[]} */ ids;
  /** @type {string[]} */ classes;
  /** @type {Map<number, number[]>} */ rows;
  /** @type {Set<number> | null} */ tabled;
  /** @type {number[]} */ queries;
  /** @type {number} */ gallery;

  /** @param {Model} model */
  constructor(model, live) {
    this.model = model;
    this.live = live;
  }

  /** Takes all from the model; another set may have come in place of the one before. */
  read() {
    const { model, live } = this;
    const bytes = model.get("_ids");
    const labels = int32(model.get("_labels"));
    const roles = typed(Uint8Array, model.get("_roles"));
    this.labels = labels;
    this.roles = roles;
    this.ids = labels.length ? new TextDecoder().decode(bytes).split("\0") : [];
    this.classes = model.get("_class_names");
    this.rows = new Map(); // class -> its rows
    labels.forEach((label, row) => {
      const rows = this.rows.get(label);
      if (rows) rows.push(row);
      else this.rows.set(label, [row]);
    });
    this.tabled = live ? null : new Set(int32(model.get("_table_rows"))); // rows whose answers a saved page holds
    this.queries = [...labels.keys()].filter((row) => this.isQuery(row) && this.isAnswered(row));
    this.gallery = roles.length ? roles.reduce((sum, role) => sum + (role >> 1), 0) : labels.length;
  }

  isQuery(row) {
    return !this.roles.length || Boolean(this.roles[row] & 1);
  }

  isAnswered(row) {
    return !this.tabled || this.tabled.has(row);
  }

  nameOf(row) {
    return this.classes[this.labels[row]];
  }

  /** An image of each class, in the order of the classes. */
  ofEachClass() {
    return [...this.rows.keys()].sort((a, b) => a - b)
      .map((label) => this.rows.get(label)?.find((row) => this.isAnswered(row))).filter((row) => row !== undefined);
  }
}
