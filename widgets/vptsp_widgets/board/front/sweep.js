// What the model says of a sweep: its head, its jobs, and which of them is chosen.

/** @import { Model } from "../../front/model.js" */

/** @typedef {Record<string, any>} Job - a row of `_rows`, with what `_running` says of it */

export class Sweep {
  /** @param {Model} model */
  constructor(model) {
    this.model = model;
    this.live = model.live !== false;
  }

  get head() {
    return this.model.get("_head") ?? {};
  }

  /** Whether somebody runs it now. */
  get runs() {
    return ["running", "stopping"].includes(this.head.phase);
  }

  /** The row of the job chosen, or -1. */
  get chosen() {
    return this.model.get("_chosen");
  }

  get size() {
    return (this.model.get("_rows") ?? []).length;
  }

  /** @returns {Job} */
  job(index) {
    const still = (this.model.get("_rows") ?? [])[index];
    const moving = (this.model.get("_running") ?? {})[index];
    return moving ? { ...still, ...moving } : still;
  }

  jobs() {
    return Array.from({ length: this.size }, (_, index) => this.job(index));
  }

  /** Rows that are the best by validation. */
  stars() {
    return new Set((this.head.best ?? []).map((best) => best.row));
  }

  choose(index) {
    this.model.set("_chosen", index);
    this.model.save_changes();
  }
}
