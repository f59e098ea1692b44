// The marked runs beside each other: the settings in which they differ, their results, and what is the same.

import { make } from "../../front/dom.js";
import { COLUMNS, cellText } from "./columns.js";
/** @import { Model } from "../../front/model.js" */

/** @typedef {{ name: string, texts: string[], differs: boolean }} Entry - a line with a text for each run */

/** @returns {Entry} */
const entry = (name, texts) => ({ name, texts, differs: new Set(texts).size > 1 });

/**
 * `show(rows)` opens it for these runs; `hide` closes it, and so does its button, which calls `closed` as well.
 * @param {Model} model
 * @param {() => void} closed
 */
export function comparisonOf(model, closed) {
  const element = make("section", { className: "vptsp-comparison", hidden: true, tabIndex: -1, "aria-label": "comparison of the marked runs" });

  function hide() {
    element.hidden = true;
    element.replaceChildren();
  }

  /** @param {number[]} marked */
  function show(marked) {
    const runs = model.get("_rows");
    const { names = [], values = [], same = [] } = model.get("_settings") ?? {};
    const chosen = marked.filter((row) => runs[row]);
    const results = COLUMNS.slice(1).filter(([key]) => !["method", "dataset"].includes(key)).map((column) => entry(column[1], chosen.map((row) => cellText(runs[row], column))));
    const settings = names.map((name, index) => entry(name, chosen.map((row) => values[row]?.[index] ?? "–")));
    const alike = [...settings.filter((setting) => !setting.differs).map(({ name, texts }) => [name, texts[0]]), ...same];
    const close = () => {
      hide();
      closed();
    };
    const button = make("button", { type: "button", onclick: close }, "Close");
    element.replaceChildren(
      make("div", { className: "vptsp-bar" }, make("strong", {}, `${chosen.length} runs compared`), make("span", { className: "vptsp-ends" }, button)),
      make("div", { className: "vptsp-scroll" }, tableOf(chosen.map((row) => runs[row].name), settings.filter(({ differs }) => differs), results)),
      ...(alike.length ? [listOf(alike)] : []),
    );
    element.hidden = false;
    element.scrollIntoView({ block: "nearest" });
  }

  return { element, show, hide };
}

/**
 * @param {string[]} names - of the runs
 * @param {Entry[]} differing
 * @param {Entry[]} results
 */
function tableOf(names, differing, results) {
  const line = (/** @type {Entry} */ { name, texts, differs }) => make("tr", { className: differs ? "vptsp-differs" : "" }, make("th", { scope: "row" }, name), ...texts.map((text) => make("td", {}, text)));
  const part = (/** @type {string} */ title, /** @type {Entry[]} */ entries) => [make("tr", { className: "vptsp-part" }, make("th", { colSpan: names.length + 1, scope: "colgroup" }, title)), ...entries.map(line)];
  const head = make("tr", {}, make("td"), ...names.map((name) => make("th", { scope: "col", className: "vptsp-name" }, name)));
  const none = [entry("", names.map(() => ""))];
  const settings = part(differing.length ? "settings that differ" : "no setting differs", differing.length ? differing : none);
  return make("table", { className: "vptsp-compared" }, make("thead", {}, head), make("tbody", {}, ...settings, ...part("results", results)));
}

/** @param {[name: string, text: string][]} alike */
function listOf(alike) {
  const lines = alike.map(([name, text]) => make("tr", {}, make("th", { scope: "row" }, name), make("td", {}, text)));
  return make("details", {}, make("summary", {}, `${alike.length} settings are the same`), make("table", { className: "vptsp-compared" }, ...lines));
}
