// The points: samples, proxies and what they are mixed of; their names, glyphs and places, and what is said of one.

import { total } from "../../front/numbers.js";
import { rowsOf } from "./losses.js";
import { DISC, LETTERS, coloured, digits, glyphElement, proxySign } from "./svg_parts.js";
import { lengthOf } from "./vectors.js";
/** @import { State } from "./experiment.js" */
/** @import { Result } from "./losses.js" */

const KINDS = { proxies: "proxy", semantic: "semantic proxy", fused: "fused proxy", samples: "sample" };
export const FURTHEST = 1.3; // longer learned proxies are drawn at this length

/**
 * A point: `row` of the state's `kind`, `c` its class; on the stage it has an element and, once drawn, a place.
 * @typedef {object} Point
 * @property {"samples" | "proxies" | "semantic" | "fused"} kind
 * @property {number} row
 * @property {number} c
 * @property {string} name
 * @property {SVGGElement} element
 * @property {number[]} shown - its place in space
 * @property {number} x
 * @property {number} y
 * @property {boolean} behind
 */

/**
 * All points of a state as {kind, row, c, name}: `row` of the state's `kind`, `c` its class.
 * @param {State} state
 */
export function pointsOf({ labels, proxies, semantic, class_names }) {
  const nameOf = (c) => (/^class [A-H]$/.test(class_names[c]) ? class_names[c] : `${class_names[c]} (${LETTERS[c]})`);
  const seen = proxies.map(() => 0);
  const kinds = semantic ? ["fused", "semantic", "proxies"] : ["proxies"];
  const points = [
    ...kinds.flatMap((kind) => proxies.map((_, row) => ({ kind, row, c: row, name: `${KINDS[kind]} of ${nameOf(row)}` }))),
    ...labels.map((c, row) => ({ kind: "samples", row, c, name: `sample ${++seen[c]} of ${nameOf(c)}` })),
  ];
  if (semantic) points.filter((point) => point.kind === "proxies").forEach((point) => (point.name = `learned ${point.name}`));
  return points;
}

/**
 * The element of a point; `mixed` says whether learned proxies are mixed with semantic ones.
 * @param {Point} point
 */
export function pointElement({ kind, c }, mixed) {
  const seen = kind === "proxies" ? (mixed ? "learned" : "fused") : kind; // unmixed ones are what the loss sees
  const { path, open } = seen === "samples" ? { path: DISC, open: false } : proxySign(seen);
  const still = kind === "fused"; // q follows from O and G
  const element = glyphElement(path, open, LETTERS[c], {
    style: coloured(c),
    ...(still ? { role: "img" } : { role: "slider", tabindex: 0, "aria-valuemin": 0, "aria-valuemax": 360 }),
  }, kind === "samples" ? 13.5 : 18.5);
  element.dataset.lmSuppressShortcuts = "true";
  if (still) element.style.cursor = "default";
  return element;
}

/**
 * @param {Point} point
 * @param {State} state
 * @param {Result} result
 */
export const positionOf = ({ kind, row }, state, result) => (kind === "fused" ? result.fused[row] : rowsOf(state, kind)[row]);

/** Where a point is: its angle, or latitude and longitude. */
export function angles(at) {
  const degrees = (angle) => Math.round((angle * 180) / Math.PI);
  const round = (degrees(Math.atan2(at[1], at[0])) + 360) % 360;
  return { round, text: at.length === 2 ? `${round}°` : `longitude ${round}°, latitude ${digits(degrees(Math.asin(Math.max(-1, Math.min(1, at[2] / lengthOf(at))))))}°` };
}

/**
 * @param {Point} point
 * @param {State} state
 * @param {Result} result
 */
export const whereIs = (point, state, result) => `${point.name} at ${angles(positionOf(point, state, result)).text}`;

/**
 * What is read out of a point: where it is, its gradient, and what the loss makes of it.
 * @param {Point} point
 * @param {State} state
 * @param {Result} result
 */
export function described(point, state, result) {
  const { cosines, slopes, gradients, fused } = result;
  const parts = [`gradient ${digits(lengthOf(rowsOf(gradients, point.kind)[point.row]))}`];
  if (point.kind === "samples") {
    const row = slopes[point.row].map(Math.abs), heaviest = row.indexOf(Math.max(...row));
    parts.push(`cosine with its proxy ${digits(cosines[point.row][point.c])}`);
    parts.push(`heaviest pair: ${heaviest === point.c ? "pulled to its own proxy" : `pushed from proxy ${LETTERS[heaviest]}`}, |∂L/∂s| = ${digits(row[heaviest])}`);
  } else {
    if (state.semantic) {
      const length = lengthOf(positionOf(point, state, result));
      if (point.kind !== "semantic") parts.push(`length ${digits(length)}${length > FURTHEST && point.kind === "proxies" ? ", drawn shorter" : ""}`);
      if (point.kind === "fused" && lengthOf(fused[point.row]) < 1e-9) parts.push("O and G cancel out, so q has no direction");
    }
    const own = state.labels.flatMap((label, i) => (label === point.c ? [cosines[i][point.c]] : []));
    parts.push(own.length ? `mean cosine of its class with ${state.semantic ? "q" : "it"} ${digits(total(own) / own.length)}` : "no sample of its class in the batch");
  }
  return `${whereIs(point, state, result)}: ${parts.join("; ")}.`;
}
