// A whiteboard as text, to be sent, kept and shown again; what comes back is checked as Python checks it.

import { MOST } from "./board.js";
import { isSphere } from "./circle_and_sphere.js";
import { lengthOf, unit } from "./vectors.js";
/** @import { State } from "./experiment.js" */

/** @type {Record<string, [least: number, most: number]>} */
export const RANGES = { scale: [0.1, 512], margin: [0, 1], alpha: [0, 1], learning_rate: [1e-4, 1] }; // as state.py
const MOVERS = ["samples", "proxies", "semantic"];

/** JSON, a line for each part. @param {State} state */
export const toText = (state) => `{\n${Object.entries(state).map(([name, value]) => `  ${JSON.stringify(name)}: ${JSON.stringify(value)}`).join(",\n")}\n}`;

/**
 * The state that a text holds; what it leaves out is as it is now. Throws an Error that says what is wrong.
 * @param {string} text
 * @param {State} now
 * @param {string[]} losses - those there are
 * @returns {State}
 */
export function fromText(text, now, losses) {
  let given;
  try {
    given = JSON.parse(text);
  } catch {
    throw new Error("this is not the text of a board: it is no JSON; paste all of what was copied");
  }
  const wrong = (/** @type {boolean} */ is, /** @type {string} */ what) => {
    if (is) throw new Error(`this is not the text of a board: ${what}`);
  };
  wrong(given === null || typeof given !== "object" || Array.isArray(given), "it has no parts");
  const unknown = Object.keys(given).find((name) => !(name in now));
  wrong(unknown !== undefined, `there is no part ${unknown}; there are ${Object.keys(now).join(", ")}`);
  const missing = ["samples", "labels", "proxies"].filter((name) => !Array.isArray(given[name]));
  wrong(missing.length > 0, `${missing.join(" and ")} missing`);
  wrong(!Array.isArray(given.samples[0]), "samples need 2 or 3 numbers each");
  const width = given.samples[0].length;
  const { class_names: _names, semantic: _semantic, turn: _turn, ...settings } = now;
  const state = { ...settings, semantic: null, class_names: given.proxies.map((_, c) => `class ${"ABCDEFGH"[c]}`), turn: isSphere(given) ? now.turn ?? LOOK : null, ...given };
  const points = (/** @type {any} */ rows, /** @type {string} */ what, /** @type {number} */ most) => {
    wrong(!Array.isArray(rows) || !rows.length || rows.length > most, `it needs 1 to ${most} ${what}`);
    const legal = rows.every((row) => Array.isArray(row) && row.length === width && row.every(Number.isFinite) && lengthOf(row) > 1e-9);
    wrong(!legal || ![2, 3].includes(width), `${what} need 2 or 3 numbers each, all as many, and not all zero`);
  };
  points(state.samples, "samples", MOST.samples);
  points(state.proxies, "proxies", MOST.classes);
  if (state.semantic !== null) points(state.semantic, "semantic proxies", MOST.classes);
  const classes = state.proxies.length;
  wrong(state.semantic !== null && state.semantic.length !== classes, "it needs a semantic proxy for each proxy");
  wrong(state.labels.length !== state.samples.length || !state.labels.every((label) => Number.isInteger(label) && label >= 0 && label < classes),
    `labels are one for each sample, 0 to ${classes - 1}`);
  wrong(!Array.isArray(state.class_names) || state.class_names.length !== classes, "it needs a class name for each proxy");
  wrong(!losses.includes(state.loss), `loss is one of ${losses.join(", ")}`);
  wrong(!["present", "all"].includes(state.positive_mean), "positive_mean is present or all");
  for (const [name, [least, most]] of Object.entries(RANGES)) wrong(!(state[name] >= least && state[name] <= most), `${name} is a number from ${least} to ${most}`);
  wrong(!Array.isArray(state.moves) || !state.moves.every((one) => MOVERS.includes(one)), `moves are some of ${MOVERS.join(", ")}`);
  wrong(width === 3 && !isRotation(state.turn), "turn is a rotation: three rows of three");
  return {
    ...state,
    samples: state.samples.map(normal),
    proxies: state.semantic ? state.proxies : state.proxies.map(normal), // else their length is their weight
    semantic: state.semantic && state.semantic.map(normal),
    class_names: state.class_names.map(String),
    preset: String(state.preset),
    turn: width === 3 ? state.turn : null,
  };
}

/** A unit vector; one that is it already stays bit for bit, as in Python. @param {number[]} row */
const normal = (row) => (Math.abs(lengthOf(row) - 1) > 1e-9 ? unit(row) : row);
const LOOK = [[0, 1, 0], [0, 0, 1], [1, 0, 0]];
const isRotation = (/** @type {any} */ turn) => Array.isArray(turn) && turn.length === 3
  && turn.every((row, i) => Array.isArray(row) && row.length === 3
    && turn.every((other, j) => Math.abs(row.reduce((sum, value, k) => sum + value * other[k], 0) - Number(i === j)) < 1e-6));
