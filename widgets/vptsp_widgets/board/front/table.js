// The table of jobs: rows that stay the same elements while their cells change, and the keyboard among them.

import { make } from "../../front/dom.js";
import { count } from "../../front/text.js";
import { columnsOf } from "./columns.js";
import { matching, ordered, sortedBy } from "./order.js";
/** @import { Column } from "./columns.js" */
/** @import { Sort } from "./order.js" */
/** @import { Sweep } from "./sweep.js" */

const MOST = 200; // rows at once; a table of thousands would make every change slow

/** @typedef {{ tr: HTMLTableRowElement, cells: HTMLTableCellElement[], keys: string[] }} Line */

export class JobTable {
  /** @type {Sort} */ sort = { key: "", down: false };
  most = MOST;
  /** @type {number[]} */ rows = []; // on screen, in their order
  at = -1; // the row that has the keyboard
  /** @type {Column[]} */ columns = [];
  /** @type {Map<number, Line>} */ lines = new Map();
  layout = "";

  /**
   * @param {Sweep} sweep
   * @param {{ text: string, state: string, tell: (shown: number, all: number) => void }} filter
   * @param {(index: number) => void} choose
   */
  constructor(sweep, filter, choose) {
    this.sweep = sweep;
    this.filter = filter;
    this.choose = choose;
    this.headRow = make("tr", {});
    this.body = make("tbody", { onclick: (event) => this.clicked(event), onkeydown: (event) => this.key(event), onfocusin: (event) => this.entered(event) });
    const table = make("table", { className: "vptsp-jobs", "aria-label": "jobs" }, make("thead", {}, this.headRow), this.body);
    this.element = make("div", { className: "vptsp-scroll" }, table);
    this.more = make("button", { type: "button", hidden: true, onclick: () => ((this.most += MOST), this.show()) });
  }

  // --- showing --------------------------------------------------------------------------------------
  /** From the first row on: after another filter. */
  restart() {
    this.most = MOST;
    this.show();
  }

  show() {
    const { sweep, body } = this;
    const jobs = sweep.jobs();
    this.showColumns(jobs);
    const fitting = ordered(matching(jobs, this.filter.text, this.filter.state), jobs, this.columns, this.sort);
    const chosen = fitting.indexOf(sweep.chosen);
    while (chosen >= this.most) this.most += MOST;
    this.rows = fitting.slice(0, this.most);
    const made = this.rows.map((index) => this.line(index));
    const nothing = make("tr", {}, make("td", { colSpan: this.columns.length, className: "vptsp-faded" }, "no job matches the filter"));
    const wanted = made.length ? made : [nothing];
    if (wanted.length !== body.children.length || wanted.some((tr, place) => tr !== body.children[place])) {
      const focused = body.contains(document.activeElement) ? /** @type {HTMLElement} */ (document.activeElement) : null;
      body.replaceChildren(...wanted);
      if (focused?.isConnected) focused.focus({ preventScroll: true });
    }
    this.filter.tell(this.rows.length, jobs.length);
    const rest = fitting.length - this.rows.length;
    this.more.hidden = rest <= 0;
    this.more.textContent = `Show ${Math.min(MOST, rest)} more of ${count(fitting.length)}`;
    this.showSort();
    this.showChosen();
    this.rove(this.rows.includes(this.at) ? this.at : chosen >= 0 ? sweep.chosen : this.rows[0] ?? -1);
  }

  showColumns(jobs) {
    this.columns = columnsOf(this.sweep, jobs);
    const key = JSON.stringify([this.columns.map((column) => column.slice(0, 2)), jobs.map((job) => job.name)]);
    if (key === this.layout) return;
    this.layout = key;
    this.lines = new Map();
    this.at = -1;
    if (!this.columns.some(([own]) => own === this.sort.key)) this.sort = { key: "", down: false };
    this.headRow.replaceChildren(...this.columns.map((column) => this.heading(column)));
  }

  /** @param {Column} column */
  heading([key, title, value, , kind]) {
    const arrow = make("span", { className: "vptsp-arrow", "aria-hidden": "true" });
    const parts = title.split(/(?<=_)/).flatMap((part) => [make("wbr"), part]); // long settings break at "_"
    const inside = value
      ? make("button", { type: "button", onclick: () => ((this.sort = sortedBy(this.sort, key)), this.show()) }, ...parts, arrow)
      : make("span", { className: "vptsp-plainhead" }, title);
    const made = make("th", { scope: "col", className: kind ? `vptsp-${kind}` : "" }, inside);
    made.dataset.key = key;
    return made;
  }

  showSort() {
    const { key, down } = this.sort;
    for (const th of this.headRow.cells) {
      const mine = th.dataset.key === key;
      if (th.querySelector("button")) th.setAttribute("aria-sort", mine ? (down ? "descending" : "ascending") : "none");
      const arrow = th.querySelector(".vptsp-arrow");
      if (arrow) arrow.textContent = mine ? (down ? " ▾" : " ▴") : "";
    }
  }

  /** The row's <tr>, with those cells made anew that have changed: a link that has the keyboard keeps it. */
  line(index) {
    const job = this.sweep.job(index);
    const made = this.lines.get(index) ?? this.newLine(index);
    this.columns.forEach(([, , , content], place) => {
      const inside = [content(job, index)].flat();
      const key = inside.map((part) => part.outerHTML ?? part).join("\0");
      if (made.keys[place] === key) return;
      made.keys[place] = key;
      made.cells[place].replaceChildren(...inside);
    });
    return made.tr;
  }

  newLine(index) {
    const cells = this.columns.map(([, , , , kind]) => make("td", { className: kind ? `vptsp-${kind}` : "" }));
    /** @type {Line} */
    const made = { tr: make("tr", { tabIndex: -1 }, ...cells), cells, keys: [] };
    made.tr.dataset.row = String(index);
    this.lines.set(index, made);
    return made;
  }

  showChosen() {
    const { chosen } = this.sweep;
    for (const [index, { tr }] of this.lines) {
      tr.classList.toggle("vptsp-chosen", index === chosen);
      if (index === chosen) tr.setAttribute("aria-current", "true");
      else tr.removeAttribute("aria-current");
    }
  }

  // --- the keyboard and the pointer -----------------------------------------------------------------
  /** Makes one row the one that Tab reaches. */
  rove(index) {
    const [before, after] = [this.lines.get(this.at), this.lines.get(index)];
    if (before) before.tr.tabIndex = -1;
    this.at = index;
    if (after) after.tr.tabIndex = 0;
  }

  focus() {
    this.lines.get(this.at)?.tr.focus();
  }

  reveal(index) {
    this.lines.get(index)?.tr.scrollIntoView({ block: "nearest" });
  }

  clicked(event) {
    const made = event.target.closest("tr[data-row]");
    if (!made || event.target.closest("a")) return;
    this.rove(Number(made.dataset.row));
    this.choose(this.at);
  }

  entered(event) {
    const made = event.target.closest("tr[data-row]");
    if (made) this.rove(Number(made.dataset.row));
  }

  key(event) {
    if (event.target.tagName === "A") return;
    const place = this.rows.indexOf(this.at);
    const last = this.rows.length - 1;
    const to = { ArrowDown: Math.min(last, place + 1), ArrowUp: Math.max(0, place - 1), Home: 0, End: last, PageDown: Math.min(last, place + 10), PageUp: Math.max(0, place - 10) }[event.key];
    if (to !== undefined && last >= 0) {
      this.rove(this.rows[to]);
      this.focus();
    } else if (event.key === "Enter" && this.at >= 0) this.choose(this.at);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }
}
