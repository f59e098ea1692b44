// A map in three dimensions: it is turned about its middle and seen from the front, as space/turning.py has it.

import { clip } from "../../front/numbers.js";

/** @typedef {number[]} Turn - a unit quaternion [x, y, z, w]; empty: not turned */

export const LEVELS = 8; // of nearness, each with a size and a shade of its own
const BUCKETS = 4096; // of depth, by which images are put in order
const AT_FIRST = [0, 0, 0, 1];

/** @param {Turn} turn */
const whole = (turn) => (turn?.length === 4 ? unit(turn) : AT_FIRST);
/** @param {Turn} turn */
const unit = (turn) => turn.map((part) => part / (Math.hypot(...turn) || 1));

/**
 * Rows of the rotation that a quaternion stands for.
 * @param {Turn} turn
 */
export function matrixOf(turn) {
  const [x, y, z, w] = whole(turn);
  return [
    1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w),
    2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w),
    2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y),
  ];
}

/**
 * Turned further, as it is seen: what is in front goes right by an angle, and down by another.
 * @param {Turn} turn
 * @param {number} right - radians
 * @param {number} down - radians
 */
export function turnedBy(turn, right, down) {
  const angle = Math.hypot(right, down);
  if (!angle) return turn;
  const half = Math.sin(angle / 2) / angle;
  const [x, y, w] = [down * half, right * half, Math.cos(angle / 2)];
  const [a, b, c, d] = whole(turn);
  return unit([w * a + x * d + y * c, w * b - x * c + y * d, w * c + x * b - y * a, w * d - x * a - y * b]);
}

/**
 * On the shorter way from one to another.
 * @param {Turn} one
 * @param {Turn} other
 * @param {number} share - 0 to 1
 */
export function turnBetween(one, other, share) {
  const [from, to] = [whole(one), whole(other)];
  const sign = from.reduce((sum, part, place) => sum + part * to[place], 0) < 0 ? -1 : 1;
  return unit(from.map((part, place) => (1 - share) * part + share * sign * to[place]));
}

/** Places in space, and where they are seen: `xy` and `glyphs` are the first two coordinates of what is turned. */
export class Solid {
  radius = 1; // of the ball around all places
  seen = ""; // the turn of what is seen
  matrix = matrixOf([]);

  /**
   * @param {Float32Array} xy
   * @param {Float32Array} z
   * @param {Float32Array} glyphs - of proxies
   * @param {Float32Array} glyphsZ
   */
  constructor(xy, z, glyphs, glyphsZ) {
    this.from = { xy, z, glyphs, glyphsZ };
    this.xy = xy.slice();
    this.glyphs = glyphs.slice();
    this.near = new Uint8Array(z.length); // levels: 0 is farthest
    this.order = new Uint32Array(z.length); // rows from back to front
    this.buckets = new Uint16Array(z.length);
    this.middle = this.measure();
  }

  /** The middle of all places; sets the radius. */
  measure() {
    const sets = [[this.from.xy, this.from.z], [this.from.glyphs, this.from.glyphsZ]];
    const each = (/** @type {(place: number[]) => void} */ act) => sets.forEach(([xy, z]) => z.forEach((depth, row) => {
      if (Number.isFinite(xy[2 * row] + xy[2 * row + 1] + depth)) act([xy[2 * row], xy[2 * row + 1], depth]);
    }));
    const [low, high] = [[Infinity, Infinity, Infinity], [-Infinity, -Infinity, -Infinity]];
    each((place) => place.forEach((value, side) => {
      low[side] = Math.min(low[side], value);
      high[side] = Math.max(high[side], value);
    }));
    const middle = low.map((value, side) => (value <= high[side] ? (value + high[side]) / 2 : 0));
    let most = 0;
    each(([x, y, z]) => (most = Math.max(most, Math.hypot(x - middle[0], y - middle[1], z - middle[2]))));
    this.radius = most || 1;
    return middle;
  }

  /** A place in space as it is seen. @param {number[]} place */
  place([x, y, z]) {
    const [a, b, c, d, e, f] = this.matrix;
    const [mx, my, mz] = this.middle;
    return [a * (x - mx) + b * (y - my) + c * (z - mz) + mx, d * (x - mx) + e * (y - my) + f * (z - mz) + my];
  }

  /**
   * Turns it; answers whether anything is seen otherwise.
   * @param {Turn} turn
   */
  turn(turn) {
    const seen = whole(turn).join();
    if (seen === this.seen) return false;
    this.seen = seen;
    this.matrix = matrixOf(turn);
    const { from, xy, near, order, buckets, radius } = this;
    const [a, b, c, d, e, f, g, h, i] = this.matrix;
    const [mx, my, mz] = this.middle;
    const starts = new Uint32Array(BUCKETS + 1);
    const scale = (BUCKETS - 1) / (2 * radius);
    for (let row = 0; row < near.length; row++) {
      const [x, y, z] = [from.xy[2 * row] - mx, from.xy[2 * row + 1] - my, from.z[row] - mz];
      xy[2 * row] = a * x + b * y + c * z + mx;
      xy[2 * row + 1] = d * x + e * y + f * z + my;
      const bucket = clip(Math.round((g * x + h * y + i * z + radius) * scale), 0, BUCKETS - 1) || 0; // 0 without a place
      buckets[row] = bucket;
      near[row] = (bucket * LEVELS) / BUCKETS;
      starts[bucket + 1] += 1;
    }
    for (let bucket = 0; bucket < BUCKETS; bucket++) starts[bucket + 1] += starts[bucket];
    for (let row = 0; row < near.length; row++) order[starts[buckets[row]]++] = row;
    for (let at = 0; at < from.glyphsZ.length; at++) {
      const [x, y] = this.place([from.glyphs[2 * at], from.glyphs[2 * at + 1], from.glyphsZ[at]]);
      this.glyphs[2 * at] = x;
      this.glyphs[2 * at + 1] = y;
    }
    return true;
  }
}
