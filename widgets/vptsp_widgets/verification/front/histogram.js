// Both histograms over each other, each as shares of its own pairs, filled where they are on the wrong side.

import { make, svg } from "../../front/dom.js";
import { sizeOf } from "../../front/pixels.js";
import { ticks } from "../../front/ticks.js";
import { thresholdLine } from "./threshold.js";
import { KINDS, percent } from "./words.js";
/** @import { Measured } from "./measured.js" */

const [LEFT, RIGHT, TOP, BOTTOM] = [76, 14, 42, 40]; // margins
const GROUPS = [1, 2, 5, 10, 20, 40, 50, 100, 200, 400]; // bins of a bar
const BAR = 6; // pixels at least

/**
 * Edges between `low` and `high`, as pixels and back; shares as pixels.
 * @typedef {{ low: number, high: number, group: number, left: number, width: number, bottom: number, x: (edge: number) => number, edge: (x: number) => number, y: (share: number) => number }} Scale
 */

/** @param {(edge: number) => void} move */
export function histogram(move) {
  const hatch = `vv-hatch-${Math.random().toString(36).slice(2)}`; // of a page of several such views, this one's
  const pattern = svg("pattern", { id: hatch, width: 6, height: 6, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" },
    svg("rect", { class: "vv-hatch-ground", width: 6, height: 6 }), svg("line", { class: "vv-hatch", y1: 0, y2: 6, x1: 1.5, x2: 1.5 }));
  const drawn = svg("g");
  const plot = svg("svg", { class: "vv-plot", role: "group" });
  const line = thresholdLine(plot, move);
  plot.append(svg("defs", {}, pattern), drawn, ...line.parts);
  const element = make("div", { className: "vv-figure" }, plot);

  /**
   * @param {Measured} measured
   * @param {{ equal: { rate: number, threshold: number } }} about
   */
  function show(measured, edge, log, about) {
    const [width, height] = sizeOf(element);
    if (width < 1) return; // not in the page yet
    plot.setAttribute("width", String(width));
    plot.setAttribute("height", String(height));
    plot.setAttribute("aria-label", `Histograms of the cosines of pairs: ${KINDS.join(", and ")}; equal error ${percent(about.equal.rate)} at ${about.equal.threshold.toFixed(3)}`);
    const { low, high, group } = range(measured, width);
    const shares = measured.shares(group, low, high);
    const most = Math.max(...shares.flat());
    const floor = 0.5 / Math.max(...measured.totals); // below the share of a single pair
    const bottom = height - BOTTOM;
    const x = (/** @type {number} */ place) => LEFT + ((place - low) / (high - low)) * (width - LEFT - RIGHT);
    const part = log
      ? (/** @type {number} */ share) => Math.log(Math.max(share, floor) / floor) / Math.log(most / floor)
      : (/** @type {number} */ share) => share / most;
    /** @type {Scale} */
    const scale = {
      low, high, group, left: LEFT, width, bottom, x, edge: (place) => low + ((place - LEFT) / (width - LEFT - RIGHT)) * (high - low),
      y: (share) => bottom - part(share) * (bottom - TOP),
    };
    /** @type {SVGElement[]} */
    const parts = axes(measured, scale, most, log ? floor : 0, height);
    shares.forEach((bars, kind) => {
      const name = kind ? "impostor" : "genuine";
      const fill = kind ? { style: `fill: url(#${hatch})` } : {};
      const sides = [[low, Math.min(edge, high)], [Math.max(edge, low), high]];
      sides.forEach(([from, to], side) => { // left: rejected, wrong of the first kind; right: accepted, of the second
        if (to > from) parts.push(svg("path", { class: `vv-area vv-${name}${side === kind ? " vv-wrong" : ""}`, ...fill, d: `${outline(bars, scale, from, to)}V${bottom}Z` }));
      });
      parts.push(svg("path", { class: `vv-outline vv-${name}`, d: outline(bars, scale, low, high) }));
    });
    parts.push(...equalMark(measured, scale, about.equal));
    drawn.replaceChildren(...parts);
    line.show(measured, edge, scale);
  }

  return { element, show };
}

/** The occupied part of the axis, in whole bars as narrow as there is room for. @param {Measured} measured */
function range(measured, width) {
  const [first, last] = measured.occupied();
  const room = (width - LEFT - RIGHT) / BAR;
  const group = GROUPS.find((each) => (last - first) / each <= room) ?? 400;
  return { group, low: Math.max(0, Math.floor(first / group - 1) * group), high: Math.min(measured.bins, Math.ceil(last / group + 1) * group) };
}

/**
 * The steps of the bars from one edge to another.
 * @param {number[]} bars
 * @param {Scale} scale
 */
function outline(bars, { low, high, group, x, y, bottom }, from, to) {
  let path = `M${x(from).toFixed(1)},${bottom}`;
  bars.forEach((share, number) => {
    const [left, right] = [low + number * group, Math.min(high, low + (number + 1) * group)];
    if (right > from && left < to) path += `V${y(share).toFixed(1)}H${x(Math.min(right, to)).toFixed(1)}`;
  });
  return path;
}

/**
 * @param {Measured} measured
 * @param {Scale} scale
 * @param {number} floor - the lowest share of an axis in powers of ten; 0: an even one
 */
function axes(measured, { low, high, group, width, bottom, x, y }, most, floor, height) {
  /** @type {SVGElement[]} */
  const parts = [];
  /** @type {number[]} */
  const rows = [];
  if (floor) for (let power = Math.ceil(Math.log10(floor)); 10 ** power <= most; power += 1) rows.push(10 ** power);
  else rows.push(...ticks(0, most, 4).values);
  for (const share of rows) {
    parts.push(svg("line", { class: "vv-grid", x1: LEFT, x2: width - RIGHT, y1: y(share), y2: y(share) }));
    parts.push(svg("text", { x: LEFT - 6, y: y(share) + 4, "text-anchor": "end" }, `${Number((100 * share).toPrecision(3))} %`));
  }
  const [from, to] = [measured.cosine(low), measured.cosine(high)];
  const columns = ticks(from, to, Math.max(3, Math.floor((width - LEFT) / 70)));
  for (const value of columns.values) {
    const place = x(((value + 1) * measured.bins) / 2);
    parts.push(svg("line", { class: "vv-axis", x1: place, x2: place, y1: bottom, y2: bottom + 4 }));
    parts.push(svg("text", { x: place, y: bottom + 16, "text-anchor": "middle" }, value.toFixed(columns.digits)));
  }
  parts.push(svg("line", { class: "vv-axis", x1: LEFT, x2: width - RIGHT, y1: bottom, y2: bottom }));
  const [middle, centre] = [TOP + (bottom - TOP) / 2, LEFT + (width - LEFT - RIGHT) / 2];
  parts.push(svg("text", { x: centre, y: height - 6, "text-anchor": "middle" }, "cosine of the two images"));
  const bar = Number(((2 * group) / measured.bins).toPrecision(6));
  parts.push(svg("text", { x: 11, y: middle, "text-anchor": "middle", transform: `rotate(-90 11 ${middle})` }, `share of pairs, per ${bar}`));
  return parts;
}

/**
 * Where both kinds of mistakes are equally frequent.
 * @param {Measured} measured
 * @param {Scale} scale
 */
function equalMark(measured, { x, width, bottom }, { rate, threshold }) {
  const place = x(((threshold + 1) * measured.bins) / 2);
  const text = `equal error ${percent(rate)} at ${threshold.toFixed(3)}`;
  const left = place + 190 > width; // no room to the right
  return [
    svg("line", { class: "vv-equal", x1: place, x2: place, y1: 26, y2: bottom }),
    svg("path", { class: "vv-diamond", d: `M${place} ${bottom - 6}l6 6l-6 6l-6 -6Z` }),
    svg("text", { class: "vv-equal-text", x: place + (left ? -8 : 8), y: 35, "text-anchor": left ? "end" : "start" }, text),
  ];
}
