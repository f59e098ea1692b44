// The numbers at the threshold as a sentence and a table in words, and those of other thresholds.

import { make } from "../../front/dom.js";
import { count } from "../../front/text.js";
import { percent, round, said } from "./words.js";
/** @import { Measured } from "./measured.js" */

/** @param {(edge: number) => void} move */
export function numbers(move) {
  const sentence = make("p", { className: "vv-sentence", "aria-live": "polite" });
  const rows = make("tbody");
  const others = make("tbody");
  const area = make("p");
  const tables = make(
    "div", { className: "vv-numbers vptsp-fold" },
    make("div", {}, make("table", { "aria-label": "numbers at the threshold" }, rows)),
    make("div", {}, make("table", { "aria-label": "other thresholds" },
      make("thead", {}, row("th", ["accepted at", "cosine", "same class", "others"])), others), area),
  );

  /** @param {Measured} measured */
  function show(measured, edge, about) {
    const at = measured.at(edge);
    sentence.textContent = `At ${at.threshold.toFixed(3)}, the threshold ${said(at)}.`;
    const of = (/** @type {number} */ kind, /** @type {number} */ some) => `${count(some)} of ${count(at.total[kind])}`;
    const all = at.accepted[0] + at.accepted[1];
    rows.replaceChildren(...[
      ["same class, accepted", percent(at.tar), of(0, at.accepted[0]), "true accept rate, recall"],
      ["same class, rejected", percent(at.frr), of(0, at.total[0] - at.accepted[0]), "false reject rate"],
      ["other classes, accepted", percent(at.far), of(1, at.accepted[1]), "false accept rate"],
      ["of the accepted, same class", at.precision === null ? "none accepted" : percent(at.precision), all ? `${count(at.accepted[0])} of ${count(all)}` : "", "precision"],
      ["right answers", percent(at.accuracy), "kinds weighed alike", "accuracy"],
    ].map((cells) => row("td", cells)));
    others.replaceChildren(line(measured, "equal error", about.equal_edge), ...about.false_accepts.map(([rate, place]) => line(measured, `${round(rate)} false accepts`, place)));
    area.textContent = `Area under the ROC: ${about.auc.toFixed(4)}`;
  }

  /** @param {Measured} measured */
  function line(measured, name, edge) {
    if (edge === null) return row("td", [name, "too few pairs", "", ""]);
    const at = measured.at(edge);
    const go = make("button", { type: "button", onclick: () => move(edge), title: "set the threshold there" }, at.threshold.toFixed(3));
    return row("td", [name, go, percent(at.tar), percent(at.far)]);
  }

  return { sentence, tables, show };
}

/**
 * @param {"td" | "th"} tag
 * @param {(Node | string)[]} cells - the first names the row
 */
function row(tag, cells) {
  return make("tr", {}, ...cells.map((cell, column) => (tag === "td" && column ? make("td", {}, cell) : make("th", { scope: tag === "th" ? "col" : "row" }, cell))));
}
