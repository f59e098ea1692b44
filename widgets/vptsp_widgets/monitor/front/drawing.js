// How a chart is drawn: its scale, numbered axes, and the curve.

import { svg } from "../../front/dom.js";
import { ticks } from "../../front/ticks.js";

export const HEIGHT = 210;
const [LEFT, RIGHT, TOP, BOTTOM] = [50, 12, 10, 40]; // margins

/** @typedef {ReturnType<typeof scaleOf>} Scale */

/**
 * From epochs 0..`most` and values to pixels, with some room above and below; percent stay within 0 and 100.
 * @param {number[]} values
 */
export function scaleOf(values, most, width, percent) {
  let [low, high] = [Math.min(...values), Math.max(...values)];
  const room = (high - low || Math.abs(high) || 1) * 0.08;
  [low, high] = percent ? [Math.max(0, low - room), Math.min(100, high + room)] : [low - room, high + room];
  return {
    low, high, most, width,
    x: (/** @type {number} */ epoch) => LEFT + (epoch / most) * (width - LEFT - RIGHT),
    y: (/** @type {number} */ value) => HEIGHT - BOTTOM - ((value - low) / (high - low || 1)) * (HEIGHT - TOP - BOTTOM),
  };
}

/** @param {Scale} scale */
export function drawAxes({ low, high, most, width, x, y }, unit) {
  const parts = [];
  const rows = ticks(low, high, 7);
  for (const value of rows.values) {
    parts.push(svg("line", { class: "vptsp-gridline", x1: LEFT, x2: width - RIGHT, y1: y(value), y2: y(value) }));
    parts.push(svg("text", { x: LEFT - 6, y: y(value) + 4, "text-anchor": "end" }, value.toFixed(rows.digits)));
  }
  const [bottom, middle] = [HEIGHT - BOTTOM, TOP + (HEIGHT - TOP - BOTTOM) / 2];
  for (const value of ticks(0, most, Math.max(2, Math.floor((width - LEFT) / 60)), true).values) {
    parts.push(svg("line", { class: "vptsp-tick", x1: x(value), x2: x(value), y1: bottom, y2: bottom + 4 }));
    parts.push(svg("text", { x: x(value), y: bottom + 16, "text-anchor": "middle" }, String(value)));
  }
  parts.push(svg("line", { class: "vptsp-axis", x1: LEFT, x2: width - RIGHT, y1: bottom, y2: bottom }));
  parts.push(svg("text", { x: LEFT + (width - LEFT - RIGHT) / 2, y: HEIGHT - 5, "text-anchor": "middle" }, "epoch"));
  parts.push(svg("text", { x: 11, y: middle, "text-anchor": "middle", transform: `rotate(-90 11 ${middle})` }, unit));
  return parts;
}

/**
 * `points` joined, with dots unless there are many; `faint` thin; one that is `marked` with a line down to the axis.
 * @param {Scale} scale
 * @param {number[][]} points
 * @param {number[][]} faint
 * @param {number[] | undefined} marked
 */
export function drawCurve({ x, y }, points, faint, marked) {
  const parts = [];
  const path = (/** @type {number[][]} */ some) => some.map(([epoch, value]) => `${x(epoch).toFixed(1)},${y(value).toFixed(1)}`).join(" ");
  if (faint.length > 1) parts.push(svg("polyline", { class: "vptsp-faint", points: path(faint) }));
  parts.push(svg("polyline", { class: "vptsp-line", points: path(points) }));
  if (points.length <= 60) {
    for (const [epoch, value] of points) parts.push(svg("circle", { class: "vptsp-dot", cx: x(epoch), cy: y(value), r: 3 }));
  }
  if (marked) {
    const place = x(marked[0]);
    parts.push(svg("line", { class: "vptsp-cross", x1: place, x2: place, y1: TOP, y2: HEIGHT - BOTTOM }));
    parts.push(svg("circle", { class: "vptsp-dot", cx: place, cy: y(marked[1]), r: 5 }));
  }
  return parts;
}
