// Which classes are looked at: of these the proxies are shown in full, and when some are picked out, others step back.

import { rowsOf } from "./selection.js";
/** @import { Cloud } from "./cloud.js" */
/** @import { Near } from "./neighbours.js" */
/** @import { State } from "./state.js" */

/**
 * `looked`: names of the classes of the image focused and found. `kept`: those picked out by solo, find or selection; null
 * when nothing is.
 * @typedef {{ looked: Set<string>, kept: Set<string> | null }} Looked
 */

/**
 * Categories of a column that are looked at: those of the image focused and what it finds, of the images selected and of the
 * class found, those that a filter leaves, those alone, and the one pointed at.
 * @param {Cloud} cloud
 * @param {State} state
 * @param {number} focused
 * @param {Near | null} near
 * @param {number} pointed
 */
export function codesLooked(cloud, state, focused, near, pointed) {
  const column = cloud.column(state.colour);
  const found = state.find ? cloud.rows[cloud.classes.indexOf(state.find)] ?? [] : [];
  const rows = [...rowsOf(cloud.selected), ...found, ...passing(cloud, state), ...(near?.rows ?? []), ...(focused >= 0 && focused < cloud.size ? [focused] : [])];
  return new Set([...rows.map((row) => cloud.codes[column.start + row]), ...state.solo.map((value) => column.values.indexOf(value)), pointed]);
}

/** Rows that a filter leaves; none without a filter. @param {Cloud} cloud @param {State} state */
const passing = (cloud, state) => (state.filter.length ? [...cloud.lit.keys()].filter((row) => cloud.lit[row] === 2) : []);

/**
 * @param {Cloud} cloud
 * @param {State} state
 * @param {number} focused
 * @returns {Looked}
 */
export function lookedAt(cloud, state, focused) {
  const looked = new Set(state.find ? [state.find] : []);
  if (focused >= 0 && focused < cloud.size) looked.add(cloud.className(focused));
  const selected = rowsOf(cloud.selected);
  const several = selected.length > 1; // one alone dims nothing
  if (!state.find && !state.solo.length && !several && !state.filter.length) return { looked, kept: null };
  const kept = new Set(looked);
  if (state.colour === cloud.columns[0].name) state.solo.forEach((name) => kept.add(name));
  passing(cloud, state).forEach((row) => kept.add(cloud.className(row)));
  if (several) selected.forEach((row) => kept.add(cloud.className(row)));
  return { looked, kept };
}
