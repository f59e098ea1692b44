// A difference and its interval as a small drawing: a dot, a bar, and the line of no difference.

import { svg } from "../../front/dom.js";
import { clip } from "../../front/numbers.js";

const [WIDE, HIGH] = [58, 16];

/**
 * `widest` is the difference at both ends of the drawing. Beyond 0 on one side, it is in that side's colour.
 * @param {[number, number, number]} interval
 * @param {number} widest
 */
export function intervalPlot([value, low, high], widest) {
  const x = (/** @type {number} */ number) => WIDE / 2 + (clip(number / widest, -1, 1) * (WIDE - 8)) / 2;
  const side = low > 0 ? "vptsp-space-right" : high < 0 ? "vptsp-space-wrong" : "";
  const line = (x0, x1, y0, y1, width) => svg("line", { x1: x0, x2: x1, y1: y0, y2: y1, "stroke-width": width });
  const zero = line(WIDE / 2, WIDE / 2, 1, HIGH - 1, 1);
  zero.setAttribute("opacity", "0.45");
  const drawn = svg("g", { class: side }, line(x(low), x(high), HIGH / 2, HIGH / 2, 2.5),
    svg("circle", { cx: x(value), cy: HIGH / 2, r: 3.2, "stroke-width": 0 }));
  return svg("svg", { width: WIDE, height: HIGH, viewBox: `0 0 ${WIDE} ${HIGH}`, "aria-hidden": "true", class: "vptsp-space-interval" }, zero, drawn);
}
