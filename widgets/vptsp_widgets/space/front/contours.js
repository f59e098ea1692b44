// Lines of density on the map: of the images shown, of each category of the colour, or of those selected beside the rest.

import { linesOf } from "./contour_lines.js";
import { FEWEST, SHARES, density, finestWidth } from "./density.js";
import { images } from "./cloud.js";
/** @import { Loop } from "./contour_lines.js" */
/** @import { Cloud } from "./cloud.js" */
/** @import { Inks } from "./colours.js" */
/** @import { Scene } from "./overlay.js" */
/** @import { State } from "./state.js" */

const MOST = 12; // categories, the largest
const FEW_SHARES = [0.5, 0.9]; // where the lines of several lie over each other
const FEW_CELLS = 128;
const WIDTHS = { 0.25: 2.8, 0.5: 2.1, 0.75: 1.5, 0.9: 1.1 }; // pixels of a line by its share
export const ONLY_FLAT = "Density is drawn on maps in two dimensions; of this one each turn shows another side.";

/**
 * Images whose density is drawn: `code` of a category of the colour, -1 of none; `rest`: those that are not selected.
 * @typedef {{ name: string, code: number, rest: boolean, shares: number[], images: number, width: number, lines: Line[] }} Group
 */
/** @typedef {{ share: number, loops: Loop[], path: Path2D }} Line */
/** @typedef {{ groups: Group[], why: string, note: string }} Found - `why` there are none, `note` which ones are not there */

export class Contours {
  /** @type {Found} */ found = { groups: [], why: "", note: "" };
  /** @type {Cloud | undefined} */ cloud;
  key = "";

  /**
   * Computes them again where what they are of is other than before.
   * @param {Cloud} cloud - lit, and with the images selected
   * @param {State} state
   */
  renew(cloud, state) {
    const key = keyOf(cloud, state);
    if (cloud === this.cloud && key === this.key) return;
    [this.cloud, this.key] = [cloud, key];
    this.found = found(cloud, state);
  }

  /**
   * @param {CanvasRenderingContext2D} context
   * @param {Scene} scene
   */
  draw(context, { camera, inks, colours, state }) {
    const { scale, x, y, width, height } = camera;
    const onScreen = new DOMMatrix([scale, 0, 0, -scale, width / 2 - x * scale, height / 2 + y * scale]);
    context.lineJoin = "round";
    for (const group of [...this.found.groups].reverse()) {
      const lines = group.lines.map(({ share, path }) => {
        const placed = new Path2D();
        placed.addPath(path, onScreen);
        return { placed, wide: WIDTHS[share] };
      });
      context.setLineDash([]);
      context.strokeStyle = inks.paper;
      for (const { placed, wide } of lines) {
        context.lineWidth = wide + 3;
        context.stroke(placed);
      }
      context.setLineDash(group.rest ? [7, 4] : []);
      context.strokeStyle = inkOf(group, inks, colours.css);
      for (const { placed, wide } of lines) {
        context.lineWidth = wide;
        context.stroke(placed);
      }
    }
    context.setLineDash([]);
    const [first] = this.found.groups;
    if (this.found.groups.length === 1 && first.code < 0 && !state.labels) nameLines(context, first, onScreen, camera, inks);
  }
}

/** @param {Group} group @param {Inks} inks @param {(place: number) => string} css */
export const inkOf = (group, inks, css) => (group.code >= 0 ? css(256 + group.code) : group.rest ? inks.soft : group.shares === SHARES ? inks.ink : inks.accent);

/** The width of a line in pixels. @param {number} share */
export const widthOf = (share) => WIDTHS[share];

/**
 * All that the lines depend on, beside the cloud.
 * @param {Cloud} cloud
 * @param {State} state
 */
function keyOf(cloud, { density: of, colour, solo, find, filter, all }) {
  let marked = 0;
  if (of === "selection") for (let row = 0; row < cloud.size; row++) if (cloud.selected[row]) marked = (Math.imul(marked, 31) + row + 1) | 0;
  return of ? JSON.stringify([of, solo.length || of === "categories" ? colour : "", solo, find, filter, all, marked]) : "";
}

/**
 * @param {Cloud} cloud
 * @param {State} state
 * @returns {Found}
 */
