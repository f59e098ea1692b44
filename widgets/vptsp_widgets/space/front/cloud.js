// The images as data: what is known of them, which are shown, where they lie on the screen, and which is meant there.

import { float32, int32 } from "../../front/bytes.js";
import { count } from "../../front/text.js";
import { told } from "./dates.js";
import { filterOf } from "./filter.js";
import { lassoOf } from "./lasso.js";
import { LEVELS, Solid } from "./turning.js";
/** @import { Kind } from "../../front/signs.js" */
/** @import { Model } from "../../front/model.js" */
/** @import { Camera } from "./camera.js" */
/** @import { State } from "./state.js" */

const ANSWERS = "nearest image"; // the column that says whether it is of the same class
const MOST_SORTED = 501; // images of a class that say where its middle is, for its name
export const REACH = 14; // pixels from the pointer within which a point is meant
export const images = (number) => `${count(number)} image${number === 1 ? "" : "s"}`;

/**
 * A column of the table of images; `low` to `high` is what its colours span, `start` where its codes begin; `colours` are
 * those that its categories name; `grey`: they are too many to be in colour at once. Of dates the numbers are days after
 * `since`, in ms from 1970; `days`: they have no times.
 * @typedef {{ name: string, kind: "number" | "category", values: string[], low: number, high: number, least: number,
 *   most: number, place: number, start: number, colours?: string[], grey?: boolean, since?: number, days?: boolean }} Column
 */
/** @typedef {{ kinds: Kind[], names: string[] }} Proxies */

/** The images: where they are, what is known of them, which are shown, and where they lie on the screen. */
export class Cloud {
  /** @type {Uint8Array} */ drawable;
  /** @type {number[]} */ middle;
  /** @type {number[]} */ extent;
  /** @type {number} */ total;
  /** @type {number[][]} */ rows;
  /** @type {(number[] | null)[]} */ centres;
  /** @type {(number[] | null)[]} */ solidCentres = []; // in space
  /** @type {number[]} */ bySize;
  /** @type {number} */ shown;
  bright = 0; // of these, those that are not faint
  passing = 0; // of these, those that the filter leaves
  lights = 0; // another number whenever other ones are shown
  picked = new Int32Array(0); // rows selected, ascending
  picks = 0; // another number whenever other ones are selected

  /** @type {string[] | undefined} */ ids;

  /** @param {Model} model */
  constructor(model) {
    this.xy = float32(model.get("_points"));
    this.size = this.xy.length / 2;
    this.columns = model.get("_columns");
    this.codes = int32(model.get("_codes"));
    this.numbers = float32(model.get("_codes"));
    this.sample = int32(model.get("_sample"));
    this.idBytes = model.get("_ids");
    this.oddIds = model.get("_odd_ids") ?? {};
    this.notes = model.get("_notes");
    this.alone = model.get("_alone") ?? 0; // images that have a map of their own; 0: it is that of all
    this.classes = this.columns[0].values;
    this.proxies = model.get("_proxies");
    this.glyphs = float32(model.get("_glyphs"));
    const depths = float32(model.get("_depths"));
    /** A map in three dimensions, of which `xy` and `glyphs` are what is seen. */
    this.solid = depths.length ? new Solid(this.xy, depths, this.glyphs, float32(model.get("_glyph_depths"))) : null;
    if (this.solid) [this.xy, this.glyphs] = [this.solid.xy, this.solid.glyphs];
    this.examples = int32(model.get("_examples")); // for each class the image nearest to its mean, -1: none; empty: no classes
    this.lit = new Uint8Array(this.size); // 0: not shown, 1: shown faintly, 2: shown
    this.selected = new Uint8Array(this.size);
    this.sx = new Float32Array(this.size); // on the screen, CSS pixels
    this.sy = new Float32Array(this.size);
    this.orders = new Map(); // name of a column -> order of drawing
    this.answers = this.columns.some(({ name }) => name === ANSWERS) ? this.column(ANSWERS) : null;
    this.measure();
  }

