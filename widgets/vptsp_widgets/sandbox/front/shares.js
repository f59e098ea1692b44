// The loss now: its total, its curve over the steps of descent, and the share of every class.

import { make, svg } from "../../front/dom.js";
import { total } from "../../front/numbers.js";
import { count } from "../../front/text.js";
import { same } from "./experiment.js";
import { LETTERS, digits, percent } from "./svg_parts.js";
/** @import { Result } from "./losses.js" */

export class Shares {
  /** @type {any[] | undefined} */ key;

  constructor() {
    this.number = make("b", {});
    this.curve = svg("path", {});
    this.curveText = make("span", {});
    this.bars = make("table", { className: "vptsp-sb-bars vptsp-fold" });
    this.element = make("fieldset", { "aria-label": "loss now" },
      make("div", { className: "vptsp-sb-total" }, make("div", {}, make("span", {}, "total loss"), this.number),
        make("div", { className: "vptsp-sb-curve" },
          svg("svg", { viewBox: "0 0 200 38", preserveAspectRatio: "none", "aria-hidden": "true" }, svg("line", { x1: 0, x2: 200, y1: 37, y2: 37 }), this.curve),
          this.curveText)),
      this.bars);
  }

  /**
   * `losses` are those over the steps of descent.
   * @param {Result} result
   */
  show({ loss, pull, push }, losses, names) {
    this.number.textContent = digits(loss, 4);
    this.drawCurve(losses);
    const key = [push === null, names];
    if (!same(key, this.key)) {
      this.key = structuredClone(key);
      this.renewBars(push !== null, names);
    }
    this.drawBars(push ? [pull, push] : [pull], loss || 1);
  }

  drawCurve(values) {
    const steps = values.length - 1;
    this.curveText.textContent = steps > 0
      ? `${count(steps)} step${steps > 1 ? "s" : ""}: ${digits(values[0])} → ${digits(values[steps])}` : "loss over the steps of descent";
    const most = Math.max(...values, 1e-12);
    this.curve.setAttribute("d", steps > 0 ? "M" + values.map((value, k) => `${((200 * k) / steps).toFixed(1)} ${(37 - (34 * value) / most).toFixed(1)}`).join("L") : "");
  }

  renewBars(parted, names) {
    const heads = parted ? { pull: "terms that pull own samples and proxy together", push: "terms that push others apart" }
      : { "softmax term": "one term per sample, in which pull and push weigh the same" };
    const cell = () => make("td", {}, make("div", {}, make("i", {}), make("span", {})));
    this.bars.replaceChildren(
      make("thead", {}, make("tr", {}, make("th", { scope: "col" }, "share of the loss"), ...Object.entries(heads).map(([text, title]) => make("th", { scope: "col", title }, text)))),
      make("tbody", {}, ...names.map((name, c) => {
        const row = make("tr", {}, make("th", { scope: "row", title: name }, make("span", { className: "vptsp-sb-chip" }, LETTERS[c]), name), ...Object.keys(heads).map(cell));
        row.style.setProperty("--c", `var(--c${c})`);
        return row;
      })),
      make("tfoot", {}, make("tr", {}, make("th", { scope: "row" }, "all classes"), ...Object.keys(heads).map(() => make("td", {}, make("div", {}, make("i", { style: { visibility: "hidden" } }), make("span", {})))))));
  }

  drawBars(columns, whole) {
    const most = Math.max(...columns.flat(), 1e-12);
    [...this.bars.tBodies[0].rows].forEach((row, c) => columns.forEach((values, k) => {
      const [bar, text] = /** @type {NodeListOf<HTMLElement>} */ (row.cells[k + 1].querySelectorAll("div > *"));
      bar.style.setProperty("--share", `${(100 * values[c]) / most}%`);
      text.textContent = percent(values[c] / whole);
      row.cells[k + 1].title = digits(values[c], 4);
    }));
    const totals = this.bars.querySelectorAll("tfoot td span");
    columns.forEach((values, k) => (totals[k].textContent = percent(total(values) / whole)));
  }
}
