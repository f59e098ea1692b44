// The bar of filters: a part for each condition, with a histogram, a list of categories, or a search in names.

import { make, svg } from "../../front/dom.js";
import { count } from "../../front/text.js";
import { images } from "./cloud.js";
import { meant, stated, told as toldOf } from "./dates.js";
import { histogram } from "./filter.js";
/** @import { Cloud } from "./cloud.js" */
/** @import { Condition } from "./filter.js" */
/** @import { State } from "./state.js" */

const [WIDE, HIGH, BINS, STEPS, MOST_LISTED] = [150, 30, 25, 200, 60];

const whole = (/** @type {string} */ text) => make("span", { style: { whiteSpace: "nowrap" } }, text); // dates have hyphens

export class FilterBar {
  drawn = ""; // of which conditions and columns the parts are
  /** @type {Cloud | null} */ cloud = null;
  /** @type {Condition[]} */ conditions = [];

  /** @param {(changes: Partial<State>) => void} change */
  constructor(change) {
    this.change = change;
    this.column = make("select", { "aria-label": "Filter by", onchange: () => this.add(this.column.value) });
    this.parts = make("div", { className: "vptsp-space-conditions" });
    this.told = make("span", { className: "vptsp-space-left" });
    this.element = make("div", { className: "vptsp-space-filter", hidden: true, role: "group", "aria-label": "Filter" },
      make("div", { className: "vptsp-bar" }, make("label", {}, "Filter by", this.column), this.told,
        make("button", { type: "button", onclick: () => this.set([]) }, "No filter")),
      this.parts);
  }

  toggle() {
    this.element.hidden = !this.element.hidden;
    if (!this.element.hidden) this.column.focus();
  }

  /** @param {Condition[]} conditions */
  set(conditions) {
    this.change({ filter: conditions });
  }

  /** @param {string} value - place of the column, "id", or "" */
  add(value) {
    if (!this.cloud || !value) return;
    const column = value === "id" ? null : this.cloud.columns[Number(value)];
    const first = !column ? { column: "", text: "" } : column.kind === "number"
      ? { column: column.name, low: stated(column, column.least), high: stated(column, column.most) } : { column: column.name, text: "" };
    this.set([...this.conditions.filter((one) => one.column !== first.column), first]);
    /** @type {HTMLElement | null} */ (this.parts.lastElementChild?.querySelector("input"))?.focus();
  }

  /**
   * @param {Cloud} cloud
   * @param {State} state
   */
  show(cloud, state) {
    this.cloud = cloud;
    this.conditions = state.filter;
    if (this.conditions.length) this.element.hidden = false;
    this.told.textContent = !this.conditions.length ? "" : cloud.passing ? `${images(cloud.passing)} pass` : "no image passes: widen the filter, or take it away";
    const shape = JSON.stringify([cloud.columns.map(({ name }) => name), this.conditions.map(({ column, values }) => [column, Boolean(values)])]);
    if (shape === this.drawn) return this.parts.childNodes.forEach((part, place) => /** @type {any} */ (part).renew?.(this.conditions[place]));
    this.drawn = shape;
    this.column.replaceChildren(make("option", { value: "" }, "choose a column"), make("option", { value: "id" }, "image id"),
      ...cloud.columns.map(({ name }, place) => make("option", { value: String(place) }, name)));
    this.column.value = "";
    this.parts.replaceChildren(...this.conditions.map((condition, place) => this.part(cloud, condition, place)));
  }

  /** @param {number} place @param {Partial<Condition>} changes */
  edit(place, changes) {
    this.set(this.conditions.map((one, turn) => (turn === place ? { ...one, ...changes } : one)));
  }

