// Which classes are looked at: of these the proxies are shown in full, and when some are picked out, others step back.

import { rowsOf } from "./selection.js";
/** @import { Cloud } from "./cloud.js" */
/** @import { State } from "./state.js" */

/**
 * `looked`: names of the classes of the image focused and found. `kept`: those picked out by solo, find or selection; null
 * when nothing is.
 * @typedef {{ looked: Set<string>, kept: Set<string> | null }} Looked
 */

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
  if (!state.find && !state.solo.length && !several) return { looked, kept: null };
  const kept = new Set(looked);
  if (state.colour === cloud.columns[0].name) state.solo.forEach((name) => kept.add(name));
  if (several) selected.forEach((row) => kept.add(cloud.className(row)));
  return { looked, kept };
}
