// The sandbox: samples and proxies on a circle or sphere that can be moved, and what the losses make of them.

import { make } from "../../front/dom.js";
import { onTraits } from "../../front/model.js";
import { presenter } from "../../front/presenter.js";
import { helpPanel, statusLine } from "../../front/status.js";
import { onTheme } from "../../front/theme.js";
import { MOST } from "./board.js";
import { Controls } from "./controls.js";
import { Editor } from "./editor.js";
import { Experiment, same } from "./experiment.js";
import { handOf } from "./hand.js";
import { HELP, keyListener } from "./keys.js";
import { Legend } from "./legend.js";
import { descend, evaluate, hardPairs } from "./losses.js";
import { Player } from "./player.js";
import { Pointing } from "./pointing.js";
import { described } from "./points.js";
import { Shares } from "./shares.js";
import { digits } from "./svg_parts.js";
import { Stage } from "./stage.js";
import { Stories } from "./stories.js";
import { RANGES, fromText, toText } from "./text.js";
/** @import { Model } from "../../front/model.js" */
/** @import { State } from "./experiment.js" */
/** @import { Point } from "./points.js" */

class Sandbox {
  /** @type {HTMLDivElement} */ readout;
  /** @type {Point | null} */ looked;
  /** @type {any[] | undefined} */ shape;

  /**
   * @param {Model} model
   * @param {HTMLElement} el
   */
  constructor(model, el) {
    this.model = model;
    this.root = el;
    this.experiment = new Experiment(model);
    this.status = statusLine(model);
    this.help = helpPanel(HELP);
    this.player = new Player(this.experiment, {
      show: () => this.moved(),
      say: (text) => this.status.say(text),
      playing: (playing) => this.controls.showPlaying(playing),
    });
    this.controls = this.makeControls();
    this.shares = new Shares();
    this.legend = new Legend();
    this.editor = new Editor({
      state: () => this.experiment.state, losses: () => Object.keys(model.get("_losses")),
      put: (parts, text) => this.put(parts, text), say: this.status.say,
    });
    this.stage = new Stage((point) => (this.editor.choose(point), this.look(point)));
    this.stories = new Stories((name) => this.tell(name));
    this.present = presenter(this.stories);
    const hand = handOf(this.experiment, this.player, {
      moved: () => this.moved(), draw: () => this.draw(), report: (text) => this.report(text), look: (point) => this.look(point),
    });
    this.pointing = new Pointing(this.stage, hand);
    this.onKey = keyListener(this.experiment, this.stage, hand, {
      help: this.help, player: this.player, editor: this.editor, undo: () => this.undo(), reset: () => this.reset(),
    });
    this.build();
    this.ends = [
      onTheme(el),
      onTraits(model, { _state: () => this.takeState(), _stories: () => this.takeStories() }),
      this.status.end,
    ];
    this.sizes = new ResizeObserver(() => this.draw());
    this.sizes.observe(this.stage.element);
    this.renew();
  }

  close() {
    this.player.pause();
    this.experiment.close();
    this.sizes.disconnect();
    this.ends.forEach((end) => end());
    this.root.removeEventListener("keydown", this.onKey);
    this.root.classList.remove("vptsp", "vptsp-sandbox", "vptsp-dark");
    this.root.replaceChildren();
  }

  // --- structure -------------------------------------------------------------------------------------
  makeControls() {
    return new Controls(this.model.get("_losses"), {
      change: (parts) => this.change(parts),
      begin: () => this.experiment.remember(),
      move: (parts) => this.set(parts),
      end: (key, label) => this.report(`${label} ${digits(this.experiment.state[key])}`),
      play: () => this.player.toggle(),
      step: () => this.player.step(),
      undo: () => this.undo(),
      reset: () => this.reset(),
    });
  }