  /**
   * @param {Cloud} cloud
   * @param {Condition} condition
   * @param {number} place
   */
  part(cloud, condition, place) {
    const shown = condition.column || "image id";
    const column = condition.column ? cloud.column(condition.column) : null;
    const { body, renew } = column?.kind === "number" ? this.range(cloud, condition, place) : this.names(column?.values ?? null, condition, place, shown);
    const away = make("button", { type: "button", "aria-label": `Take the filter by ${shown} away`, onclick: () => this.set(this.conditions.filter((_, turn) => turn !== place)) }, "×");
    const made = make("div", { className: "vptsp-space-condition" }, make("div", {}, make("b", { dir: "auto" }, shown), away), body);
    /** @type {any} */ (made).renew = renew;
    renew(condition);
    return made;
  }

  /** A histogram with two ends to move. */
  range(cloud, condition, place) {
    const column = cloud.column(condition.column);
    const { name, least, most } = column;
    const counts = histogram(cloud, name, BINS);
    const highest = Math.max(1, ...counts);
    const bars = counts.map((number, bin) => svg("rect", { x: (bin * WIDE) / BINS + 0.5, width: WIDE / BINS - 1, y: HIGH - (HIGH * number) / highest, height: (HIGH * number) / highest }));
    const at = (/** @type {number} */ step) => (step === 0 ? least : step === STEPS ? most : least + ((most - least) * step) / STEPS);
    const end = (label, act) => make("input", { type: "range", min: 0, max: STEPS, "aria-label": `${name}: ${label}`, oninput: act });
    const low = end("at least", () => this.edit(place, { low: stated(column, at(Math.min(low.valueAsNumber, high.valueAsNumber))) }));
    const high = end("at most", () => this.edit(place, { high: stated(column, at(Math.max(low.valueAsNumber, high.valueAsNumber))) }));
    const told = make("small", {});
    const step = (/** @type {number} */ value) => Math.round(((value - least) / (most - least || 1)) * STEPS);
    const renew = (/** @type {Condition} */ { low: first = least, high: last = most }) => {
      const [from, to] = [meant(column, first), meant(column, last)];
      [low.valueAsNumber, high.valueAsNumber] = [step(from), step(to)];
      low.setAttribute("aria-valuetext", toldOf(column, from));
      high.setAttribute("aria-valuetext", toldOf(column, to));
      told.replaceChildren(whole(toldOf(column, from)), " to ", whole(toldOf(column, to)));
      bars.forEach((bar, bin) => bar.setAttribute("opacity", at(((bin + 1) * STEPS) / BINS) < from || at((bin * STEPS) / BINS) > to ? "0.25" : "1"));
    };
    const drawing = svg("svg", { viewBox: `0 0 ${WIDE} ${HIGH}`, width: WIDE, height: HIGH, "aria-hidden": "true" }, ...bars);
    return { body: make("div", { className: "vptsp-space-range" }, drawing, low, high, told), renew };
  }

  /** Text to be found in names; of few names, the names themselves. */
  names(values, condition, place, shown) {
    const field = make("input", {
      type: "search", placeholder: "has in it", "aria-label": `${shown} has in it`,
      oninput: () => this.edit(place, { text: field.value, values: undefined }),
    });
    const boxes = (values ?? []).length <= MOST_LISTED ? (values ?? []) : [];
    const checks = boxes.map((value) => {
      const box = make("input", { type: "checkbox", onchange: () => {
        const on = checks.filter(({ box: each }) => each.checked).map(({ value: name }) => name);
        this.edit(place, { values: on, text: "" });
      } });
      return { value, box };
    });
    const list = make("div", { className: "vptsp-space-values" }, ...checks.map(({ value, box }) => make("label", {}, box, make("span", { dir: "auto" }, value))));
    const more = values && !boxes.length ? make("small", {}, `${count(values.length)} names`) : "";
    const renew = (/** @type {Condition} */ { text = "", values: chosen }) => {
      if (field.value !== text) field.value = text;
      for (const { value, box } of checks) box.checked = chosen ? chosen.includes(value) : value.toLocaleLowerCase().includes(text.trim().toLocaleLowerCase());
    };
    return { body: make("div", {}, field, more, list), renew };
  }
}
