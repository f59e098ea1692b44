// A sweep as a live table: one row per job, sorted, filtered, chosen; what it needs of a kernel is to ask it to stop.

import { make } from "../../front/dom.js";
import { onTraits } from "../../front/model.js";
import { presenter } from "../../front/presenter.js";
import { helpPanel, statusLine } from "../../front/status.js";
import { onTheme } from "../../front/theme.js";
import { jobDetail } from "./detail.js";
import { jobFilter } from "./filter.js";
import { sweepHead } from "./head.js";
import { stopButton } from "./stop.js";
import { Sweep } from "./sweep.js";
import { JobTable } from "./table.js";
/** @import { Message } from "../../front/model.js" */

/** @type {[key: string, what: string][]} */
const HELP = [
  ["↑ ↓, Page ↑ ↓, Home, End", "move among the jobs"],
  ["Enter, click", "choose the job: all its parameters, its whole error, its files; linked views follow"],
  ["Esc", "choose none"],
  ["Enter on a heading", "sort by it; again: the other way round; again: the plan's order"],
  ["a state, for example done", "show only its jobs; again: all"],
  ["★", "the best of all jobs by validation so far; test values never decide"],
  ["Stop", "asks, then: running jobs write a checkpoint and end, waiting ones do not start"],
  ["?", "this list"],
];

export default {
  render({ model, el }) {
    const sweep = new Sweep(model);
    const status = statusLine(model);
    const stop = stopButton(sweep, status.say);
    const head = sweepHead(sweep, (index) => {
      choose(index);
      table.show();
      table.reveal(index);
    });
    const filter = jobFilter(sweep, () => table.restart());
    const table = new JobTable(sweep, filter, choose);
    const detail = jobDetail(sweep, () => choose(-1));
    const help = helpPanel(HELP);
    const helpButton = make("button", { type: "button", "aria-label": "keys and buttons", title: "keys and buttons (?)", onclick: help.toggle }, "?");
    const root = make(
      "div", { className: "vptsp vptsp-board" },
      make("div", { className: "vptsp-head" }, head.name, head.phase, make("span", { className: "vptsp-ends" }, sweep.live ? stop.button : null, helpButton, presenter().button)),
      help.table, stop.confirmation, head.bar, head.facts, head.bests, head.hint, filter.element, table.element, table.more, detail.element, status.line,
    );

    function choose(index) {
      sweep.choose(index);
      status.say(index >= 0 ? `${sweep.job(index).title} is chosen` : "no job is chosen");
      table.showChosen();
      detail.show();
    }

    function showHead() {
      const known = Boolean(sweep.head.counts);
      for (const part of [head.phase, head.bar, filter.element, table.element, stop.button]) part.hidden = !known;
      if (known) {
        head.show();
        stop.show();
        filter.show();
      } else head.name.textContent = model.get("folder") ?? "";
    }

    function show() {
      showHead();
      table.show();
      detail.show();
    }

    root.addEventListener("keydown", (event) => {
      if (event.target === filter.input) return;
      if (event.key === "?") help.toggle();
      else if (event.key === "Escape") {
        if (!stop.confirmation.hidden) stop.confirm(false);
        else if (sweep.chosen >= 0) {
          if (detail.element.contains(document.activeElement)) table.focus();
          choose(-1);
        } else return;
        event.stopPropagation();
      }
    });
    /** @param {Message} message */
    const answered = (message) => {
      if (message.kind !== "answered") return;
      status.say(model.get("status") || "");
      showHead();
    };
    let pending = 0; // the traits of one look arrive one after the other
    const showSoon = () => {
      pending ||= setTimeout(() => {
        pending = 0;
        show();
      });
    };
    model.on("msg:custom", answered);
    const ends = [
      onTraits(model, { _rows: showSoon, _running: showSoon, _head: showSoon, _chosen: showSoon }),
      onTheme(root), status.end, () => model.off("msg:custom", answered), () => clearTimeout(pending),
    ];
    el.append(root);
    show();
    return () => {
      ends.forEach((end) => end());
      root.remove();
    };
  },
};
