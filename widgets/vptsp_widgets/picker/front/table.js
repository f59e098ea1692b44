// The table of runs: to sort, to walk through, to choose one and to mark several.

import { make } from "../../front/dom.js";
import { COLUMNS, cellText, isNumber } from "./columns.js";
import { ordered, sortedBy } from "./order.js";
/** @import { Column } from "./columns.js" */
/** @import { Sort } from "./order.js" */
/** @import { Model } from "../../front/model.js" */

export class RunTable {
  /** @type {Sort} */ sort = { key: "when", down: true };
  text = ""; // of the filter
  /** @type {number[]} */ rows = []; // on screen, in their order
  at = -1; // the row that has the keyboard
  /** @type {Map<number, HTMLTableRowElement>} */ lines = new Map();

  /**
   * @param {Model} model
   * @param {{ choose: (row: number) => void, toggle: (row: number) => void, shown: (some: number, all: number) => void }} acts
   */
  constructor(model, acts) {
    this.model = model;
    this.acts = acts;
    this.heads = new Map(COLUMNS.map((column) => [column[0], this.heading(column)]));
    this.body = make("tbody", { onclick: (event) => this.clicked(event), onkeydown: (event) => this.key(event), onfocusin: (event) => this.entered(event) });
    const corner = make("th", { scope: "col", className: "vptsp-markcell" }, make("span", { className: "vptsp-hidden" }, "marked"));
    const table = make("table", { className: "vptsp-runs", "aria-label": "runs" }, make("thead", {}, make("tr", {}, corner, ...this.heads.values())), this.body);
    this.element = make("div", { className: "vptsp-scroll" }, table);
  }

  get runs() {
    return this.model.get("_rows") ?? [];
  }

  /** @param {Column} column */
  heading(column) {
    const [key, title] = column;
    const arrow = make("span", { className: "vptsp-arrow", "aria-hidden": "true" });
    const sort = () => {
      this.sort = sortedBy(this.sort, key);
      this.show();
    };
    return make("th", { scope: "col", className: isNumber(column) ? "vptsp-number" : "" }, make("button", { type: "button", onclick: sort }, title, arrow));
  }

  // --- showing --------------------------------------------------------------------------------------
  /** Other runs. */
  build() {
    this.lines = new Map(this.runs.map((row, index) => [index, this.line(row, index)]));
    this.at = -1;
    this.show();
    this.showMarked();
  }

  line(row, index) {
    const box = make("input", { type: "checkbox", tabIndex: -1, "aria-label": `mark ${row.name}` });
    const made = make("tr", { tabIndex: -1 }, make("td", { className: "vptsp-markcell" }, box), ...COLUMNS.map((column) => cell(row, column)));
    made.dataset.row = String(index);
    made.title = row.note || "";
    return made;
  }

  show() {
    const { runs, sort } = this;
    this.rows = ordered(runs, this.text, sort);
    this.body.replaceChildren(...this.rows.flatMap((index) => this.lines.get(index) ?? []));
    if (!this.rows.length && runs.length) this.body.append(make("tr", {}, make("td", { colSpan: COLUMNS.length + 1 }, "no run matches the filter")));
    this.acts.shown(this.rows.length, runs.length);
    for (const [key, head] of this.heads) {
      const mine = key === sort.key;
      head.setAttribute("aria-sort", mine ? (sort.down ? "descending" : "ascending") : "none");
      /** @type {HTMLElement} */ (head.querySelector(".vptsp-arrow")).textContent = mine ? (sort.down ? " ▾" : " ▴") : "";
    }
    this.showChosen();
    const chosen = this.model.get("_chosen");
    this.rove(this.rows.includes(this.at) ? this.at : this.rows.includes(chosen) ? chosen : this.rows[0] ?? -1);
  }

  showChosen() {
    const chosen = this.model.get("_chosen");
    for (const [index, made] of this.lines) {
      made.classList.toggle("vptsp-chosen", index === chosen);
      if (index === chosen) made.setAttribute("aria-current", "true");
      else made.removeAttribute("aria-current");
    }
  }

  get marked() {
    return new Set(this.model.get("_marked") ?? []);
  }

  showMarked() {
    const { marked } = this;
    for (const [index, made] of this.lines) /** @type {HTMLInputElement} */ (made.querySelector("input")).checked = marked.has(index);
  }

  // --- the keyboard and the pointer -----------------------------------------------------------------
  /** Makes one row the one that Tab reaches. */
  rove(row) {
    const [before, after] = [this.lines.get(this.at), this.lines.get(row)];
    if (before) before.tabIndex = -1;
    this.at = row;
    if (after) after.tabIndex = 0;
  }

  /** The run chosen elsewhere is the one that Tab reaches, if it is on screen. */
  followChosen() {
    this.showChosen();
    const chosen = this.model.get("_chosen");
    this.rove(this.rows.includes(chosen) ? chosen : this.at);
  }

  clicked(event) {
    const made = event.target.closest("tr[data-row]");
    if (!made) return;
    const row = Number(made.dataset.row);
    this.rove(row);
    if (event.target.closest(".vptsp-markcell")) {
      if (event.target.tagName === "INPUT") event.target.checked = this.marked.has(row); // showMarked sets it
      this.acts.toggle(row);
    } else this.acts.choose(row);
  }

  entered(event) {
    const made = event.target.closest("tr[data-row]");
    if (made) this.rove(Number(made.dataset.row));
  }

  key(event) {
    const place = this.rows.indexOf(this.at);
    const last = this.rows.length - 1;
    const to = { ArrowDown: Math.min(last, place + 1), ArrowUp: Math.max(0, place - 1), Home: 0, End: last, PageDown: Math.min(last, place + 10), PageUp: Math.max(0, place - 10) }[event.key];
    if (to !== undefined && last >= 0) {
      this.rove(this.rows[to]);
      this.lines.get(this.at)?.focus();
    } else if (event.key === "Enter" && this.at >= 0) this.acts.choose(this.at);
    else if (event.key === " " && this.at >= 0) this.acts.toggle(this.at);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }
}

/** @param {Column} column */
function cell(row, column) {
  const [key] = column;
  const kind = key === "name" ? "vptsp-name" : isNumber(column) ? "vptsp-number" : key === "when" ? "vptsp-when" : "";
  const text = cellText(row, column);
  const title = key === "state" && row.note ? { title: row.note } : {};
  return make("td", { className: kind, ...title }, ...content(key, text));
}

/** @returns {(string | Node)[]} */
function content(key, text) {
  if (key === "when") return text.split(" ").flatMap((part) => [make("span", { className: "vptsp-whole" }, part), " "]);
  if (key !== "state") return [text];
  const badge = make("span", { className: "vptsp-badge" }, text);
  badge.dataset.state = text;
  return [badge];
}
