// How the circle or the sphere is seen: rotation, projection, and back from the screen.

import { cross, dot, rotated, unit } from "./vectors.js";
/** @import { State } from "./experiment.js" */

/** @param {State} state */
export const isSphere = ({ samples }) => samples[0].length === 3;

/**
 * Turns a view of the sphere, the axes of the screen as its rows, as if the front were dragged by these angles.
 * @param {number[][]} turn
 */
export function turned(turn, right, down) {
  const [x, y] = turn;
  const rows = turn.map((row) => unit(rotated(rotated(row, y, -right), x, -down)));
  const [a, b] = rows, c = unit(cross(a, b));
  return [a, cross(c, a), c]; // orthogonal again, so that rounding does not add up
}

/** How the circle or the sphere is seen on a square of `side` pixels: from space to the screen, and back. */
export class Sight {
  /** @param {State} state */
  constructor(state, side) {
    this.sphere = isSphere(state);
    this.axes = state.turn;
    this.middle = side / 2;
    this.radius = side * (state.semantic ? 0.37 : 0.41);
  }

  /** Screen position of a point of space, and how far it is on the reader's side. */
  project(at) {
    const seen = this.sphere ? this.axes.map((row) => dot(row, at)) : [at[0], at[1], 1];
    return { x: this.middle + this.radius * seen[0], y: this.middle - this.radius * seen[1], depth: seen[2] };
  }

  /** Direction in space of a place on the screen, on the near side unless `behind`. */
  directionAt(x, y, behind) {
    const across = (x - this.middle) / this.radius, up = (this.middle - y) / this.radius;
    if (!this.sphere) return unit([across, up]);
    const out = across * across + up * up;
    const seen = out >= 1 ? [...unit([across, up]), 0] : [across, up, (behind ? -1 : 1) * Math.sqrt(1 - out)];
    const turn = this.axes;
    return unit([0, 1, 2].map((k) => turn[0][k] * seen[0] + turn[1][k] * seen[1] + turn[2][k] * seen[2]));
  }
}
