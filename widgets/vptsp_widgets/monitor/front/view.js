// A run watched while it trains: state, progress, curves, confused classes, and buttons to stop and resume it.

import { make } from "../../front/dom.js";
import { onTraits } from "../../front/model.js";
import { presenter } from "../../front/presenter.js";
import { helpPanel, statusLine } from "../../front/status.js";
import { onTheme } from "../../front/theme.js";
import { confusedClasses } from "./confused.js";
import { runCurves } from "./curves.js";
import { runHead } from "./head.js";
/** @import { Message } from "../../front/model.js" */

/** @type {[key: string, what: string][]} */
const HELP = [
  ["← →, Home, End", "in a curve: read single epochs"],
  ["Esc", "back to the latest epoch"],
  ["Stop", "the run ends after its current step, saves itself and can be resumed"],
  ["Resume", "a new process goes on with the run; it outlives this notebook"],
  ["?", "this list"],
];

export default {
  render({ model, el }) {
    const status = statusLine(model);
    const help = helpPanel(HELP);
    const helper = make("button", { type: "button", "aria-label": "keys and buttons", title: "keys and buttons (?)", onclick: help.toggle }, "?");
    const head = runHead(model, status.say, [helper, presenter().button]);
    const curves = runCurves(model);
    const confused = confusedClasses(model);
    const none = make("div", { className: "vptsp-none", hidden: true }, "No run is watched: choose one in a linked RunPicker, or set run to a run directory.");
    const body = make("div", {}, head.bar, head.facts, head.trouble, curves.element, confused.element);
    const root = make("div", { className: "vptsp vptsp-monitor" }, head.element, help.table, none, body, status.line);

    function showHead() {
      none.hidden = head.known();
      body.hidden = !head.known();
      head.show();
    }

    function showNow() {
      showHead();
      curves.show();
    }

    root.addEventListener("keydown", (event) => {
      const { tagName } = /** @type {HTMLElement} */ (event.target);
      if (event.key === "?" && !["INPUT", "SELECT"].includes(tagName)) help.toggle();
    });
    /** @param {Message} message */
    const answered = (message) => {
      if (message.kind !== "answered") return;
      status.say(model.get("status") || "");
      showHead();
    };
    model.on("msg:custom", answered);
    const ends = [
      onTraits(model, { _now: showNow, _curves: curves.show, _confused: confused.show }),
      onTheme(root), status.end, curves.close, () => model.off("msg:custom", answered),
    ];
    el.append(root);
    showNow();
    confused.show();
    return () => {
      ends.forEach((end) => end());
      root.remove();
    };
  },
};
