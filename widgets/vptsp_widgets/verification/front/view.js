// How similar pairs of one class are, and others: histograms, a threshold to be moved, its numbers and its mistakes.

import { typed } from "../../front/bytes.js";
import { make } from "../../front/dom.js";
import { onTraits } from "../../front/model.js";
import { presenter } from "../../front/presenter.js";
import { helpPanel, statusLine } from "../../front/status.js";
import { count } from "../../front/text.js";
import { onTheme } from "../../front/theme.js";
import { debounced } from "../../front/timing.js";
import { histogram } from "./histogram.js";
import { Measured } from "./measured.js";
import { mistakes } from "./mistakes.js";
import { numbers } from "./numbers.js";
import { KINDS, round } from "./words.js";

const REST = 200; // ms without a move after which Python hears of the threshold
/** @type {[key: string, what: string][]} */
const HELP = [
  ["← → on the line", "move the threshold by 0.005; with Shift by the width of a bin"],
  ["Page Up, Page Down", "by 0.05; Home and End: to the ends of the axis"],
  ["a click or a drag", "bring it to the pointer"],
  ["Enter on an image", "focus that image and select both of its pair, here and in linked views"],
  ["?", "these keys"],
];

export default {
  render({ model, el }) {
    /** @type {Measured} */
    let measured;
    const status = statusLine(model);
    const tell = debounced(() => model.save_changes(), REST);
    const edge = () => measured.edge(model.get("threshold"));
    function move(to) {
      if (to === edge()) return;
      model.set("threshold", measured.cosine(to));
      tell();
    }

    const title = make("b", { className: "vv-title", dir: "auto" });
    const buttons = make("span", { className: "vv-buttons", role: "group", "aria-label": "set the threshold" });
    const log = make("input", { type: "checkbox", onchange: () => {
      model.set("log", log.checked);
      model.save_changes();
    } });
    const help = helpPanel(HELP);
    /** @type {[name: string, edge: number][]} */
    let marks = [];
    const present = presenter({
      count: () => marks.length, at: () => marks.findIndex(([, place]) => place === edge()), go: (at) => move(marks[at][1]), title: (at) => marks[at][0],
    });
    const notes = make("div", { className: "vv-notes" });
    const legend = make("div", { className: "vv-legend" });
    const plot = histogram(move);
    const told = numbers(move);
    const wrong = mistakes(model, status.say);
    const root = make(
      "div", { className: "vptsp vptsp-verification vv", role: "group", "aria-label": "similarities of pairs" },
      make("div", { className: "vptsp-bar" }, title, buttons, make("label", {}, log, "counts in powers of ten"), make("span", { className: "vv-grow" }), help.button, present.button),
      help.table, notes, legend, plot.element, told.sentence, told.tables, wrong.element, status.line,
    );
    help.listen(root);
    el.append(root);

    function start() {
      const about = model.get("_about");
      measured = new Measured(typed(Float64Array, model.get("_genuine")), typed(Float64Array, model.get("_impostors")));
      title.textContent = `Similarities of pairs of ${about.name}`;
      notes.replaceChildren(...about.notes.map((note) => make("div", {}, note)));
      marks = [["equal error", about.equal_edge], ...about.false_accepts.filter(([, place]) => place !== null).map(([rate, place]) => [`${round(rate)} false accepts`, place])];
      const [rate, one] = about.false_accepts[0]; // the others are in the table
      buttons.replaceChildren(
        make("button", { type: "button", onclick: () => move(about.equal_edge) }, "equal error"),
        make("button", { type: "button", disabled: one === null, title: one === null ? "too few pairs of other classes" : "", onclick: () => move(one) }, `${round(rate)} false accepts`),
      );
      legend.replaceChildren(
        ...KINDS.map((name, kind) => make("span", {}, make("i", { className: kind ? "vv-is-impostor" : "vv-is-genuine" }), `${name} (${count(measured.totals[kind])} pairs)`)),
        make("span", {}, "filled: on the wrong side of the threshold"),
      );
      show();
    }

    function draw() {
      plot.show(measured, edge(), model.get("log"), model.get("_about"));
    }

    function show() {
      log.checked = model.get("log");
      draw();
      told.show(measured, edge(), model.get("_about"));
      wrong.show(measured, edge());
      present.show();
    }

    const sizes = new ResizeObserver(draw);
    sizes.observe(plot.element);
    const ends = [
      onTheme(root),
      onTraits(model, { _about: start, _genuine: start, _impostors: start, threshold: show, log: show, order: show, _near: show, _worst: show, _focused: wrong.mark }),
      status.end, wrong.close, () => sizes.disconnect(),
    ];
    start();
    return () => {
      ends.forEach((end) => end());
      root.remove();
    };
  },
};