  /** Where everything is, and the middle of each class. */
  measure() {
    const { xy, size } = this;
    let [left, right, low, high] = [Infinity, -Infinity, Infinity, -Infinity];
    const take = (x, y) => {
      if (!Number.isFinite(x + y)) return 0;
      if (x < left) left = x;
      if (x > right) right = x;
      if (y < low) low = y;
      if (y > high) high = y;
      return 1;
    };
    this.drawable = new Uint8Array(size);
    this.total = 0;
    for (let row = 0; row < size; row++) this.total += this.drawable[row] = take(xy[2 * row], xy[2 * row + 1]);
    for (let at = 0; at < this.glyphs.length; at += 2) take(this.glyphs[at], this.glyphs[at + 1]);
    if (left > right) [left, right, low, high] = [0, 1, 0, 1];
    this.middle = [(left + right) / 2, (low + high) / 2];
    this.extent = [right - left || 1, high - low || 1];
    if (this.solid) [this.middle, this.extent] = [this.solid.middle.slice(0, 2), [2 * this.solid.radius, 2 * this.solid.radius]];
    this.rows = this.classes.map(() => []);
    for (let row = 0; row < size; row++) if (this.drawable[row] && this.codes[row] >= 0) this.rows[this.codes[row]].push(row);
    const { solid } = this;
    const median = (/** @type {number[]} */ rows, /** @type {(row: number) => number} */ of) => {
      const step = Math.ceil(rows.length / MOST_SORTED);
      const values = new Float32Array(Math.ceil(rows.length / step)); // in a loop: Float32Array.from takes a second for a million
      for (let at = 0; at < values.length; at++) values[at] = of(rows[at * step]);
      return values.sort()[values.length >> 1];
    };
    const middle = (/** @type {number[]} */ rows) => [median(rows, (row) => xy[2 * row]), median(rows, (row) => xy[2 * row + 1])];
    this.centres = this.rows.map((rows) => (rows.length ? middle(rows) : null));
    this.solidCentres = solid ? this.rows.map((rows) => (rows.length ? [...middle(rows), median(rows, (row) => solid.from.z[row])] : null)) : [];
    this.bySize = this.rows.map((_, code) => code).filter((code) => this.rows[code].length);
    this.bySize.sort((one, other) => this.rows[other].length - this.rows[one].length);
  }

  column(name) {
    const place = Math.max(0, this.columns.findIndex((column) => column.name === name));
    return { ...this.columns[place], place, start: place * this.size };
  }

  /** What a column says of an image, as text. */
  text(name, row) {
    const column = this.column(name);
    if (column.kind === "number") {
      const value = this.numbers[column.start + row];
      return Number.isFinite(value) ? told(column, value) : "missing";
    }
    return column.values[this.codes[column.start + row]] ?? "missing";
  }

  className(row) {
    return this.classes[this.codes[row]] ?? "";
  }

  /** Whether the nearest image of an image is of its class; null where that is not known. */
  isRight(row) {
    if (!this.answers) return null;
    const answer = this.answers.values[this.codes[this.answers.start + row]];
    return answer === "right" ? true : answer === "wrong" ? false : null;
  }

  id(row) {
    this.ids ??= new TextDecoder().decode(this.idBytes).split("\0");
    return this.ids[row] ?? "";
  }

  /** An id as it is: `id` is shortened, and without signs that turn text round. */
  wholeId(row) {
    return this.oddIds[row] ?? this.id(row);
  }

  /** Places [x, y] of those rows that have one. */
  places(rows) {
    return rows.filter((row) => this.drawable[row]).map((row) => [this.xy[2 * row], this.xy[2 * row + 1]]);
  }

  /** Places [x, y] of a class's proxies, one of each kind. */
  proxyPlaces(name) {
    const { names, kinds } = this.proxies;
    const number = names.indexOf(name);
    return kinds.map((_, kind) => [...this.glyphs.subarray(2 * (kind * names.length + number)).slice(0, 2)]);
  }

