// The lasso: which places lie inside a polygon of screen points.

const BANDS = 256; // across the polygon, each with the few of its edges that it may cross

/**
 * Says of a place whether it lies inside `polygon`, [x0, y0, x1, y1, ...], by the even-odd rule.
 * @param {number[]} polygon
 */
export function lassoOf(polygon) {
  let [left, right, top, bottom] = [Infinity, -Infinity, Infinity, -Infinity];
  for (let at = 0; at < polygon.length; at += 2) {
    left = Math.min(left, polygon[at]); right = Math.max(right, polygon[at]);
    top = Math.min(top, polygon[at + 1]); bottom = Math.max(bottom, polygon[at + 1]);
  }
  const bandOf = (y) => Math.min(BANDS - 1, Math.floor(((y - top) / (bottom - top || 1)) * BANDS));
  /** @type {number[][]} */
  const edges = Array.from({ length: BANDS }, () => []);
  for (let at = 0, before = polygon.length - 2; at < polygon.length; before = at, at += 2) {
    const [one, other] = [bandOf(polygon[before + 1]), bandOf(polygon[at + 1])];
    for (let band = Math.min(one, other); band <= Math.max(one, other); band++) {
      edges[band].push(polygon[before], polygon[before + 1], polygon[at], polygon[at + 1]);
    }
  }
  return (x, y) => {
    if (x < left || x > right || y < top || y > bottom) return false;
    const near = edges[bandOf(y)];
    let within = false;
    for (let at = 0; at < near.length; at += 4) {
      const y0 = near[at + 1];
      const y1 = near[at + 3];
      if (y0 > y !== y1 > y && x < near[at + 2] + ((y - y1) * (near[at] - near[at + 2])) / (y0 - y1)) within = !within;
    }
    return within;
  };
}
