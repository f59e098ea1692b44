// Selections with a name, kept with the run: chosen again, united with the selection, met with it, taken from it.

import { make } from "../../front/dom.js";
import { count } from "../../front/text.js";
import { images } from "./cloud.js";
import { wordForm } from "./word_form.js";
/** @import { Model } from "../../front/model.js" */
/** @import { History } from "./history.js" */

/** @typedef {{ name: string, shown: string, rows: number[], gone: string }} Kept - `gone` says which of its images are not here */

/** @type {Record<string, (now: Set<number>, kept: Set<number>) => number[]>} */
const JOINED = {
  choose: (_, kept) => [...kept],
  unite: (now, kept) => [...new Set([...now, ...kept])],
  meet: (now, kept) => [...now].filter((row) => kept.has(row)),
  subtract: (now, kept) => [...now].filter((row) => !kept.has(row)),
};

export class KeptSelections {
  /** @type {number[]} */ rows = []; // selected now

  /**
   * `select(rows)` is called with rows in ascending order.
   * @param {{ model: Model, history: History, select: (rows: number[]) => void, say: (text: string) => void }} parent
   */
  constructor({ model, history, select, say }) {
    this.model = model;
    this.history = history;
    this.select = select;
    this.say = say;
    this.name = make("input", { type: "text", placeholder: "name", autocomplete: "off", "aria-label": "Name to keep the selection under" });
    this.form = wordForm(this.name, "Keep", (word) => {
      this.keep(word, this.rows);
      this.name.value = "";
    });
    this.list = make("ul", { className: "vptsp-space-keptlist", "aria-label": "Kept selections" });
    this.title = make("summary", {});
    this.element = make("details", { className: "vptsp-space-kept" }, this.title, this.form, this.list);
  }

  /** @returns {Kept[]} */
  get kept() {
    return this.model.get("_kept") ?? [];
  }

  /** @param {number[]} rows - selected */
  show(rows) {
    this.rows = rows;
    const live = this.model.live !== false;
    this.element.hidden = !this.kept.length && !(rows.length && live);
    this.form.hidden = !rows.length || !live;
    this.title.textContent = this.kept.length ? `Kept selections (${this.kept.length})` : "Keep this selection";
    this.list.replaceChildren(...this.kept.map((one) => this.entry(one, live)));
  }

  /**
   * @param {Kept} one
   * @param {boolean} live
   */
  entry(one, live) {
    const button = (text, label, act, className = "") =>
      make("button", { type: "button", title: label, "aria-label": label, className, onclick: act }, text);
    const join = (how) => () => this.join(one, how);
    const some = this.rows.length > 0;
    return make("li", {},
      button(one.shown, `Select ${one.shown}`, join("choose"), "vptsp-space-keptname"),
      make("small", {}, count(one.rows.length)),
      some ? button("∪", `Unite the selection with ${one.shown}`, join("unite")) : null,
      some ? button("∩", `Leave what is in ${one.shown} as well`, join("meet")) : null,
      some ? button("−", `Take ${one.shown} from the selection`, join("subtract")) : null,
      live ? button("×", `Forget ${one.shown}`, () => this.keep(one.name, [], one.rows)) : null);
  }

  /**
   * @param {Kept} one
   * @param {string} how
   */
  join(one, how) {
    const rows = JOINED[how](new Set(this.rows), new Set(one.rows)).sort((first, second) => first - second);
    this.select(rows);
    this.say([rows.length ? `${images(rows.length)} selected` : "nothing selected", one.gone].filter(Boolean).join("; "));
  }

  /**
   * Keeps rows under a name; none: forgets it.
   * @param {string} name
   * @param {number[]} rows
   * @param {number[]} [before] - what was kept under it
   */
  keep(name, rows, before = this.kept.find((one) => one.name === name)?.rows ?? []) {
    if (!name) return this.say("type a name to keep the selection under");
    const send = (/** @type {number[]} */ kept) => this.model.send({ kind: "keep", name, rows: kept });
    const what = rows.length ? `${images(rows.length)} kept as ${name}` : `${name} forgotten`;
    const undo = rows.length ? () => send(before) : () => this.model.send({ kind: "keep", name, rows: before, restore: true });
    this.history.did({ what, undo, redo: () => send(rows) });
    send(rows);
    this.say(what);
  }
}