function found(cloud, state) {
  const none = (/** @type {string} */ why) => ({ groups: [], why, note: "" });
  if (!state.density) return none("");
  if (cloud.solid) return none(ONLY_FLAT);
  const finest = finestWidth(cloud.xy);
  const take = (/** @type {(row: number) => boolean} */ is) => {
    const rows = [];
    for (let row = 0; row < cloud.size; row++) if (cloud.lit[row] === 2 && is(row)) rows.push(row);
    return rows;
  };
  const group = (name, rows, shares = SHARES, code = -1, rest = false) => groupOf(cloud, rows, { name, shares, code, rest }, finest);
  if (state.density === "shown") {
    const rows = take(() => true);
    return rows.length < FEWEST ? none(tooFew(rows.length, "shown")) : { groups: [group("images shown", rows)], why: "", note: "" };
  }
  if (state.density === "selection") {
    const [ours, rest] = [take((row) => cloud.selected[row] === 1), take((row) => !cloud.selected[row])];
    if (ours.length < FEWEST) return none(tooFew(ours.length, "selected"));
    const groups = [group("selected", ours, FEW_SHARES)];
    if (rest.length >= FEWEST) groups.push(group("others", rest, FEW_SHARES, -1, true));
    return { groups, why: "", note: rest.length < FEWEST ? tooFew(rest.length, "not selected") : "" };
  }
  const column = cloud.column(state.colour);
  if (column.kind === "number") return none(`The colour, ${column.name}, is a ${column.since === undefined ? "number" : "date"} and has no categories; colour by what has some.`);
  /** @type {number[][]} */
  const rows = column.values.map(() => []);
  take((row) => {
    rows[cloud.codes[column.start + row]]?.push(row);
    return false;
  });
  const there = [...rows.keys()].filter((code) => rows[code].length);
  const enough = there.filter((code) => rows[code].length >= FEWEST).sort((one, other) => rows[other].length - rows[one].length);
  if (!enough.length) return none(`No category has ${FEWEST} or more images here, which a density takes.`);
  const groups = enough.slice(0, MOST).map((code) => group(column.values[code], rows[code], FEW_SHARES, code));
  const left = [
    enough.length > MOST ? `Of ${enough.length} categories these are the ${MOST} largest; those alone in the legend come first.` : "",
    enough.length < there.length ? `${there.length - enough.length} with fewer than ${FEWEST} images have no lines.` : "",
  ];
  return { groups, why: "", note: left.filter(Boolean).join(" ") };
}

const tooFew = (/** @type {number} */ number, /** @type {string} */ how) => `${images(number)} ${number === 1 ? "is" : "are"} ${how}; a density takes ${FEWEST} or more.`;

/**
 * @param {Cloud} cloud
 * @param {number[]} rows
 * @param {{ name: string, shares: number[], code: number, rest: boolean }} what
 * @param {number} finest
 * @returns {Group}
 */
function groupOf({ xy }, rows, what, finest) {
  const places = new Float64Array(2 * rows.length);
  rows.forEach((row, turn) => {
    places[2 * turn] = xy[2 * row];
    places[2 * turn + 1] = xy[2 * row + 1];
  });
  const made = density(places, what.shares, finest, what.shares === SHARES ? undefined : FEW_CELLS);
  const lines = what.shares.map((share, turn) => {
    const loops = linesOf(made, made.levels[turn]);
    return { share, loops, path: pathOf(loops) };
  });
  return { ...what, images: rows.length, width: made.width, lines };
}

/** Rounded between the middles of its parts, so that it stays smooth where one has zoomed in. @param {Loop[]} loops */
function pathOf(loops) {
  const path = new Path2D();
  for (const loop of loops) {
    const length = loop.length;
    path.moveTo((loop[length - 2] + loop[0]) / 2, (loop[length - 1] + loop[1]) / 2);
    for (let at = 0; at < length; at += 2) {
      const after = (at + 2) % length;
      path.quadraticCurveTo(loop[at], loop[at + 1], (loop[at] + loop[after]) / 2, (loop[at + 1] + loop[after + 1]) / 2);
    }
    path.closePath();
  }
  return path;
}

/**
 * Shares at lines, where no names of classes are: each on another side, so that those of nested lines do not meet.
 * @param {CanvasRenderingContext2D} context
 * @param {Group} group
 * @param {DOMMatrix} onScreen
 * @param {{ width: number, height: number }} camera
 * @param {Inks} inks
 */
function nameLines(context, { lines }, onScreen, { width, height }, inks) {
  const sides = [[0, -1], [1, 0], [0, 1], [-1, 0]];
  const taken = [];
  context.font = "600 11px system-ui, sans-serif";
  context.textAlign = "center";
  context.textBaseline = "middle";
  context.lineWidth = 4;
  lines.forEach(({ share, loops }, turn) => {
    const [dx, dy] = sides[turn];
    let [best, place] = [-Infinity, [0, 0]];
    const longest = loops.reduce((one, other) => (other.length > one.length ? other : one), new Float64Array());
    for (let at = 0; at < longest.length; at += 2) {
      const x = longest[at] * onScreen.a + onScreen.e;
      const y = longest[at + 1] * onScreen.d + onScreen.f;
      if (x < 20 || y < 12 || x > width - 20 || y > height - 12) continue;
      if (x * dx + y * dy > best) [best, place] = [x * dx + y * dy, [x, y]];
    }
    if (best === -Infinity || taken.some(([x, y]) => Math.abs(x - place[0]) < 34 && Math.abs(y - place[1]) < 14)) return;
    taken.push(place);
    context.strokeStyle = inks.paper;
    context.strokeText(`${100 * share} %`, place[0], place[1]);
    context.fillStyle = inks.ink;
    context.fillText(`${100 * share} %`, place[0], place[1]);
  });
}
