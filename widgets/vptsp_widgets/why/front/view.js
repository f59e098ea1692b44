// Query and neighbour with attention over both, and what single prompts do to their similarity.

import { make } from "../../front/dom.js";
import { onTraits } from "../../front/model.js";
import { presenter } from "../../front/presenter.js";
import { helpPanel, statusLine } from "../../front/status.js";
import { onTheme } from "../../front/theme.js";
import { pairControls } from "./controls.js";
import { effectGrid } from "./grid.js";
import { numbersOf, percent } from "./numbers.js";
import { Requests } from "./requests.js";
import { sideView } from "./side.js";

/** @type {[key: string, what: string][]} */
const HELP = [
  ["Tab", "next control, image or grid"],
  ["arrows on an image", "read the attention patch by patch"],
  ["arrows in the grid", "read the effect of each prompt"],
  ["Enter in the grid", "show the attention of that block, mark that prompt"],
  ["Esc", "no prompt marked"],
  ["?", "these keys"],
];

/** The largest value of several lists. */
const top = (/** @type {Float64Array[]} */ lists) => lists.reduce((most, list) => list.reduce((a, b) => Math.max(a, b), most), 0);

export default {
  render({ model, el }) {
    let marked = -1; // a prompt
    const status = statusLine(model);
    const readout = make("div", { className: "vptsp-why-readout", "aria-live": "polite" });
    const say = (text) => (readout.textContent = text);
    const headName = () => (model.get("head") < 0 ? "mean of the heads" : `head ${model.get("head") + 1}`);
    const where = () => `block ${model.get("block") + 1}, ${headName()}`;
    const sides = ["query", "neighbour"].map((role) => sideView(role, say, where));
    const put = (name, value) => {
      model.set(name, value);
      model.save_changes();
    };
    const requests = new Requests(model, (waiting, text) => {
      if (waiting) root.setAttribute("aria-busy", "true");
      else root.removeAttribute("aria-busy");
      status.say(text);
    });
    const controls = pairControls(model, { put, want: (wish) => requests.want(wish) });
    const grid = effectGrid((block, prompt) => {
      marked = prompt;
      put("block", Math.min(block, model.get("_pair").shape.blocks - 1));
      draw();
    }, say);

    const help = helpPanel(HELP);
    const present = presenter({
      count: () => numbersOf(model).blocks, at: () => model.get("block"),
      go: (at) => (put("block", at), draw()), title: (at) => `block ${at + 1}`,
    });
    const similarity = make("div", { className: "vptsp-why-similarity" });
    const without = make("p", { className: "vptsp-why-without" });
    const effects = make("div", {}, make("div", { className: "vptsp-why-title" }, "Change of the similarity when one prompt is switched off"), grid.table, grid.scale);
    const panel = make("section", { className: "vptsp-why-effects", "aria-label": "effects of the prompts" }, similarity, effects, without, readout);
    const legend = make("div", { className: "vptsp-why-legend" });
    const root = make(
      "div", { className: "vptsp vptsp-why", role: "group", "aria-label": "why is this a neighbour" },
      make("div", { className: "vptsp-bar" }, ...controls.elements, help.button, present.button), help.table,
      make("div", { className: "vptsp-why-stage" }, sides[0].root, sides[1].root, panel), legend, status.line,
    );
    root.addEventListener("keydown", (event) => {
      if (event.key === "?") help.toggle();
      else if (event.key === "Escape") {
        marked = -1;
        draw();
      } else return;
      event.stopPropagation();
    });

    function draw() {
      const numbers = numbersOf(model);
      const { pair } = numbers;
      const at = Math.min(model.get("block"), numbers.blocks - 1);
      const head = Math.min(model.get("head"), numbers.heads - 1);
      const shares = sides.map((_, side) => ({ patches: numbers.patches(side, at, head), prompts: numbers.prompts(side, at, head) }));
      const most = { patch: top(shares.map(({ patches }) => patches)), prompt: top(shares.map(({ prompts }) => prompts)) };
      sides.forEach((side, index) => side.show(shares[index], most, pair.shape, model.get("opacity"), marked, pair.visual?.[at]));
      const looker = pair.shape.pooled === "CLS" ? "of CLS" : "of all patches";
      legend.textContent = `Attention ${looker} in ${where()}: darkest where a patch gets none of it, clear where it gets ${percent(most.patch)}, on a square-root scale that both images share.`;
      controls.show(at, head, numbers.blocks);
      effects.hidden = Boolean(pair.without);
      without.hidden = !pair.without;
      without.textContent = pair.without;
      if (!pair.without) grid.show(numbers.effects, pair.effect_rows, pair.prompts, at, marked, pair.full ?? 0, pair.speaks, pair.visual);
    }

    function showPair() {
      const pair = model.get("_pair");
      if (!requests.answers(pair)) return;
      const chosen = pair.candidates.find((one) => one.row === pair.neighbour);
      sides[0].title(pair.query, false);
      sides[1].title(chosen, true);
      sides[0].load(model.get("_query_picture"));
      sides[1].load(model.get("_neighbour_picture"));
      similarity.replaceChildren("cosine similarity ", make("b", {}, pair.similarity.toFixed(3)), chosen.rank ? `, rank ${chosen.rank}` : "");
      controls.offer(pair);
      draw();
      requests.effects(pair);
    }

    /** Another view of a page without a kernel has another image in focus. */
    function focusCame() {
      const other = model.live === false && model.get("_focused") >= 0 && model.get("_focused") !== model.get("_pair").query.row;
      status.say(other ? "This page holds one pair; why another image is near takes a kernel: run Workbench(run) in a notebook." : model.get("status") || "");
    }

    const ends = [
      onTraits(model, { _focused: () => model.live === false && focusCame(), _pair: showPair, _effects: draw, block: draw, head: draw, opacity: draw }),
      onTheme(root), status.end, () => requests.close(), ...sides.map((side) => side.close),
    ];
    showPair();
    el.append(root);
    return () => {
      ends.forEach((end) => end());
      root.remove();
    };
  },
};
