// What stands on the whiteboard, changed in number: points and classes that come and go.

import { isSphere } from "./circle_and_sphere.js";
import { LETTERS } from "./svg_parts.js";
import { dot, unit } from "./vectors.js";
/** @import { State } from "./experiment.js" */
/** @import { Point } from "./points.js" */

export const MOST = { classes: 8, samples: 60 }; // as vptsp_widgets/sandbox/state.py
const NEAR = Math.cos((11 * Math.PI) / 180); // points nearer to each other than this cover each other

/** Directions all around, evenly. @param {boolean} sphere */
function directions(sphere) {
  if (!sphere) return Array.from({ length: 120 }, (_, k) => [Math.cos((k * Math.PI) / 60), Math.sin((k * Math.PI) / 60)]);
  return Array.from({ length: 400 }, (_, k) => { // a spiral from pole to pole
    const up = 1 - (2 * k + 1) / 400, around = k * Math.PI * (3 - Math.sqrt(5)), out = Math.sqrt(1 - up * up);
    return [out * Math.cos(around), out * Math.sin(around), up];
  });
}

/** The largest cosine of a direction with any point. */
const crowd = (/** @type {number[]} */ at, /** @type {number[][]} */ points) => Math.max(...points.map((point) => dot(at, point)));
// learned proxies beside semantic ones are drawn inside the circle, where they cover nothing
const everything = (/** @type {State} */ { samples, proxies, semantic }) => [...samples, ...(semantic ?? proxies)];

/** The direction nearest to another that no point covers; the farthest from all of them where there is none. */
function beside(at, points, sphere) {
  const all = directions(sphere);
  const free = all.filter((one) => crowd(one, points) < NEAR);
  if (!free.length) return farthest(points, sphere);
  return free.reduce((best, one) => (dot(one, at) > dot(best, at) ? one : best));
}

const farthest = (points, sphere) => directions(sphere).reduce((best, one) => (crowd(one, points) < crowd(best, points) ? one : best));

/**
 * One more sample of a class: at a direction, or else beside those that it has.
 * @param {State} state
 * @param {number} c
 * @param {number[]} [at]
 * @returns {Partial<State>}
 */
export function withSample(state, c, at) {
  if (state.samples.length >= MOST.samples) throw new Error(`the board holds ${MOST.samples} samples; remove one first`);
  const last = state.labels.lastIndexOf(c);
  const near = last >= 0 ? state.samples[last] : unit(state.proxies[c]);
  return { samples: [...state.samples, at ?? beside(near, everything(state), isSphere(state))], labels: [...state.labels, c] };
}

/**
 * One more class, where there is most room: its proxy, a semantic one where the others have it, and a sample.
 * @param {State} state
 * @returns {Partial<State>}
 */
export function withClass(state) {
  const c = state.proxies.length;
  if (c >= MOST.classes) throw new Error(`the board holds ${MOST.classes} classes; remove one first, by removing its proxy`);
  const sphere = isSphere(state);
  const points = everything(state);
  const put = (/** @type {number[]} */ at) => (points.push(at), at);
  const proxy = put(farthest(points, sphere));
  const semantic = state.semantic && [...state.semantic, put(beside(proxy, points, sphere))];
  const learned = semantic ? proxy.map((value) => 0.6 * value) : proxy; // as in the stories: inside, where it is seen
  const grown = { ...state, proxies: [...state.proxies, learned], semantic, class_names: [...state.class_names, `class ${LETTERS[c]}`] };
  return { ...grown, ...withSample(grown, c) };
}

/**
 * Without a sample; or, where the point is a proxy of any kind, without its class.
 * @param {State} state
 * @param {Pick<Point, "kind" | "row" | "c">} point
 * @returns {Partial<State>}
 */
export function without(state, { kind, row, c }) {
  const kept = state.labels.map((label, i) => (kind === "samples" ? i !== row : label !== c));
  const samples = state.samples.filter((_, i) => kept[i]);
  const labels = state.labels.filter((_, i) => kept[i]);
  if (kind === "samples") {
    if (!samples.length) throw new Error("the last sample stays: a loss needs one");
    return { samples, labels };
  }
  if (state.proxies.length < 2) throw new Error("the last class stays: a loss needs one");
  if (!samples.length) throw new Error("no other class has a sample, and a loss needs one; add one to another class first");
  const others = (/** @type {any[]} */ rows) => rows.filter((_, k) => k !== c);
  return {
    samples,
    labels: labels.map((label) => label - Number(label > c)),
    proxies: others(state.proxies),
    semantic: state.semantic && others(state.semantic),
    // letters are given in order, and a name that only says the letter goes with it
    class_names: others(state.class_names).map((name, k) => (/^class [A-H]$/.test(name) ? `class ${LETTERS[k]}` : name)),
  };
}
