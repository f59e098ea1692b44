// Where the map is looked at from: moves, zooms, and flights to a part of it.

import { Camera } from "./camera.js";
import { turnBetween } from "./turning.js";
/** @import { Cloud } from "./cloud.js" */
/** @import { Stage } from "./stage.js" */
/** @import { State } from "./state.js" */

const LASTS = 180; // ms of a flight

/** The state is that of the end at once; a flight is only what is seen on the way. */
export class Travel {
  /** @type {{ x: number, y: number, zoom: number, turn: number[], began: number } | null} */ from = null;

  /**
   * @param {{ cloud: () => Cloud, state: () => State, stage: () => Stage, change: (changes: Partial<State>) => void }} parent
   */
  constructor({ cloud, state, stage, change }) {
    this.cloud = cloud;
    this.state = state;
    this.stage = stage;
    this.change = change;
  }

  /** The camera as it is now: on a flight, between both ends. */
  get camera() {
    const { width, height } = this.stage();
    const end = new Camera(this.cloud(), this.state(), width, height);
    const share = this.from ? (performance.now() - this.from.began) / LASTS : 1;
    if (!this.from || share >= 1) {
      this.from = null;
      return end;
    }
    const done = share * share * (3 - 2 * share); // slow at both ends
    const between = (/** @type {number} */ one, /** @type {number} */ other) => one + done * (other - one);
    const { x, y, zoom, turn } = this.from;
    const on = { x: between(x, end.x), y: between(y, end.y), zoom: zoom * (end.zoom / zoom) ** done, turn: turnBetween(turn, end.turn, done) };
    return new Camera(this.cloud(), { ...this.state(), ...on }, width, height);
  }

  /** Whether it is under way; the next frame shows it further on. */
  get flying() {
    return this.from !== null;
  }

  /**
   * To another part of the map, where dots may have another size.
   * @param {Partial<State>} changes
   */
  aim(changes) {
    this.stage().looksOld = true;
    this.change(changes);
  }

  /** @param {Partial<State>} changes */
  fly(changes) {
    const { x, y, zoom, turn } = this.camera;
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    this.from = still || !this.stage().width ? null : { x, y, zoom, turn, began: performance.now() };
    this.aim(changes);
  }

  zoom(factor, x, y) {
    this.from = null;
    this.aim(this.camera.zoomed(factor, x, y));
  }

  whole() {
    this.fly({ x: null, y: null, zoom: 1 });
  }

  /** @param {number[][]} places - [x, y] of the map */
  to(places) {
    const { width, height } = this.stage();
    if (places.length) this.fly(new Camera(this.cloud(), this.state(), width, height).around(places));
  }
}
