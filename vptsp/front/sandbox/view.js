// The sandbox: samples and proxies on a circle or sphere that can be moved, and what the losses make of them.
const HELP = [
  ["drag", "moves a sample or proxy; on the sphere the background turns it"],
  ["Tab", "to a point, to the sphere, to the controls"],
  ["arrow keys", "move the point by 2° (with Shift 10°); on the circle left and up are anticlockwise; they turn the sphere"],
  ["+ −", "lengthen or shorten a learned proxy O that is mixed with a semantic one"],
  ["S, P", "one step of gradient descent; play and pause"],
  ["Ctrl+Z or U, R", "undo; back to the start of the story"],
  ["?", "this help; Esc closes it and stops playing"],
];

const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);

class Sandbox {
  constructor(model, el) {
    this.model = model;
    this.stories = model.get("_stories");
    this.state = structuredClone(model.get("_state"));
    this.past = [];
    this.history = [];
    this.calm = matchMedia("(prefers-reduced-motion: reduce)");
    this.build(el);
    this.ends = [
      onTheme((dark) => el.classList.toggle("vptsp-dark", dark)),
      onTraits(model, { _state: () => this.takeState(), _stories: () => this.takeStories() }),
      this.status.end,
    ];
    this.sizes = new ResizeObserver(() => this.draw());
    this.sizes.observe(this.stage.element);
    this.renew();
  }

  close() {
    this.pause();
    clearTimeout(this.sending);
    this.sizes.disconnect();
    this.ends.forEach((end) => end());
    this.root.removeEventListener("keydown", this.onKey);
    this.root.classList.remove("vptsp", "vptsp-sandbox", "vptsp-dark");
    this.root.replaceChildren();
  }

  // --- structure -------------------------------------------------------------------------------------
  build(el) {
    this.root = el;
    el.classList.add("vptsp", "vptsp-sandbox");
    this.status = statusLine(this.model);
    this.help = helpPanel(HELP);
    this.story = make("select", { onchange: () => this.tell(this.story.value) });
    this.caption = make("p", { className: "vptsp-sb-story" });
    this.stage = new Stage((point) => this.look(point));
    this.stage.element.addEventListener("pointerdown", (event) => this.grab(event));
    this.stage.element.addEventListener("pointermove", (event) => this.hover(event));
    this.stage.element.addEventListener("pointerleave", () => this.look(this.stage.focused));
    this.readout = make("div", { className: "vptsp-sb-readout" });
    this.controls = new Controls(this.model.get("_losses"), {
      change: (parts) => this.change(parts),
      begin: () => this.remember(),
      move: (parts) => this.change(parts, false),
      end: (key, label) => this.report(`${label} ${digits(this.state[key])}`),
      play: () => this.toggle(),
      step: () => this.step(),
      undo: () => this.undo(),
      reset: () => this.reset(),
    });
    this.shares = new Shares();
    this.legend = new Legend();
    el.replaceChildren(
      make("div", { className: "vptsp-bar" }, make("label", {}, "story", this.story),
        make("button", { onclick: () => this.help.toggle(), title: "keys (?)", "aria-label": "help" }, "?")),
      this.help.table,
      this.caption,
      make("div", { className: "vptsp-sb-body" },
        make("div", {}, this.stage.element, this.readout),
        make("div", { className: "vptsp-sb-panel" }, ...this.controls.elements, this.shares.element,
          make("fieldset", { "aria-label": "legend" }, this.legend.element))),
      this.status.line,
    );
    this.onKey = (event) => this.key(event);
    el.addEventListener("keydown", this.onKey);
    this.takeStories();
  }

  takeStories() {
    this.stories = this.model.get("_stories");
    this.story.replaceChildren(...Object.entries(this.stories).map(([value, { title }]) => make("option", { value }, title)));
    this.story.value = this.state.preset;
  }

  renew() {
    const { samples, labels, proxies, semantic, class_names } = this.state;
    const shape = [samples.length, samples[0].length, proxies.length, Boolean(semantic), labels, class_names];
    if (!same(shape, this.shape)) {
      this.shape = structuredClone(shape);
      this.held = null;
      this.stage.renew(this.state);
      this.legend.renew(this.state);
    }
    this.update();
  }

  report(text) {
    this.status.say(`${text}: loss ${digits(this.result.loss)}`);
  }

  // --- state -----------------------------------------------------------------------------------------
  takeState() {
    const state = this.model.get("_state");
    if (state === this.sent || same(state, this.state)) return; // our own, come back
    this.pause();
    this.remember();
    this.state = structuredClone(state);
    this.history = [];
    this.renew();
    this.report("set by the kernel");
  }

