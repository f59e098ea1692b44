// The controls: which loss with which numbers, who moves in its descent, and the buttons that make them move.

import { make } from "../../front/dom.js";
import { PROXIES } from "../../front/signs.js";
import { digits } from "./svg_parts.js";
/** @import { State } from "./experiment.js" */

const FORMULAS = { // ^{} raised, _{} lowered
  proxy_anchor: "mean_{c} log(1 + Σ_{x in c} e^{−a (s(x,c) − m)}) + mean_{c} log(1 + Σ_{x not in c} e^{a (s(x,c) + m)})",
  image_anchor: "mean_{x} log(1 + e^{−a (s(x,own) − m)}) + mean_{x} log(1 + Σ_{c not own} e^{a (s(x,c) + m)})",
  proxy_nca: "mean_{x} −log( e^{−a d(x,own)} / Σ_{c} e^{−a d(x,c)} ),  d = 2 − 2s, the squared distance",
  normalized_softmax: "mean_{x} −log( e^{a s(x,own)} / Σ_{c} e^{a s(x,c)} )",
};
const written = (formula) => formula.split(/([\^_]\{.*?\})/).map((part) =>
  part.endsWith("}") ? make(part[0] === "^" ? "sup" : "sub", {}, part.slice(2, -1)) : part);

const controlRow = (label, ...parts) => make("label", { className: "vptsp-sb-row" }, make("span", {}, label), ...parts);

/** A slider with its value; on a scale of powers of `log`, if it is given.
 *
 * Calls `begin()` once before it moves, `move(value)` as it moves and `end()` when it is let go.
 */
function slider(label, [min, max, step], log, { begin, move, end }) {
  const input = make("input", { type: "range", min, max, step });
  const output = make("output", {});
  let moving = false;
  input.addEventListener("input", () => {
    if (!moving) begin();
    moving = true;
    const value = log ? log ** Number(input.value) : Number(input.value);
    move(Number(value.toPrecision(4)));
  });
  input.addEventListener("change", () => {
    moving = false;
    end();
  });
  const show = (value) => {
    if (!moving) input.value = log ? Math.log(value) / Math.log(log) : value;
    output.textContent = digits(value);
    input.setAttribute("aria-valuetext", digits(value));
  };
  return { row: controlRow(label, input, output), show };
}

export class Controls {
  /** `losses` are the titles of the losses by name. What the reader does is called back:
   *
   * `change(parts)` for a choice; `begin()`, `move(parts)` and `end(key, label)` for a slider, whose moves are one
   * change; `play()`, `step()`, `undo()` and `reset()` for the buttons.
   */
  constructor(losses, acts) {
    const choice = (key, options) => {
      const select = make("select", { onchange: () => acts.change({ [key]: select.value }) },
        ...Object.entries(options).map(([value, text]) => make("option", { value }, text)));
      return select;
    };
    const number = (key, label, range, log = 0) => slider(label, range, log, {
      begin: () => acts.begin(), move: (value) => acts.move({ [key]: value }), end: () => acts.end(key, label),
    });
    const button = (text, title, act, className = "") => make("button", { onclick: act, title, className }, text);
    this.loss = choice("loss", losses);
    this.mean = choice("positive_mean", { present: "classes present", all: "all classes" });
    this.meanRow = controlRow("positive mean", this.mean);
    this.formula = make("div", { className: "vptsp-sb-formula vptsp-fold" });
    this.sliders = {
      scale: number("scale", "scale a", [0, 7, 0.125], 2),
      margin: number("margin", "margin m", [0, 0.5, 0.01]),
      alpha: number("alpha", "alpha", [0, 1, 0.01]),
      learning_rate: number("learning_rate", "learning rate", [-4, 0, 0.1], 10),
    };
    for (const name of ["scale", "margin", "learning_rate"]) this.sliders[name].row.classList.add("vptsp-fold");
    this.movers = Object.fromEntries(["proxies", "semantic", "samples"].map((kind) => {
      const box = make("input", { type: "checkbox", onchange: () =>
        acts.change({ moves: ["samples", "proxies", "semantic"].filter((name) => this.movers[name].box.checked) }) });
      const text = make("span", {}, kind);
      return [kind, { box, text, label: make("label", {}, box, text) }];
    }));
    this.playButton = button("▶ play", "play gradient descent (P)", () => acts.play(), "vptsp-sb-go");
    this.undoButton = button("undo", "undo (Ctrl+Z)", () => acts.undo());
    this.elements = [
      make("fieldset", { "aria-label": "loss" }, controlRow("loss", this.loss), this.formula, this.meanRow,
        this.sliders.scale.row, this.sliders.margin.row, this.sliders.alpha.row),
      make("fieldset", { "aria-label": "gradient descent" }, this.sliders.learning_rate.row,
        make("div", { className: "vptsp-bar vptsp-fold", style: { margin: 0 } }, make("span", { style: { color: "var(--soft)" } }, "who moves"),
          ...Object.values(this.movers).map((mover) => mover.label)),
        make("div", { className: "vptsp-sb-buttons" }, this.playButton,
          button("step", "one step (S)", () => acts.step()), this.undoButton,
          button("reset", "back to the start of the story (R)", () => acts.reset()))),
    ];
  }

  /** @param {State} state */
  show(state, undoable) {
    this.loss.value = state.loss;
    this.mean.value = state.positive_mean;
    this.formula.replaceChildren(...written(FORMULAS[state.loss]));
    this.meanRow.hidden = state.loss !== "proxy_anchor";
    this.sliders.margin.row.hidden = !state.loss.endsWith("anchor");
    this.sliders.alpha.row.hidden = !state.semantic;
    this.movers.semantic.label.style.display = state.semantic ? "" : "none";
    this.movers.proxies.text.textContent = state.semantic ? PROXIES.learned.title : "proxies";
    this.movers.semantic.text.textContent = PROXIES.semantic.title;
    for (const [kind, { box }] of Object.entries(this.movers)) box.checked = state.moves.some((one) => one === kind);
    for (const [key, { show }] of Object.entries(this.sliders)) show(state[key]);
    this.undoButton.disabled = !undoable;
  }

  showPlaying(playing) {
    this.playButton.textContent = playing ? "❚❚ pause" : "▶ play";
  }
}
