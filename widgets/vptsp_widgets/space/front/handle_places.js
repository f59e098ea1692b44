// Where the signs of proxies stand: along alpha as the kernel projected them, and where they were moved.

/** @import { Kind } from "../../front/signs.js" */
/** @import { Proxies } from "./cloud.js" */
/** @import { Moved } from "./handles.js" */

/** @typedef {{ alphas: number[], places: Float32Array }} Way - x and y of each proxy, for each alpha; no places: not known */

/**
 * Places of all signs, kind by kind, once `alpha` is another than the run's `own` and some are moved.
 * @param {Float32Array<ArrayBuffer>} given - where they are with the run's own alpha
 * @param {Proxies} proxies
 * @param {{ kind: Kind, own: number, alpha: number, moved: Moved[], way: Way }} set - `kind`: that of the handles
 */
export function placesOf(given, { kinds, names }, { kind, own, alpha, moved, way }) {
  const first = kinds.indexOf(kind) * names.length * 2;
  if (first < 0) return given;
  const places = given.slice();
  if (alpha !== own && kinds.length === 3) along(alpha, stepsOf(given, kinds, names.length * 2, own, way), places.subarray(first));
  for (const { proxy, x, y } of moved) {
    if (x === null || y === null) continue;
    places[first + 2 * proxy] = x;
    places[first + 2 * proxy + 1] = y;
  }
  return places;
}

/**
 * Writes the places at an alpha: on straight lines between those known.
 * @param {number} alpha
 * @param {{ alpha: number, at: Float32Array }[]} steps - by alpha, from 0 to 1
 * @param {Float32Array} places
 */
function along(alpha, steps, places) {
  const after = Math.max(1, steps.findIndex((one) => one.alpha >= alpha));
  const [from, to] = [steps[after - 1], steps[after]];
  const share = (alpha - from.alpha) / (to.alpha - from.alpha);
  for (let at = 0; at < from.at.length; at++) places[at] = (1 - share) * from.at[at] + share * to.at[at];
}

/**
 * Where the fused proxies are at some values of alpha: as the kernel found, or where both kinds and the run's own are.
 * @param {Float32Array} given
 * @param {Kind[]} kinds
 * @param {number} length - of the places of one kind
 * @param {number} own
 * @param {Way} way
 */
function stepsOf(given, kinds, length, own, { alphas, places }) {
  if (places.length && places.length === alphas.length * length) {
    return alphas.map((alpha, turn) => ({ alpha, at: places.subarray(turn * length, (turn + 1) * length) }));
  }
  const of = (/** @type {Kind} */ kind) => given.subarray(kinds.indexOf(kind) * length, (kinds.indexOf(kind) + 1) * length);
  const ends = [{ alpha: 0, at: of("semantic") }, { alpha: own, at: of("fused") }, { alpha: 1, at: of("learned") }];
  return ends.filter(({ alpha }, turn) => turn === 1 || alpha !== own);
}
