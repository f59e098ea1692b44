// The legend of the column that colours the map; a click on a category shows it alone (solo).

import { make } from "../../front/dom.js";
import { count } from "../../front/text.js";
import { told } from "./dates.js";
/** @import { Cloud, Column } from "./cloud.js" */

const MOST_IN_LEGEND = 100;

export class Legend {
  /**
   * `choose(values)` is called with the categories to be shown alone, none for all; it shows the legend anew.
   * `point(code)` hears which category is pointed at, -1: none.
   * @param {(values: string[]) => void} choose
   * @param {(code: number) => void} point
   */
  constructor(choose, point) {
    this.choose = choose;
    this.point = point;
    /** @type {(looked: Set<number> | null) => void} */
    this.say = () => {}; // numbers have no categories
    this.element = make("div", { className: "vptsp-space-legend" });
  }

  /**
   * `css(place)` is the colour of a place in the tables, `faint` that of a missing value.
   * @param {Column} column
   * @param {Cloud} cloud
   */
  show(column, cloud, solo, css, faint) {
    const head = make("h4", { dir: "auto" }, `Colour: ${column.name}`);
    if (column.kind === "number") {
      this.say = () => {};
      this.element.replaceChildren(head, ...ramp(column, css), missingSwatch(faint, countMissing(column, cloud)));
      return;
    }
    const counts = new Int32Array(column.values.length + 1);
    for (let row = 0; row < cloud.size; row++) counts[cloud.codes[column.start + row] + 1] += 1;
    const order = column.values.map((_, code) => code).filter((code) => counts[code + 1]);
    order.sort((one, other) => counts[other + 1] - counts[one + 1]);
    const entries = order.slice(0, MOST_IN_LEGEND).map((code) => {
      const value = column.values[code];
      const act = (event) => this.pick(nextSolo(solo, value, event.ctrlKey || event.metaKey));
      const entry = swatch(css(256 + code), value, counts[code + 1], act);
      entry.setAttribute("aria-pressed", String(solo.includes(value)));
      entry.dataset.code = String(code);
      if (column.grey) {
        for (const name of ["pointerenter", "focus"]) entry.addEventListener(name, () => this.point(code));
        for (const name of ["pointerleave", "blur"]) entry.addEventListener(name, () => this.point(-1));
      }
      return entry;
    });
    const more = order.length > MOST_IN_LEGEND ? make("p", {}, `and ${count(order.length - MOST_IN_LEGEND)} more`) : "";
    const hint = make("p", { className: "vptsp-space-hint" });
    /** Of `looked` categories nothing is said: they are in colour. @param {Set<number> | null} looked */
    this.say = (looked) => {
      const grey = looked ? order.filter((code) => !looked.has(code)).length : 0;
      const rest = grey ? `${count(grey)} are grey until looked at: point at one, ` : "";
      hint.textContent = solo.length ? "click again to show all" : `${rest}click one to see it alone`;
    };
    this.say(column.grey ? new Set() : null);
    const kept = this.element.firstChild ? this.element.scrollTop : 0; // asked of an empty one it costs a layout
    this.element.replaceChildren(head, hint, ...entries, missingSwatch(faint, counts[0]), more);
    if (kept) this.element.scrollTop = kept;
  }

  /** Which categories are in colour on the map. @param {Set<number> | null} looked - null: all */
  mark(looked) {
    this.say(looked);
    for (const entry of this.element.querySelectorAll("button")) {
      entry.classList.toggle("vptsp-space-rest", Boolean(looked && !looked.has(Number(entry.dataset.code))));
    }
  }

  pick(values) {
    const place = [...this.element.querySelectorAll("button")].indexOf(/** @type {HTMLButtonElement} */ (document.activeElement));
    this.choose(values);
    this.element.querySelectorAll("button")[place]?.focus({ preventScroll: true }); // the entries are new ones
  }
}

/** What a click on a category leaves alone: it, nothing if it was alone; with `more`, it joins or leaves the others. */
function nextSolo(solo, value, more) {
  const has = solo.includes(value);
  return more ? (has ? solo.filter((other) => other !== value) : [...solo, value]) : has && solo.length === 1 ? [] : [value];
}

/**
 * The colours of numbers, and what they stand for.
 * @param {Column} column
 */
function ramp(column, css) {
  const stops = Array.from({ length: 9 }, (_, turn) => css(Math.round((255 * turn) / 8)));
  const ends = [column.low > column.least ? "≤ " : "", column.high < column.most ? "≥ " : ""];
  return [
    make("div", { className: "vptsp-space-ramp", role: "img", "aria-label": `colours from ${told(column, column.low)} to ${told(column, column.high)}`,
      style: { background: `linear-gradient(to right, ${stops.join(", ")})` } }),
    make("div", { className: "vptsp-space-ticks" }, make("span", {}, ends[0] + told(column, column.low)),
      column.since === undefined ? make("span", {}, told(column, (column.low + column.high) / 2)) : "", // of dates two fill the line
      make("span", {}, ends[1] + told(column, column.high))),
  ];
}

/**
 * @param {Column} column
 * @param {Cloud} cloud
 */
function countMissing(column, cloud) {
  let none = 0;
  for (let row = 0; row < cloud.size; row++) none += Number(!Number.isFinite(cloud.numbers[column.start + row]));
  return none;
}

function swatch(colour, text, number, act) {
  const inside = [make("i", { style: { color: colour } }), make("span", { dir: "auto", title: text }, text), make("small", {}, count(number))];
  return act ? make("button", { type: "button", className: "vptsp-space-entry", onclick: act }, ...inside)
    : make("div", { className: "vptsp-space-entry" }, ...inside);
}

function missingSwatch(faint, number) {
  return number ? swatch(faint, "missing", number) : "";
}
