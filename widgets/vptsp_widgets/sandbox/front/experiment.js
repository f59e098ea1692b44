// The experiment: the state and its loss, what it was before, its losses over a descent, and what the kernel hears.

import { turned } from "./circle_and_sphere.js";
import { descend, evaluate, rowsOf } from "./losses.js";
import { lengthOf, plus, unit } from "./vectors.js";
/** @import { Model } from "../../front/model.js" */
/** @import { Result } from "./losses.js" */
/** @import { Point } from "./points.js" */

/**
 * What stands on the whiteboard, as `_state` holds it: points are [x, y] or [x, y, z].
 * @typedef {object} State
 * @property {number[][]} samples
 * @property {number[]} labels
 * @property {number[][]} proxies
 * @property {number[][] | null} semantic
 * @property {string[]} class_names
 * @property {"proxy_anchor" | "image_anchor" | "proxy_nca" | "normalized_softmax"} loss
 * @property {string} positive_mean
 * @property {number} scale
 * @property {number} margin
 * @property {number} alpha
 * @property {number} learning_rate
 * @property {("samples" | "proxies" | "semantic")[]} moves
 * @property {string} preset
 * @property {number[][]} turn - the axes of the screen; on the circle there are none
 */

export const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);

export class Experiment {
  /** @type {State} */ state;
  /** @type {Result} */ result;
  /** @type {number[]} */ losses;
  /** @type {number | undefined} */ sending;
  /** @type {State | undefined} */ sent;

  /** @param {Model} model */
  constructor(model) {
    this.model = model;
    this.past = []; // states to go back to
    this.become(structuredClone(model.get("_state")));
  }

  /**
   * Takes over another state as a whole.
   * @param {State} state
   */
  become(state) {
    this.state = state;
    this.changed();
  }

  /** @param {Partial<State>} parts */
  set(parts) {
    Object.assign(this.state, parts);
    this.changed();
  }

  /**
   * Moves a point to a direction; its length stays where it matters. Whether it could be done.
   * @param {Point} point
   */
  place(point, direction) {
    if (direction.some(Number.isNaN) || lengthOf(direction) < 0.5) return false;
    const rows = this.state[point.kind];
    const length = this.state.semantic && point.kind === "proxies" ? lengthOf(rows[point.row]) : 1;
    rows[point.row] = direction.map((value) => value * length);
    this.changed();
    return true;
  }

  /**
   * Makes a learned proxy longer by a factor; whether it could be done.
   * @param {Point} point
   */
  lengthen(point, factor) {
    const here = this.state.proxies[point.row];
    this.state.proxies[point.row] = here.map((value) => value * factor);
    return this.place(point, unit(here));
  }

  /** Turns the sphere as if its front were dragged; no loss changes. */
  turn(right, down) {
    this.state.turn = turned(this.state.turn, right, down);
  }

  changed() {
    this.result = evaluate(this.state);
    this.losses = []; // over the steps of descent, with that before the first
  }

  // --- descent ---------------------------------------------------------------------------------------
  get canMove() {
    return this.state.moves.some((kind) => this.state[kind]);
  }

  /** One step; whether anything moved. */
  advance() {
    const before = this.state;
    if (!this.losses.length) this.losses = [this.result.loss];
    this.state = descend(before, this.result.gradients);
    this.result = evaluate(this.state);
    this.losses.push(this.result.loss);
    const moved = before.moves.filter((kind) => before[kind])
      .flatMap((kind) => rowsOf(before, kind).map((point, row) => lengthOf(plus(rowsOf(this.state, kind)[row], -1, point))));
    return Math.max(0, ...moved) > 1e-6;
  }

  // --- undo ------------------------------------------------------------------------------------------
  remember() {
    this.past.push(structuredClone(this.state));
    if (this.past.length > 200) this.past.shift();
  }

  get undoable() {
    return this.past.length > 0;
  }

  /** The state remembered last, which is then forgotten; undefined if there is none. */
  recall() {
    return this.past.pop();
  }

  // --- kernel ----------------------------------------------------------------------------------------
  /** What the kernel has set, or null if it is our own state, come back. */
  heard() {
    const state = this.model.get("_state");
    return state === this.sent || same(state, this.state) ? null : structuredClone(state);
  }

  /** To the kernel, now and then: the latest state wins. */
  send() {
    if (this.sending) return;
    this.sending = setTimeout(() => {
      this.sending = 0;
      this.sent = structuredClone(this.state);
      this.model.set("_state", this.sent);
      this.model.save_changes();
    }, 120);
  }

  close() {
    clearTimeout(this.sending);
  }
}