  /** To the kernel, now and then: the latest state wins. */
  send() {
    if (this.sending) return;
    this.sending = setTimeout(() => {
      this.sending = 0;
      this.sent = structuredClone(this.state);
      this.model.set("_state", this.sent);
      this.model.save_changes();
    }, 120);
  }

  remember() {
    this.past.push(structuredClone(this.state));
    if (this.past.length > 200) this.past.shift();
  }

  change(parts, undoable = true) {
    if (undoable) this.remember();
    Object.assign(this.state, parts);
    this.history = [];
    this.update();
    this.send();
    if (undoable) this.status.say(`loss ${digits(this.result.loss)}`);
  }

  replace(state, text) {
    this.pause();
    this.state = state;
    this.history = [];
    this.renew();
    this.send();
    this.report(text);
  }

  tell(name) {
    this.remember();
    this.stage.rescale();
    this.replace(structuredClone(this.stories[name].state), this.stories[name].title);
  }

  reset() {
    const story = this.stories[this.state.preset] ?? this.stories.own;
    if (!story) return;
    this.remember();
    this.replace(structuredClone(story.state), "back to the start");
  }

  undo() {
    const last = this.past.pop();
    if (last) this.replace(last, "undone");
    else this.status.say("nothing to undo");
  }

  // --- descent ---------------------------------------------------------------------------------------
  /** One step; whether anything moved. */
  advance() {
    const before = this.state;
    if (!this.history.length) this.history = [this.result.loss];
    this.state = descend(before, this.result.gradients);
    this.result = evaluate(this.state);
    this.history.push(this.result.loss);
    const moved = before.moves.filter((kind) => before[kind])
      .flatMap((kind) => before[kind].map((point, row) => lengthOf(plus(this.state[kind][row], -1, point))));
    return Math.max(0, ...moved) > 1e-6;
  }

  canMove() {
    if (this.state.moves.some((kind) => this.state[kind])) return true;
    this.status.say("nobody may move; choose who moves");
    return false;
  }

  step() {
    this.pause();
    if (!this.canMove()) return;
    this.remember();
    const before = this.result.loss;
    this.advance();
    this.update();
    this.send();
    this.status.say(`step: loss ${digits(before)} → ${digits(this.result.loss)}`);
  }

  toggle() {
    if (this.playing) {
      this.pause();
      return;
    }
    if (!this.canMove()) return;
    this.remember();
    if (this.calm.matches) { // no motion wanted: fifty steps at once
      const before = this.result.loss;
      for (let count = 0; count < 50; count++) this.advance();
      this.update();
      this.send();
      this.status.say(`50 steps at once, as reduced motion is wanted: loss ${digits(before)} → ${digits(this.result.loss)}`);
      return;
    }
    this.controls.showPlaying(true);
    this.status.say("playing");
    let last = 0;
    const tick = (now) => {
      if (now - last > 30) {
        last = now;
        const moved = this.advance();
        this.update();
        this.send();
        if (!moved || this.history.length > 3000) {
          this.pause(moved ? "stopped after 3,000 steps" : "everything is at rest");
          return;
        }
      }
      this.playing = requestAnimationFrame(tick);
    };
    this.playing = requestAnimationFrame(tick);
  }

  pause(why = "paused") {
    if (!this.playing) return;
    cancelAnimationFrame(this.playing);
    this.playing = 0;
    this.controls.showPlaying(false);
    this.status.say(`${why}: loss ${digits(this.result.loss)} after ${this.history.length - 1} steps`);
  }

  // --- pointer and keys ------------------------------------------------------------------------------
  at(event) {
    const box = this.stage.element.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  }

  grab(event) {
    if (event.button) return;
    const start = this.at(event);
    const point = this.stage.pointAt(start, true);
    if (!point && !isSphere(this.state)) return;
    event.preventDefault();
    this.pause();
    this.remember();
    this.stage.element.setPointerCapture(event.pointerId);
    const from = point ? [start[0] - point.x, start[1] - point.y] : start;
    const behind = point?.behind;
    let last = from, moved = false;
    const turnedFrom = (now) => {
      const { radius } = this.stage.sight;
      this.turn((now[0] - last[0]) / radius, (now[1] - last[1]) / radius);
      last = now;
    };
    const move = (now) => {
      moved = true;
      const at = this.at(now);
      if (!point) turnedFrom(at);
      else this.place(point, this.stage.sight.directionAt(at[0] - from[0], at[1] - from[1], behind));
    };
    const end = () => {
      this.stage.element.removeEventListener("pointermove", move);
      this.stage.element.removeEventListener("pointerup", end);
      this.stage.element.removeEventListener("pointercancel", end);
      point?.element.classList.remove("vptsp-sb-held");
      this.held = null;
      if (!moved) this.past.pop();
      else if (point) this.report(whereIs(point, this.state, this.result));
    };
    this.stage.element.addEventListener("pointermove", move);
    this.stage.element.addEventListener("pointerup", end);
    this.stage.element.addEventListener("pointercancel", end);
    if (point) {
      this.held = point;
      point.element.classList.add("vptsp-sb-held");
      point.element.focus({ preventScroll: true, focusVisible: false });
      this.look(point);
    }
  }

