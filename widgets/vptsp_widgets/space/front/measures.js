// What the selection is worth in retrieval: of exactly these queries, beside all others, and what if it were not so.

import { make } from "../../front/dom.js";
import { sameItems } from "../../front/lists.js";
import { count } from "../../front/text.js";
import { intervalPlot } from "./interval.js";
import { images } from "./cloud.js";
/** @import { Model } from "../../front/model.js" */
/** @import { Cloud } from "./cloud.js" */

/** @typedef {[value: number, low: number, high: number]} Interval */
/** @typedef {{ name: string, here: Interval, rest: number | null, difference: Interval | null }} Compared */
/** @typedef {{ name: string, before: number, after: number, change: Interval }} Changed */
/** @typedef {Compared & Changed} Metric - one or the other, by the question */
/** @typedef {{ turn: number, question: string, error?: string, metrics?: Metric[], [more: string]: any }} Answer */

const NAMES = { map_at_r: "MAP@R", r_precision: "R-precision" };
const nameOf = (/** @type {string} */ name) => NAMES[name] ?? name.replace("recall_at_", "Recall@");
const AT_FIRST = ["recall_at_1", "map_at_r", "r_precision"];
const share = (/** @type {number} */ value) => value.toFixed(3);
const signed = (/** @type {number} */ value) => (Number(share(value)) === 0 ? "±" : value > 0 ? "+" : "−") + share(Math.abs(value));
const queries = (/** @type {number} */ number) => `${count(number)} quer${number === 1 ? "y" : "ies"}`;

/** A fold below the selection; it asks when it is open, and again for each selection. */
export class MeasurePanel {
  turn = 0; // of the question asked last
  /** @type {number[]} */ rows = [];
  /** @type {Answer | null} */ answer = null;
  asked = ""; // the question that is waited for

  /**
   * @param {Model} model
   * @param {() => Cloud} cloud
   */
  constructor(model, cloud) {
    this.model = model;
    this.cloud = cloud;
    this.every = false; // whether all metrics are shown
    this.body = make("div", {});
    this.fold = make("details", { ontoggle: () => this.fold.open && this.askAgain() },
      make("summary", {}, "Retrieval of these"), this.body);
    this.element = make("div", { className: "vptsp-space-measures", hidden: true }, this.fold);
    this.hear = (/** @type {any} */ message) => message.kind === "measured" && this.take(message);
    model.on("msg:custom", this.hear);
  }

  /** @param {number[]} rows - selected */
  show(rows) {
    if (rows.length && sameItems(rows, this.rows)) return;
    this.rows = rows;
    this.element.hidden = !rows.length || !this.offered;
    this.answer = null;
    if (!this.element.hidden && this.fold.open) this.askAgain();
  }

  /** Whether there is somebody to answer: a kernel, or what a page holds. */
  get offered() {
    return this.cloud().classes.length > 1 && (this.model.live !== false || Boolean(this.model.get("_query_names")));
  }

  askAgain() {
    if (this.rows.length && !this.answer) this.ask("these");
  }

  /** @param {string} question */
  ask(question) {
    this.turn += 1;
    this.asked = question;
    this.draw();
    this.model.send({ kind: "measure", question, turn: this.turn, rows: this.rows });
  }

  /** @param {Answer} answer */
  take(answer) {
    if (answer.turn !== this.turn) return; // of a selection before
    this.answer = answer;
    this.asked = "";
    this.draw();
  }

  draw() {
    const { answer } = this;
    const focused = [...this.body.querySelectorAll("button")].indexOf(/** @type {HTMLButtonElement} */ (document.activeElement));
    const parts = this.asked ? [make("p", { className: "vptsp-space-hint" }, "measuring …")]
      : !answer ? [] : answer.error ? [make("p", { role: "alert" }, answer.error)] : [this.table(answer), this.about(answer)];
    this.body.replaceChildren(...parts, this.questions());
    this.body.setAttribute("aria-busy", String(Boolean(this.asked)));
    this.body.querySelectorAll("button")[focused]?.focus({ preventScroll: true });
  }

  /** @param {Answer} answer */
  table(answer) {
    const whatIf = answer.question !== "these";
    const shown = (answer.metrics ?? []).filter(({ name }) => this.every || AT_FIRST.includes(name));
    const cell = (text, title = "") => make("td", { title }, text);
    const widest = Math.max(...shown.map(({ difference, change }) => Math.max(...(difference ?? change ?? [0]).map(Math.abs))), 0.02);
    const rows = shown.map((metric) => {
      const apart = whatIf ? metric.change : metric.difference;
      const first = whatIf ? cell(share(metric.before)) : cell(share(metric.here[0]), rangeOf(metric.here, share));
      const second = whatIf ? cell(share(metric.after)) : cell(metric.rest === null ? "–" : share(metric.rest));
      const third = apart ? make("td", { title: rangeOf(apart, signed) }, signed(apart[0]), intervalPlot(apart, widest)) : cell("–");
      return make("tr", {}, make("th", { scope: "row" }, nameOf(metric.name)), first, second, third);
    });
    const head = whatIf ? ["now", answer.question === "without" ? "without" : "merged", "change"] : ["these", "rest", "difference"];
    return make("table", {},
      make("thead", {}, make("tr", {}, make("td"), ...head.map((text) => make("th", { scope: "col" }, text)))),
      make("tbody", {}, ...rows));
  }

  /** What the numbers rest on. @param {Answer} answer */
  about(answer) {
    const over = answer.unit === "classes" ? "over classes" : "over queries";
    const bar = `Bars: 95 % ${over}.`;
    if (answer.question !== "these") {
      const all = `${queries(answer.scored_before)} now, ${count(answer.scored_after)} then`;
      return make("p", { className: "vptsp-space-hint" }, `${all}; the change is that of the ${count(answer.shared)} scored in both. ${bar}`);
    }
    const odd = [
      answer.not_queries ? `${count(answer.not_queries)} are no queries` : "",
      answer.lone ? `${count(answer.lone)} have nothing to find` : "",
    ].filter(Boolean);
    const said = `${queries(answer.scored)} of ${images(answer.images)}${odd.length ? ` (${odd.join(", ")})` : ""}, ${count(answer.rest_scored)} in the rest.`;
    return make("p", { className: "vptsp-space-hint" }, `${said} ${bar}`);
  }

  questions() {
    const button = (text, title, act, on = false) => {
      const made = make("button", { type: "button", title, onclick: act }, text);
      made.setAttribute("aria-pressed", String(on));
      return made;
    };
    const asked = this.asked || this.answer?.question;
    const codes = new Set(this.rows.map((row) => this.cloud().codes[row]));
    const made = [];
    if (this.model.live !== false) {
      made.push(button("These", "The queries selected, beside all others", () => this.ask("these"), asked === "these"));
      made.push(button("Without them", "What it would be if these images were not there", () => this.ask("without"), asked === "without"));
      if (codes.size > 1) made.push(button(`Merge ${count(codes.size)} classes`, "What it would be if their classes were one", () => this.ask("merged"), asked === "merged"));
    }
    if ((this.answer?.metrics?.length ?? 0) > AT_FIRST.length) {
      made.push(button(this.every ? "Fewer" : "All metrics", "", () => {
        this.every = !this.every;
        this.draw();
      }));
    }
    return make("div", { className: "vptsp-space-acts" }, ...made);
  }

  close() {
    this.model.off("msg:custom", this.hear);
  }
}

/** @param {Interval} interval */
const rangeOf = ([, low, high], text) => `95 %: ${text(low)} to ${text(high)}`;
