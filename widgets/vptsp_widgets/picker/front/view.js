// A table of runs: filter, sort, choose one, mark several and compare them.

import { make } from "../../front/dom.js";
import { onTraits } from "../../front/model.js";
import { presenter } from "../../front/presenter.js";
import { helpPanel, statusLine } from "../../front/status.js";
import { count } from "../../front/text.js";
import { onTheme } from "../../front/theme.js";
import { debounced } from "../../front/timing.js";
import { comparisonOf } from "./comparison.js";
import { RunTable } from "./table.js";
/** @import { Message } from "../../front/model.js" */

/** @type {[key: string, what: string][]} */
const HELP = [
  ["↑ ↓, Home, End", "move among the runs"],
  ["Enter, click", "choose the run"],
  ["Space", "mark the run, or take the mark away"],
  ["Esc", "close the comparison, or choose none"],
  ["Enter on a heading", "sort by it; again: the other way round"],
  ["?", "this list"],
];

export default {
  render({ model, el }) {
    const filter = make("input", { type: "search", placeholder: "filter: every word must match", "aria-label": "filter runs; every word must match some column", oninput: debounced(() => {
      table.text = filter.value;
      table.show();
    }, 60) });
    const number = make("span", { className: "vptsp-count", "aria-live": "polite" });
    const refresh = make("button", { type: "button", onclick: reload }, "Refresh");
    const clear = make("button", { type: "button", onclick: () => mark([]) }, "Unmark all");
    const compare = make("button", { type: "button", onclick: () => comparison.show([...table.marked]) }, "Compare");
    const help = helpPanel(HELP);
    const helpButton = make("button", { type: "button", "aria-label": "keys", title: "keys (?)", onclick: help.toggle }, "?");
    const buttons = make("span", { className: "vptsp-ends" }, compare, clear, model.live === false ? null : refresh, helpButton, presenter().button);
    const none = make("div", { className: "vptsp-none", hidden: true });
    const table = new RunTable(model, {
      choose, toggle,
      shown: (some, all) => (number.textContent = all ? `${count(some)} of ${count(all)} runs` : ""),
    });
    const comparison = comparisonOf(model, () => compare.focus());
    const status = statusLine(model);
    const root = make(
      "div", { className: "vptsp vptsp-picker" },
      make("div", { className: "vptsp-bar" }, filter, number, buttons), help.table, none, table.element, comparison.element, status.line,
    );

    function build() {
      const { runs } = table;
      none.textContent = `There are no runs in ${model.get("folder")}. In a terminal, vptsp train makes one, and vptsp demo one in five minutes; in a notebook, vptsp.train(config).`;
      none.hidden = runs.length > 0;
      table.element.hidden = filter.hidden = compare.hidden = clear.hidden = runs.length === 0;
      table.build();
      showMarked();
    }

    function showMarked() {
      const { marked } = table;
      table.showMarked();
      compare.textContent = marked.size ? `Compare ${marked.size} marked` : "Compare";
      compare.disabled = marked.size < 2;
      compare.title = marked.size < 2 ? "mark two or more runs" : "";
      clear.disabled = !marked.size;
      if (comparison.element.hidden) return;
      if (marked.size > 1) comparison.show([...marked]);
      else comparison.hide();
    }

    function choose(row) {
      model.set("_chosen", row);
      model.save_changes();
      const name = row >= 0 ? (table.runs[row] ?? {}).name : "";
      status.say(name ? `${name} is chosen` : "no run is chosen");
    }

    /** @param {Iterable<number>} rows */
    function mark(rows) {
      model.set("_marked", [...rows].sort((a, b) => a - b));
      model.save_changes();
      showMarked();
    }

    function toggle(row) {
      const now = table.marked;
      if (!now.delete(row)) now.add(row);
      mark(now);
    }

    function reload() {
      status.say("waiting for the kernel");
      refresh.disabled = true;
      model.send({ kind: "refresh" });
    }

    root.addEventListener("keydown", (event) => {
      if (event.key === "?" && event.target !== filter) help.toggle();
      else if (event.key === "Escape" && event.target !== filter) {
        if (!comparison.element.hidden) {
          comparison.hide();
          compare.focus();
        } else if (model.get("_chosen") >= 0) choose(-1);
        else return;
        event.stopPropagation();
      }
    });
    /** @param {Message} message */
    const answered = (message) => {
      if (message.kind !== "answered") return;
      refresh.disabled = false;
      status.say(model.get("status") || `${count(table.runs.length)} runs found`);
    };
    model.on("msg:custom", answered);
    const ends = [
      onTraits(model, { _rows: build, folder: build, _chosen: () => table.followChosen(), _marked: showMarked }),
      onTheme(root), status.end, () => model.off("msg:custom", answered),
    ];
    el.append(root);
    build();
    return () => {
      ends.forEach((end) => end());
      root.remove();
    };
  },
};
