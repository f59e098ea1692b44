// The losses of vptsp/core/losses/anchor.py with their gradients in closed form, and a step of descent.

import { total } from "../../front/numbers.js";
import { dot, lengthOf, plus, unit } from "./vectors.js";
/** @import { State } from "./experiment.js" */

/** log(1 + sum of exp(terms)) and its derivative by each term; 0 for no terms. */
function softplusOfSum(terms) {
  const most = Math.max(0, ...terms);
  const parts = terms.map((term) => Math.exp(term - most));
  const whole = Math.exp(-most) + total(parts);
  return { value: most + Math.log(whole), slopes: parts.map((part) => part / whole) };
}

/**
 * Proxy anchor: per proxy, a pull over the images of its class and a push over all others.
 * @param {number[][]} cosines
 * @param {number[]} labels
 * @param {State} state
 */
function proxyAnchor(cosines, labels, { scale, margin, positive_mean }) {
  const classes = cosines[0].length;
  const present = positive_mean === "all" ? classes : new Set(labels).size;
  const slopes = cosines.map((row) => row.map(() => 0));
  const pull = [], push = [];
  for (let c = 0; c < classes; c++) {
    const side = (sign, belongs, mean) => {
      const rows = labels.flatMap((label, i) => ((label === c) === belongs ? [i] : []));
      const found = softplusOfSum(rows.map((i) => sign * scale * (cosines[i][c] + sign * margin)));
      rows.forEach((i, k) => (slopes[i][c] = (sign * scale * found.slopes[k]) / mean));
      return found.value / mean;
    };
    pull.push(side(-1, true, present));
    push.push(side(1, false, classes));
  }
  return { pull, push, slopes };
}

/**
 * Image anchor: the same terms, per image over the proxies; shares go to the image's class.
 * @param {number[][]} cosines
 * @param {number[]} labels
 * @param {State} state
 */
function imageAnchor(cosines, labels, { scale, margin }) {
  const images = cosines.length, classes = cosines[0].length;
  const slopes = cosines.map((row) => row.map(() => 0));
  const pull = Array(classes).fill(0), push = Array(classes).fill(0);
  cosines.forEach((row, i) => {
    const own = labels[i], others = row.map((_, c) => c).filter((c) => c !== own);
    const near = softplusOfSum([-scale * (row[own] - margin)]);
    const far = softplusOfSum(others.map((c) => scale * (row[c] + margin)));
    slopes[i][own] = (-scale * near.slopes[0]) / images;
    others.forEach((c, k) => (slopes[i][c] = (scale * far.slopes[k]) / images));
    pull[own] += near.value / images;
    push[own] += far.value / images;
  });
  return { pull, push, slopes };
}

/**
 * Cross-entropy of factor * cosine: one term per image, in which pull and push weigh the same.
 * @param {number[][]} cosines
 * @param {number[]} labels
 */
function crossEntropy(cosines, labels, factor) {
  const images = cosines.length;
  const pull = Array(cosines[0].length).fill(0);
  const slopes = cosines.map((row, i) => {
    const most = Math.max(...row);
    const parts = row.map((cosine) => Math.exp(factor * (cosine - most)));
    const whole = total(parts);
    pull[labels[i]] += (factor * (most - row[labels[i]]) + Math.log(whole)) / images;
    return parts.map((part, c) => (factor * (part / whole - (c === labels[i] ? 1 : 0))) / images);
  });
  return { pull, push: null, slopes };
}

const LOSSES = {
  proxy_anchor: proxyAnchor,
  image_anchor: imageAnchor,
  // -a d of squared distances d = 2 - 2s: the constant falls out of the softmax
  proxy_nca: (cosines, labels, { scale }) => crossEntropy(cosines, labels, 2 * scale),
  normalized_softmax: (cosines, labels, { scale }) => crossEntropy(cosines, labels, scale),
};

/**
 * Through the normalisation: what is left of the gradient by the unit vector is tangent, over the length.
 * @param {number[]} point
 * @param {number[]} direction
 * @param {number[]} gradient
 */
function throughUnit(point, direction, gradient) {
  const length = lengthOf(point);
  if (length < 1e-9) return gradient.map(() => 0); // no direction, so nowhere to go
  const along = dot(direction, gradient);
  return gradient.map((value, k) => (value - along * direction[k]) / length);
}

/** @param {State} state */
const fuse = ({ proxies, semantic, alpha }) =>
  semantic ? proxies.map((row, c) => row.map((value, k) => alpha * value + (1 - alpha) * semantic[c][k])) : proxies;

/** @typedef {ReturnType<typeof evaluate>} Result */

/**
 * The points of a kind that the state or its gradients have.
 * @template {string} Kind
 * @param {Partial<Record<Kind, any>>} state
 * @param {Kind} kind
 * @returns {number[][]}
 */
export const rowsOf = (state, kind) => state[kind];

/**
 * Loss, its share by class, dL/ds of every pair, and the gradient by every point's own coordinates.
 * @param {State} state
 */
export function evaluate(state) {
  const { samples, labels, alpha } = state;
  const fused = fuse(state);
  const x = samples.map(unit), q = fused.map(unit);
  const cosines = x.map((row) => q.map((proxy) => dot(row, proxy)));
  const { pull, push, slopes } = LOSSES[state.loss](cosines, labels, state);
  const zero = samples[0].map(() => 0);
  const bySample = slopes.map((row, i) => throughUnit(samples[i], x[i], row.reduce((sum, slope, c) => plus(sum, slope, q[c]), zero)));
  const byFused = q.map((proxy, c) => throughUnit(fused[c], proxy, slopes.reduce((sum, row, i) => plus(sum, row[c], x[i]), zero)));
  const times = (factor) => byFused.map((row) => row.map((value) => factor * value));
  return {
    loss: total(pull) + (push ? total(push) : 0),
    pull, push, slopes, cosines, fused,
    gradients: {
      samples: bySample,
      fused: byFused,
      proxies: state.semantic ? times(alpha) : byFused,
      semantic: state.semantic ? times(1 - alpha) : null,
    },
  };
}

/**
 * The pairs (sample, proxy) that weigh at least half as much in the loss as the heaviest, and 0.01.
 * @param {number[][]} slopes
 */
export function hardPairs(slopes) {
  const most = Math.max(0.02, ...slopes.flat().map(Math.abs));
  return slopes.flatMap((row, i) => row.flatMap((slope, c) => (Math.abs(slope) >= most / 2 ? [{ i, c, slope }] : [])));
}

/**
 * One step of gradient descent for those who move; unit vectors are made unit again.
 * @param {State} state
 * @param {Result["gradients"]} gradients
 */
export function descend(state, gradients) {
  const moved = { ...state };
  for (const kind of state.moves) {
    if (!state[kind]) continue;
    const free = kind === "proxies" && state.semantic; // the length of O is its weight in q
    moved[kind] = rowsOf(state, kind).map((point, row) => {
      const there = plus(point, -state.learning_rate, rowsOf(gradients, kind)[row]);
      return free ? there : unit(there);
    });
  }
  return moved;
}
