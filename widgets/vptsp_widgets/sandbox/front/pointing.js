// Pointing: a point of the stage is dragged, the background turns the sphere, and what is under the pointer is told.

import { placeIn } from "../../front/pixels.js";
/** @import { Point } from "./points.js" */
/** @import { Stage } from "./stage.js" */

/**
 * What moves points and the sphere.
 * @typedef {object} Hand
 * @property {() => void} begin
 * @property {(point: Point, direction: number[]) => void} place
 * @property {(point: Point, factor: number) => void} lengthen
 * @property {(right: number, down: number) => void} turn
 * @property {(point: Point | null, moved: boolean) => void} end
 * @property {(point: Point | null) => void} look
 */

export class Pointing {
  /**
   * Calls `hand`: `begin()` when anything is taken, `place(point, direction)` or, for the background, `turn(right,
   * down)` as it moves, `end(point or null, whether it moved)`; and `look(point or null)` at what is pointed to.
   * @param {Stage} stage
   * @param {Hand} hand
   */
  constructor(stage, hand) {
    this.stage = stage;
    this.hand = hand;
    this.held = null;
    stage.element.addEventListener("pointerdown", (event) => this.grab(event));
    stage.element.addEventListener("pointermove", (event) => this.hover(event));
    stage.element.addEventListener("pointerleave", () => hand.look(stage.focused));
  }

  /** @returns {[number, number]} */
  at(event) {
    return placeIn(this.stage.element, event);
  }

  grab(event) {
    if (event.button) return;
    const { stage, hand } = this;
    const start = this.at(event);
    const point = stage.pointAt(start, true);
    if (!point && !stage.sight.sphere) return;
    event.preventDefault();
    hand.begin();
    stage.element.setPointerCapture(event.pointerId);
    const from = point ? [start[0] - point.x, start[1] - point.y] : start;
    const behind = point?.behind;
    let last = from, moved = false;
    const turnedFrom = (now) => {
      const { radius } = stage.sight;
      hand.turn((now[0] - last[0]) / radius, (now[1] - last[1]) / radius);
      last = now;
    };
    const move = (now) => {
      moved = true;
      const at = this.at(now);
      if (!point) turnedFrom(at);
      else hand.place(point, stage.sight.directionAt(at[0] - from[0], at[1] - from[1], behind));
    };
    const end = () => {
      stage.element.removeEventListener("pointermove", move);
      stage.element.removeEventListener("pointerup", end);
      stage.element.removeEventListener("pointercancel", end);
      point?.element.classList.remove("vptsp-sb-held");
      this.held = null;
      hand.end(point, moved);
    };
    stage.element.addEventListener("pointermove", move);
    stage.element.addEventListener("pointerup", end);
    stage.element.addEventListener("pointercancel", end);
    if (point) {
      this.held = point;
      point.element.classList.add("vptsp-sb-held");
      point.element.focus({ preventScroll: true, focusVisible: false });
      hand.look(point);
    }
  }

  hover(event) {
    if (this.held) return;
    this.hand.look(this.stage.pointAt(this.at(event), false) ?? this.stage.focused);
  }

  /** After other points: none of them is held. */
  letGo() {
    this.held = null;
  }
}
