// Which classes are looked at: of these the proxies are shown in full, and when some are picked out, others step back.

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
  const codes = new Set([...state.solo.map((value) => (column.values ?? []).indexOf(value)), pointed]);
  const take = (/** @type {number} */ row) => codes.add(cloud.codes[column.start + row]);
  cloud.picked.forEach(take);
  if (state.find) (cloud.rows[cloud.classes.indexOf(state.find)] ?? []).forEach(take);
  passing(cloud, state, take);
  near?.rows.forEach(take);
  if (focused >= 0 && focused < cloud.size) take(focused);
  return codes;
}

/** Takes the rows that a filter leaves; none without a filter. @param {Cloud} cloud @param {State} state @param {(row: number) => void} take */
const passing = (cloud, state, take) => state.filter.length && cloud.lit.forEach((one, row) => one === 2 && take(row));

/**
 * @param {Cloud} cloud
 * @param {State} state
 * @param {number} focused
 * @returns {Looked}
 */
export function lookedAt(cloud, state, focused) {
  const looked = new Set(state.find ? [state.find] : []);
  if (focused >= 0 && focused < cloud.size) looked.add(cloud.className(focused));
  const several = cloud.picked.length > 1; // one alone dims nothing
  if (!state.find && !state.solo.length && !several && !state.filter.length) return { looked, kept: null };
  const kept = new Set(looked);
  if (state.colour === cloud.columns[0].name) state.solo.forEach((name) => kept.add(name));
  /** @type {Set<number>} */
  const codes = new Set(); // of the classes: a name for each image would take longer
  const take = (/** @type {number} */ row) => codes.add(cloud.codes[row]);
  passing(cloud, state, take);
  if (several) cloud.picked.forEach(take);
  codes.forEach((code) => kept.add(cloud.classes[code] ?? ""));
  return { looked, kept };
}