  /**
   * Decides what is shown: the sample or everything; what is not of the solo, the class found and the filter is faint.
   * @param {State} state
   */
  light(state) {
    const solo = this.column(state.colour);
    const only = solo.kind === "category" && state.solo.length ? new Set(state.solo) : null;
    const wanted = only && solo.values.map((value) => only.has(value));
    const found = state.find && this.classes.includes(state.find) ? state.find : null;
    const passes = filterOf(this, state.filter);
    this.lights += 1;
    this.lit.fill(0);
    this.passing = this.bright = 0;
    let shown = 0;
    const mark = (row) => {
      if (!this.drawable[row]) return;
      const passed = !passes || passes(row);
      this.passing += Number(passed);
      const kept = passed && (!wanted || wanted[this.codes[solo.start + row]]) && (!found || this.className(row) === found);
      this.lit[row] = kept ? 2 : 1;
      this.bright += Number(kept);
      shown += 1;
    };
    if (state.all) for (let row = 0; row < this.size; row++) mark(row);
    else this.sample.forEach(mark);
    this.shown = shown;
  }

  /**
   * Rows in an order of drawing that hides no class behind another; rare categories come last, on top.
   * @param {Column} column
   */
  order(column) {
    const few = column.place > 0 && column.kind === "category" && column.values.length <= 12;
    const key = few ? column.name : "";
    if (!this.orders.has(key)) {
      const step = 2654435761 % Math.max(1, this.size) || 1;
      const stride = coprime(step, this.size);
      const order = new Uint32Array(this.size);
      for (let turn = 0, row = 0; turn < this.size; turn++, row = (row + stride) % this.size) order[turn] = row;
      if (few) {
        const counts = new Map();
        const code = (row) => this.codes[column.start + row];
        for (const row of order) counts.set(code(row), (counts.get(code(row)) ?? 0) + 1);
        order.sort((one, other) => counts.get(code(other)) - counts.get(code(one)));
      }
      this.orders.set(key, order);
    }
    return this.orders.get(key);
  }

  /** Where everything is on the screen. @param {Camera} camera */
  place({ scale, x, y, width, height, turn }) {
    const { solid } = this;
    if (solid?.turn(turn)) this.centres = this.solidCentres.map((centre) => centre && solid.place(centre));
    const { xy, sx, sy, size } = this;
    const [left, top] = [width / 2 - x * scale, height / 2 + y * scale];
    for (let row = 0; row < size; row++) {
      sx[row] = xy[2 * row] * scale + left;
      sy[row] = top - xy[2 * row + 1] * scale;
    }
  }

  /** The nearest shown image within reach, or -1, in space rather what is in front. Half a millisecond for 200,000. */
  nearest(x, y, reach = REACH) {
    const { sx, sy, lit, size } = this;
    const near = this.solid?.near;
    let [best, found] = [reach * reach, -1];
    for (let row = 0; row < size; row++) {
      if (lit[row] !== 2) continue;
      const distance = (sx[row] - x) ** 2 + (sy[row] - y) ** 2 + (near ? 2 * (LEVELS - 1 - near[row]) : 0);
      if (distance < best) [best, found] = [distance, row];
    }
    return found;
  }

  /** The nearest shown image in a direction (dx, dy) of the screen, within 45 degrees of it, or -1. */
  towards(from, dx, dy) {
    let [best, found] = [Infinity, -1];
    for (let row = 0; row < this.size; row++) {
      if (this.lit[row] !== 2 || row === from) continue;
      const [x, y] = [this.sx[row] - this.sx[from], this.sy[row] - this.sy[from]];
      const along = x * dx + y * dy;
      const beside = Math.abs(x * dy - y * dx);
      if (along > 0 && beside <= along && along + 2 * beside < best) [best, found] = [along + 2 * beside, row];
    }
    return found;
  }

  /** Shown images inside a polygon of screen points [x0, y0, x1, y1, ...]: rows, ascending. */
  inside(polygon) {
    const within = lassoOf(polygon), rows = [];
    for (let row = 0; row < this.size; row++)
      if (this.lit[row] === 2 && within(this.sx[row], this.sy[row])) rows.push(row);
    return rows;
  }
}

function coprime(number, size) {
  const divisor = (one, other) => (other ? divisor(other, one % other) : one);
  while (divisor(number, size) > 1) number += 1;
  return number;
}