  build() {
    this.readout = make("div", { className: "vptsp-sb-readout" });
    this.root.classList.add("vptsp", "vptsp-sandbox");
    this.root.replaceChildren(
      make("div", { className: "vptsp-bar vptsp-fold" }, this.stories.label,
        make("button", { onclick: () => this.help.toggle(), title: "keys (?)", "aria-label": "help" }, "?"), this.present.button),
      this.help.table,
      this.stories.caption,
      make("div", { className: "vptsp-sb-body" },
        make("div", {}, this.stage.element, this.readout),
        make("div", { className: "vptsp-sb-panel" }, ...this.controls.elements, this.editor.element, this.shares.element,
          make("fieldset", { "aria-label": "legend" }, this.legend.element))),
      this.status.line,
    );
    this.root.addEventListener("keydown", this.onKey);
    this.stage.element.addEventListener("dblclick", (event) => {
      const at = this.pointing.at(event);
      if (!this.stage.pointAt(at, false)) this.editor.add(this.stage.sight.directionAt(...at, false));
    });
    this.takeStories();
  }

  // --- changes of the state --------------------------------------------------------------------------
  takeStories() {
    this.stories.take(this.model.get("_stories"), this.experiment.state.preset);
  }

  takeState() {
    const state = this.experiment.heard();
    if (!state) return;
    this.player.pause();
    this.experiment.remember();
    this.experiment.become(state);
    this.renew();
    this.report(this.model.live === false ? "opened" : "set by the kernel");
  }

  /** @param {Partial<State>} parts */
  set(parts) {
    this.experiment.set(parts);
    this.moved();
  }

  /** @param {Partial<State>} parts */
  change(parts) {
    this.experiment.remember();
    this.set(parts);
    this.status.say(`loss ${digits(this.experiment.result.loss)}`);
  }

  /** @param {State} state */
  replace(state, text) {
    this.player.pause();
    this.experiment.become(state);
    this.renew();
    this.experiment.send();
    this.report(text);
  }

  /** Other points. @param {Partial<State>} parts */
  put(parts, text) {
    this.experiment.remember();
    this.replace({ ...this.experiment.state, ...parts }, text);
  }

  tell(name) {
    this.experiment.remember();
    this.stage.rescale();
    this.replace(structuredClone(this.stories.all[name].state), this.stories.all[name].title);
  }

  reset() {
    const start = this.stories.start(this.experiment.state.preset);
    if (!start) return;
    this.experiment.remember();
    this.replace(start, "back to the start");
  }

  undo() {
    const last = this.experiment.recall();
    if (last) this.replace(last, "undone");
    else this.status.say("nothing to undo");
  }

  // --- what is seen ----------------------------------------------------------------------------------
  report(text) {
    this.status.say(`${text}: loss ${digits(this.experiment.result.loss)}`);
  }

  /** @param {Point | null} point */
  look(point) {
    this.looked = point;
    this.describe();
  }

  describe() {
    const { state, result } = this.experiment;
    this.readout.textContent = this.looked && this.stage.points.includes(this.looked)
      ? described(this.looked, state, result) : "Drag any point, or Tab to it and use the arrow keys.";
  }

  /** After another state as a whole, which may have other points. */
  renew() {
    const { state } = this.experiment;
    const { samples, labels, proxies, semantic, class_names } = state;
    const shape = [samples.length, samples[0].length, proxies.length, Boolean(semantic), labels, class_names];
    if (!same(shape, this.shape)) {
      this.shape = structuredClone(shape);
      this.pointing.letGo();
      this.stage.renew(state);
      this.editor.renew();
      this.legend.renew(state);
    }
    this.update();
  }

  /** After a change here: all is shown, and the kernel hears of it. */
  moved() {
    this.update();
    this.experiment.send();
  }

  update() {
    const { state, result, losses, undoable } = this.experiment;
    this.stories.show(state.preset);
    this.controls.show(state, undoable);
    this.editor.show(state);
    this.shares.show(result, losses, state.class_names);
    this.describe();
    this.draw();
  }

  draw() {
    const { state, result } = this.experiment;
    const scale = this.stage.draw(state, result, this.stories.all[state.preset]?.orthant);
    if (scale) this.legend.showScale(scale);
  }
}

export default {
  maths: { evaluate, descend, hardPairs, toText, fromText, MOST, RANGES }, // for tests, which compare them with automatic differentiation
  render({ model, el }) {
    const sandbox = new Sandbox(model, el);
    return () => sandbox.close();
  },
};
