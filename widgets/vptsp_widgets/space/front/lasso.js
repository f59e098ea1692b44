// The lasso: which places lie inside a polygon of screen points.

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
  return (x, y) => {
    if (x < left || x > right || y < top || y > bottom) return false;
    let within = false;
    for (let at = 0, before = polygon.length - 2; at < polygon.length; before = at, at += 2) {
      const [y0, y1] = [polygon[before + 1], polygon[at + 1]];
      if (y0 > y !== y1 > y && x < polygon[at] + ((y - y1) * (polygon[before] - polygon[at])) / (y0 - y1)) within = !within;
    }
    return within;
  };
}
