// A board as the part of an address behind the #: `#story=outlier`, and what was changed in it as `&board={...}`.

import { fromText } from "../../sandbox/front/text.js";
/** @import { Model } from "../../front/model.js" */
/** @import { State } from "../../sandbox/front/experiment.js" */

const DIGITS = 1e5; // of coordinates: a hundred-thousandth of the radius is less than a pixel on any wall

/** The address of what stands on the board. @param {Model} model */
export function boardOf(model) {
  /** @type {State} */ const state = model.get("_state");
  const start = model.get("_stories")[state.preset]?.state ?? {};
  const changed = Object.entries(state).filter(([name, value]) => JSON.stringify(value) !== JSON.stringify(start[name]));
  const board = JSON.stringify(Object.fromEntries(changed), (_, value) => (typeof value === "number" ? Math.round(value * DIGITS) / DIGITS : value));
  return `#story=${encodeURIComponent(state.preset)}${changed.length ? `&board=${encodeURIComponent(board)}` : ""}`;
}

/**
 * The state that an address tells; null where it tells none. Throws an Error that says what is wrong with it.
 * @param {Model} model
 * @param {string} hash
 * @returns {State | null}
 */
export function withBoard(model, hash) {
  const parts = new URLSearchParams(hash.slice(1));
  const name = parts.get("story");
  if (name === null) return null;
  const stories = model.get("_stories");
  if (!Object.hasOwn(stories, name)) throw new Error(`there is no story ${name.slice(0, 40)}; there are ${Object.keys(stories).join(", ")}`);
  const { state } = stories[name];
  let changes;
  try {
    changes = JSON.parse(parts.get("board") ?? "{}");
  } catch {
    throw new Error("the address was cut off; copy all of it");
  }
  const whole = JSON.stringify({ ...state, ...changes, turn: rotation(changes.turn) ?? state.turn });
  return fromText(whole, state, Object.keys(model.get("_losses")));
}

/** Rows made orthogonal again after rounding. @param {number[][] | undefined} rows */
function rotation(rows) {
  if (!Array.isArray(rows) || rows.length !== 3 || !rows.every((row) => Array.isArray(row) && row.length === 3)) return null;
  const dot = (a, b) => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
  const unit = (a) => a.map((value) => value / Math.sqrt(dot(a, a)));
  const right = unit(rows[0]);
  const up = unit(rows[1].map((value, k) => value - dot(rows[1], right) * right[k]));
  return [right, up, [right[1] * up[2] - right[2] * up[1], right[2] * up[0] - right[0] * up[2], right[0] * up[1] - right[1] * up[0]]];
}
