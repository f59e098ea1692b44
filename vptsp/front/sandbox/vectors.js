// Vectors as arrays: their arithmetic, and rotation in space.
const dot = (a, b) => a.reduce((sum, value, k) => sum + value * b[k], 0);
const lengthOf = (a) => Math.sqrt(dot(a, a));
const unit = (a) => {
  const length = Math.max(lengthOf(a), 1e-12);
  return a.map((value) => value / length);
};
const plus = (a, factor, b) => a.map((value, k) => value + factor * b[k]);
const total = (values) => values.reduce((sum, value) => sum + value, 0);

const cross = ([a, b, c], [x, y, z]) => [b * z - c * y, c * x - a * z, a * y - b * x];

/** Turns `point` about the unit vector `axis`. */
function rotated(point, axis, angle) {
  const aside = cross(axis, point), along = dot(axis, point) * (1 - Math.cos(angle));
  return point.map((value, k) => value * Math.cos(angle) + aside[k] * Math.sin(angle) + axis[k] * along);
}
