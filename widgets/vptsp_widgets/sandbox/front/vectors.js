// Vectors as arrays.

/**
 * @param {number[]} a
 * @param {number[]} b
 */
export const dot = (a, b) => a.reduce((sum, value, k) => sum + value * b[k], 0);
/** @param {number[]} a */
export const lengthOf = (a) => Math.sqrt(dot(a, a));
/** @param {number[]} a */
export const unit = (a) => {
  const length = Math.max(lengthOf(a), 1e-12);
  return a.map((value) => value / length);
};
/**
 * @param {number[]} a
 * @param {number[]} b
 */
export const plus = (a, factor, b) => a.map((value, k) => value + factor * b[k]);

/** @type {(one: number[], other: number[]) => number[]} */
export const cross = ([a, b, c], [x, y, z]) => [b * z - c * y, c * x - a * z, a * y - b * x];

/**
 * Turns `point` about the unit vector `axis`.
 * @param {number[]} point
 * @param {number[]} axis
 */
export function rotated(point, axis, angle) {
  const aside = cross(axis, point), along = dot(axis, point) * (1 - Math.cos(angle));
  return point.map((value, k) => value * Math.cos(angle) + aside[k] * Math.sin(angle) + axis[k] * along);
}