  hover(event) {
    if (this.held) return;
    const point = this.stage.pointAt(this.at(event), false);
    this.look(point ?? this.stage.focused);
  }

  place(point, direction) {
    if (direction.some(Number.isNaN) || lengthOf(direction) < 0.5) return;
    const rows = this.state[point.kind];
    const length = this.state.semantic && point.kind === "proxies" ? lengthOf(rows[point.row]) : 1;
    rows[point.row] = direction.map((value) => value * length);
    this.history = [];
    this.update();
    this.send();
  }

  /** Turns the sphere as if its front were dragged. */
  turn(right, down) {
    this.state.turn = turned(this.state.turn, right, down);
    this.draw();
    this.send();
  }

  key(event) {
    const tag = event.target.tagName;
    const undo = (event.ctrlKey || event.metaKey) && !event.shiftKey && event.key.toLowerCase() === "z";
    if ((event.ctrlKey || event.metaKey || event.altKey) && !undo) return;
    const done = () => (event.preventDefault(), event.stopPropagation());
    if (undo) return done(), this.undo();
    if (event.key === "Escape") {
      if (!this.help.table.hidden) done(), this.help.toggle();
      if (this.playing) done(), this.pause();
      return;
    }
    if (tag === "SELECT") return; // letters choose there
    const act = { "?": () => this.help.toggle(), s: () => this.step(), p: () => this.toggle(), u: () => this.undo(), r: () => this.reset() }[event.key.toLowerCase()];
    if (act) return done(), act();
    const size = (event.shiftKey ? 10 : 2) * (Math.PI / 180);
    const [right, up] = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key] ?? [0, 0];
    if (event.target === this.stage.ball && (right || up)) return done(), this.turn(right * size, -up * size);
    const point = this.stage.points.find((one) => one.element === event.target);
    if (!point) return;
    const longer = { "+": 1.1, "=": 1.1, "-": 1 / 1.1, "−": 1 / 1.1 }[event.key];
    const weighed = point.kind === "proxies" && this.state.semantic;
    if (!(right || up) && !(longer && weighed)) return;
    done();
    this.pause();
    this.remember();
    const here = this.state[point.kind][point.row];
    if (longer && weighed) {
      this.state.proxies[point.row] = here.map((value) => value * longer);
      this.place(point, unit(here));
    } else if (isSphere(this.state)) {
      const [x, y] = this.state.turn;
      this.place(point, unit(rotated(here, right ? y : x, right ? right * size : -up * size)));
    } else {
      const angle = Math.atan2(here[1], here[0]) + (up - right) * size;
      this.place(point, [Math.cos(angle), Math.sin(angle)]);
    }
    this.report(whereIs(point, this.state, this.result));
  }

  // --- what is seen ----------------------------------------------------------------------------------
  look(point) {
    this.looked = point;
    this.describe();
  }

  describe() {
    this.readout.textContent = this.stage.points.includes(this.looked)
      ? described(this.looked, this.state, this.result) : "Drag any point, or Tab to it and use the arrow keys.";
  }

  update() {
    this.result = evaluate(this.state);
    const { state, result } = this;
    this.story.value = state.preset;
    this.caption.textContent = this.stories[state.preset]?.caption ?? "";
    this.controls.show(state, this.past.length > 0);
    this.shares.show(result, this.history, state.class_names);
    this.describe();
    this.draw();
  }

  draw() {
    const scale = this.stage.draw(this.state, this.result, this.stories[this.state.preset]?.orthant);
    if (scale) this.legend.showScale(scale);
  }
}

export default {
  maths: { evaluate, descend, hardPairs }, // for tests, which compare them with automatic differentiation
  render({ model, el }) {
    const sandbox = new Sandbox(model, el);
    return () => sandbox.close();
  },
};
