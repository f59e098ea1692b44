// The sandbox: samples and proxies on a circle or sphere that can be moved, and what the losses make of them.
// --- drawing ------------------------------------------------------------------------------------------
const FORMULAS = { // ^{} raised, _{} lowered
  proxy_anchor: "mean_{c} log(1 + Σ_{x in c} e^{−a (s(x,c) − m)}) + mean_{c} log(1 + Σ_{x not in c} e^{a (s(x,c) + m)})",
  image_anchor: "mean_{x} log(1 + e^{−a (s(x,own) − m)}) + mean_{x} log(1 + Σ_{c not own} e^{a (s(x,c) + m)})",
  proxy_nca: "mean_{x} −log( e^{−a d(x,own)} / Σ_{c} e^{−a d(x,c)} ),  d = 2 − 2s, the squared distance",
  normalized_softmax: "mean_{x} −log( e^{a s(x,own)} / Σ_{c} e^{a s(x,c)} )",
};
const written = (formula) => formula.split(/([\^_]\{.*?\})/).map((part) =>
  part.endsWith("}") ? make(part[0] === "^" ? "sup" : "sub", {}, part.slice(2, -1)) : part);
const LETTERS = "ABCDEFGH";
const KINDS = { proxies: "proxy", semantic: "semantic proxy", fused: "fused proxy", samples: "sample" };
const DIAMOND = "M0-14L14 0L0 14L-14 0Z", SQUARE = "M-10-10H10V10H-10Z", DISC = "M0-9A9 9 0 1 1 0 9A9 9 0 1 1 0-9Z";
const LEARNED = "M0-11.5L10.5 8H-10.5Z";
const FURTHEST = 1.3; // longer learned proxies are drawn at this length
const HELP = [
  ["drag", "moves a sample or proxy; on the sphere the background turns it"],
  ["Tab", "to a point, to the sphere, to the controls"],
  ["arrow keys", "move the point by 2° (with Shift 10°); on the circle left and up are anticlockwise; they turn the sphere"],
  ["+ −", "lengthen or shorten a learned proxy O that is mixed with a semantic one"],
  ["S, P", "one step of gradient descent; play and pause"],
  ["Ctrl+Z or U, R", "undo; back to the start of the story"],
  ["?", "this help; Esc closes it and stops playing"],
];

function vector(tag, attributes = {}, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}
const coloured = (c) => `--c: var(--c${c})`;
const digits = (value, count = 3) => {
  const text = Math.abs(value) < 1e-4 && value !== 0 ? value.toExponential(1) : String(Number(value.toPrecision(count)));
  return text.replace("-", "−");
};
const percent = (share) => `${share > 0 && share < 0.005 ? "<1" : Math.round(100 * share)} %`;
const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);

/** The line and head of an arrow on the screen; without a head where there is no room for one. */
function arrowPath(x, y, dx, dy) {
  const length = Math.hypot(dx, dy);
  const head = Math.min(9, 0.6 * length);
  const [ux, uy] = [dx / length, dy / length];
  const [bx, by] = [x + dx - head * ux, y + dy - head * uy];
  const side = 0.45 * head;
  const at = (...values) => values.map((value) => value.toFixed(2)).join(" ");
  return `M${at(x, y)}L${at(bx, by)}M${at(x + dx, y + dy)}L${at(bx - side * uy, by + side * ux)}L${at(bx + side * uy, by - side * ux)}Z`;
}

class Sandbox {
  constructor(model, el) {
    this.model = model;
    this.stories = model.get("_stories");
    this.state = structuredClone(model.get("_state"));
    this.past = [];
    this.history = [];
    this.calm = matchMedia("(prefers-reduced-motion: reduce)");
    this.points = [];
    this.build(el);
    this.ends = [
      onTheme((dark) => el.classList.toggle("vptsp-dark", dark)),
      onTraits(model, { _state: () => this.takeState(), _stories: () => this.takeStories() }),
      this.status.end,
    ];
    this.sizes = new ResizeObserver(() => this.draw());
    this.sizes.observe(this.stage);
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
    this.stage = vector("svg", { class: "vptsp-sb-stage", role: "group", "aria-label": "points on the circle or sphere" });
    this.stage.dataset.lmSuppressShortcuts = "true";
    this.layers = Object.fromEntries(["under", "ink", "over"].map((name) => [name, vector("g", name === "over" ? {} : { "aria-hidden": "true" })]));
    this.ball = vector("circle", { "aria-label": "sphere: arrow keys turn it" });
    this.stage.append(this.ball, this.layers.under, this.layers.ink, this.layers.over);
    this.stage.addEventListener("pointerdown", (event) => this.grab(event));
    this.stage.addEventListener("pointermove", (event) => this.hover(event));
    this.stage.addEventListener("pointerleave", () => this.look(this.focused ?? null));
    this.readout = make("div", { className: "vptsp-sb-readout" });
    this.legend = make("div", { className: "vptsp-sb-legend" });
    el.replaceChildren(
      make("div", { className: "vptsp-bar" }, make("label", {}, "story", this.story),
        make("button", { onclick: () => this.help.toggle(), title: "keys (?)", "aria-label": "help" }, "?")),
      this.help.table,
      this.caption,
      make("div", { className: "vptsp-sb-body" },
        make("div", {}, this.stage, this.readout),
        this.buildPanel()),
      this.status.line,
    );
    this.onKey = (event) => this.key(event);
    el.addEventListener("keydown", this.onKey);
    this.takeStories();
  }

  buildPanel() {
    const names = this.model.get("_losses");
    const row = (label, ...parts) => make("label", { className: "vptsp-sb-row" }, make("span", {}, label), ...parts);
    const choice = (key, options) => {
      const select = make("select", { onchange: () => this.change({ [key]: select.value }) },
        ...Object.entries(options).map(([value, text]) => make("option", { value }, text)));
      return select;
    };
    const slider = (key, label, [min, max, step], log = 0) => {
      const input = make("input", { type: "range", min, max, step });
      const output = make("output", {});
      input.addEventListener("input", () => {
        if (!input.moving) this.remember();
        input.moving = true;
        const value = log ? log ** Number(input.value) : Number(input.value);
        this.change({ [key]: Number(value.toPrecision(4)) }, false);
      });
      input.addEventListener("change", () => {
        input.moving = false;
        this.status.say(`${label} ${digits(this.state[key])}: loss ${digits(this.result.loss)}`);
      });
      const show = () => {
        const value = log ? Math.log(this.state[key]) / Math.log(log) : this.state[key];
        if (!input.moving) input.value = value;
        output.textContent = digits(this.state[key]);
        input.setAttribute("aria-valuetext", digits(this.state[key]));
      };
      return { row: row(label, input, output), input, show };
    };
    this.loss = choice("loss", names);
    this.mean = choice("positive_mean", { present: "classes present", all: "all classes" });
    this.meanRow = row("positive mean", this.mean);
    this.sliders = {
      scale: slider("scale", "scale a", [0, 7, 0.125], 2),
      margin: slider("margin", "margin m", [0, 0.5, 0.01]),
      alpha: slider("alpha", "alpha", [0, 1, 0.01]),
      learning_rate: slider("learning_rate", "learning rate", [-4, 0, 0.1], 10),
    };
    this.movers = Object.fromEntries(Object.keys(KINDS).filter((kind) => kind !== "fused").map((kind) => {
      const box = make("input", { type: "checkbox", onchange: () =>
        this.change({ moves: ["samples", "proxies", "semantic"].filter((name) => this.movers[name].box.checked) }) });
      const text = make("span", {}, kind);
      return [kind, { box, text, label: make("label", {}, box, text) }];
    }));
    const button = (text, title, act, className = "") => make("button", { onclick: act, title, className }, text);
    this.play = button("▶ play", "play gradient descent (P)", () => this.toggle(), "vptsp-sb-go");
    this.undoButton = button("undo", "undo (Ctrl+Z)", () => this.undo());
    this.formula = make("div", { className: "vptsp-sb-formula" });
    this.number = make("b", {});
    this.curve = vector("path", {});
    this.curveText = make("span", {});
    this.bars = make("table", { className: "vptsp-sb-bars" });
    return make("div", { className: "vptsp-sb-panel" },
      make("fieldset", { "aria-label": "loss" }, row("loss", this.loss), this.formula, this.meanRow,
        this.sliders.scale.row, this.sliders.margin.row, this.sliders.alpha.row),
      make("fieldset", { "aria-label": "gradient descent" }, this.sliders.learning_rate.row,
        make("div", { className: "vptsp-bar", style: { margin: 0 } }, make("span", { style: { color: "var(--soft)" } }, "who moves"),
          ...["proxies", "semantic", "samples"].map((kind) => this.movers[kind].label)),
        make("div", { className: "vptsp-sb-buttons" }, this.play,
          button("step", "one step (S)", () => this.step()), this.undoButton,
          button("reset", "back to the start of the story (R)", () => this.reset()))),
      make("fieldset", { "aria-label": "loss now" },
        make("div", { className: "vptsp-sb-total" }, make("div", {}, make("span", {}, "total loss"), this.number),
          make("div", { className: "vptsp-sb-curve" },
            vector("svg", { viewBox: "0 0 200 38", preserveAspectRatio: "none", "aria-hidden": "true" }, vector("line", { x1: 0, x2: 200, y1: 37, y2: 37 }), this.curve),
            this.curveText)),
        this.bars),
      make("fieldset", { "aria-label": "legend" }, this.legend));
  }

  takeStories() {
    this.stories = this.model.get("_stories");
    this.story.replaceChildren(...Object.entries(this.stories).map(([value, { title }]) => make("option", { value }, title)));
    this.story.value = this.state.preset;
  }

  /** After other points: their elements, one for each, which keep the keyboard's focus while everything moves. */
  renew() {
    const { samples, labels, proxies, semantic } = this.state;
    const shape = [samples.length, samples[0].length, proxies.length, Boolean(semantic), labels, this.state.class_names];
    if (!same(shape, this.shape)) {
      this.shape = structuredClone(shape);
      this.unitGradient = 0;
      this.focused = this.held = null;
      const seen = proxies.map(() => 0);
      const kinds = semantic ? ["fused", "semantic", "proxies"] : ["proxies"];
      this.points = [
        ...kinds.flatMap((kind) => proxies.map((_, row) => ({ kind, row, c: row, name: `${KINDS[kind]} of ${this.nameOf(row)}` }))),
        ...labels.map((c, row) => ({ kind: "samples", row, c, name: `sample ${++seen[c]} of ${this.nameOf(c)}` })),
      ];
      if (semantic) this.points.filter((point) => point.kind === "proxies").forEach((point) => (point.name = `learned ${point.name}`));
      this.layers.over.replaceChildren(...this.points.map((point) => this.pointElement(point)));
      this.buildLegend();
    }
    this.update();
  }

  nameOf(c) {
    const name = this.state.class_names[c];
    return /^class [A-H]$/.test(name) ? name : `${name} (${LETTERS[c]})`;
  }

  pointElement(point) {
    const [glyph, open] = { samples: [DISC, false], fused: [DIAMOND, false], semantic: [SQUARE, true], proxies: this.state.semantic ? [LEARNED, true] : [DIAMOND, false] }[point.kind];
    const still = point.kind === "fused"; // q follows from O and G
    point.element = vector("g", {
      class: `vptsp-sb-point${open ? " vptsp-sb-open" : ""}`, style: coloured(point.c),
      ...(still ? { role: "img" } : { role: "slider", tabindex: 0, "aria-valuemin": 0, "aria-valuemax": 360 }),
    },
    vector("circle", { r: point.kind === "samples" ? 13.5 : 18.5, class: "vptsp-sb-halo" }),
    vector("path", { d: glyph, class: "vptsp-sb-glyph" }),
    vector("text", { y: glyph === LEARNED ? 2 : 0.5 }, LETTERS[point.c]));
    point.element.dataset.lmSuppressShortcuts = "true";
    if (still) point.element.style.cursor = "default";
    point.element.addEventListener("focus", () => this.look((this.focused = point)));
    point.element.addEventListener("blur", () => this.look((this.focused = null)));
    return point.element;
  }

  buildLegend() {
    const sign = (...parts) => vector("svg", { viewBox: "0 0 46 24", "aria-hidden": "true" }, ...parts);
    const glyph = (path, open, letter) => vector("g", { class: `vptsp-sb-point${open ? " vptsp-sb-open" : ""}`, transform: "translate(23 12) scale(0.8)", style: "--c: var(--soft); cursor: default" },
      vector("path", { d: path, class: "vptsp-sb-glyph" }), vector("text", { y: path === LEARNED ? 2 : 0.5 }, letter));
    const line = (kind) => sign(vector("path", { d: "M4 12H42", class: `vptsp-sb-pair ${kind}` }));
    const item = (mark, text, wide) => make("div", wide ? { className: "vptsp-sb-wide" } : {}, mark, text.nodeType ? text : make("span", {}, text));
    const mixed = Boolean(this.state.semantic), sphere = this.sphere;
    this.arrowMark = vector("path", { class: "vptsp-sb-arrow" });
    this.scaleText = make("span", { className: "vptsp-sb-scale" });
    this.legend.replaceChildren(
      item(sign(this.arrowMark), this.scaleText, true),
      item(sign(glyph(DISC, false, "A")), "sample: an image, of class A"),
      ...(mixed ? [
        item(sign(glyph(DIAMOND, false, "A")), "fused proxy q, as the loss sees it"),
        item(sign(glyph(LEARNED, true, "A")), "learned proxy O, length = weight"),
        item(sign(glyph(SQUARE, true, "A")), "semantic proxy G"),
        item(sign(vector("path", { d: "M4 12H42", class: "vptsp-sb-mix" })), "where αO + (1 − α)G can lie"),
      ] : [item(sign(glyph(DIAMOND, false, "A")), "proxy of class A")]),
      item(line(""), "hard pair, pulled together"),
      item(line("vptsp-sb-push"), "hard pair, pushed apart"),
      item(sign(vector("circle", { cx: 23, cy: 12, r: 10.5, class: "vptsp-sb-ring" }), glyph(DISC, false, "A")),
        "hard sample: in a hard pair, one whose |∂L/∂s|, s its cosine, is at least half of the largest of all pairs, and 0.01", true),
      ...(sphere ? [item(sign(vector("g", { class: "vptsp-sb-behind" }, glyph(DISC, false, "A"))), "dimmed: on the far side of the sphere", true)] : []),
    );
  }

  get sphere() {
    return this.state.samples[0].length === 3;
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
    this.status.say(`set by the kernel: loss ${digits(this.result.loss)}`);
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
    this.status.say(`${text}: loss ${digits(this.result.loss)}`);
  }

  tell(name) {
    this.remember();
    this.unitGradient = 0;
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
    this.play.textContent = "❚❚ pause";
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
    this.play.textContent = "▶ play";
    this.status.say(`${why}: loss ${digits(this.result.loss)} after ${this.history.length - 1} steps`);
  }

  // --- pointer and keys ------------------------------------------------------------------------------
  at(event) {
    const box = this.stage.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  }

  /** The point under the pointer: those in front first, then the nearest. */
  pointAt([x, y], movable) {
    let found = null, best = 19;
    for (const point of this.points) {
      if (movable && point.kind === "fused") continue;
      const away = Math.hypot(point.x - x, point.y - y);
      const counted = away + (point.behind ? 8 : 0) - (point.kind === "samples" ? 2 : 0);
      if (away < 18 && counted < best) [found, best] = [point, counted];
    }
    return found;
  }

  grab(event) {
    if (event.button) return;
    const start = this.at(event);
    const point = this.pointAt(start, true);
    if (!point && !this.sphere) return;
    event.preventDefault();
    this.pause();
    this.remember();
    this.stage.setPointerCapture(event.pointerId);
    const from = point ? [start[0] - point.x, start[1] - point.y] : start;
    const behind = point?.behind;
    let last = from, moved = false;
    const turnedFrom = (now) => {
      this.turn((now[0] - last[0]) / this.radius, (now[1] - last[1]) / this.radius);
      last = now;
    };
    const move = (now) => {
      moved = true;
      const at = this.at(now);
      if (!point) turnedFrom(at);
      else this.place(point, this.directionAt(at[0] - from[0], at[1] - from[1], behind));
    };
    const end = () => {
      this.stage.removeEventListener("pointermove", move);
      this.stage.removeEventListener("pointerup", end);
      this.stage.removeEventListener("pointercancel", end);
      point?.element.classList.remove("vptsp-sb-held");
      this.held = null;
      if (!moved) this.past.pop();
      else if (point) this.status.say(`${this.where(point)}: loss ${digits(this.result.loss)}`);
    };
    this.stage.addEventListener("pointermove", move);
    this.stage.addEventListener("pointerup", end);
    this.stage.addEventListener("pointercancel", end);
    if (point) {
      this.held = point;
      point.element.classList.add("vptsp-sb-held");
      point.element.focus({ preventScroll: true, focusVisible: false });
      this.look(point);
    }
  }

  hover(event) {
    if (this.held) return;
    const point = this.pointAt(this.at(event), false);
    this.look(point ?? this.focused ?? null);
  }

  /** Direction in space of a place on the screen, on the near side unless `behind`. */
  directionAt(x, y, behind) {
    const across = (x - this.middle) / this.radius, up = (this.middle - y) / this.radius;
    if (!this.sphere) return unit([across, up]);
    const out = across * across + up * up;
    const seen = out >= 1 ? [...unit([across, up]), 0] : [across, up, (behind ? -1 : 1) * Math.sqrt(1 - out)];
    const turn = this.state.turn;
    return unit([0, 1, 2].map((k) => turn[0][k] * seen[0] + turn[1][k] * seen[1] + turn[2][k] * seen[2]));
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
    const [x, y] = this.state.turn;
    this.state.turn = this.state.turn.map((row) => unit(rotated(rotated(row, y, -right), x, -down)));
    const [a, b] = this.state.turn, c = unit(cross(a, b));
    this.state.turn = [a, cross(c, a), c]; // orthogonal again, so that rounding does not add up
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
    if (event.target === this.ball && (right || up)) return done(), this.turn(right * size, -up * size);
    const point = this.points.find((one) => one.element === event.target);
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
    } else if (this.sphere) {
      const [x, y] = this.state.turn;
      this.place(point, unit(rotated(here, right ? y : x, right ? right * size : -up * size)));
    } else {
      const angle = Math.atan2(here[1], here[0]) + (up - right) * size;
      this.place(point, [Math.cos(angle), Math.sin(angle)]);
    }
    this.status.say(`${this.where(point)}: loss ${digits(this.result.loss)}`);
  }

  // --- what is seen ----------------------------------------------------------------------------------
  /** Where a point is: its angle, or latitude and longitude. */
  angles(at) {
    const degrees = (angle) => Math.round((angle * 180) / Math.PI);
    const round = (degrees(Math.atan2(at[1], at[0])) + 360) % 360;
    return { round, text: at.length === 2 ? `${round}°` : `longitude ${round}°, latitude ${digits(degrees(Math.asin(Math.max(-1, Math.min(1, at[2] / lengthOf(at))))))}°` };
  }

  positionOf(point) {
    return point.kind === "fused" ? this.result.fused[point.row] : this.state[point.kind][point.row];
  }

  where(point) {
    return `${point.name} at ${this.angles(this.positionOf(point)).text}`;
  }

  look(point) {
    this.looked = point;
    this.describe();
  }

  describe() {
    const point = this.looked;
    if (!point || !this.points.includes(point)) {
      this.readout.textContent = "Drag any point, or Tab to it and use the arrow keys.";
      return;
    }
    const { cosines, slopes, gradients, fused } = this.result;
    const parts = [`gradient ${digits(lengthOf(gradients[point.kind][point.row]))}`];
    if (point.kind === "samples") {
      const row = slopes[point.row].map(Math.abs), heaviest = row.indexOf(Math.max(...row));
      parts.push(`cosine with its proxy ${digits(cosines[point.row][point.c])}`);
      parts.push(`heaviest pair: ${heaviest === point.c ? "pulled to its own proxy" : `pushed from proxy ${LETTERS[heaviest]}`}, |∂L/∂s| = ${digits(row[heaviest])}`);
    } else {
      if (this.state.semantic) {
        const length = lengthOf(this.positionOf(point));
        if (point.kind !== "semantic") parts.push(`length ${digits(length)}${length > FURTHEST && point.kind === "proxies" ? ", drawn shorter" : ""}`);
        if (point.kind === "fused" && lengthOf(fused[point.row]) < 1e-9) parts.push("O and G cancel out, so q has no direction");
      }
      const own = this.state.labels.flatMap((label, i) => (label === point.c ? [cosines[i][point.c]] : []));
      parts.push(own.length ? `mean cosine of its class with ${this.state.semantic ? "q" : "it"} ${digits(total(own) / own.length)}` : "no sample of its class in the batch");
    }
    this.readout.textContent = `${this.where(point)}: ${parts.join("; ")}.`;
  }

  update() {
    this.result = evaluate(this.state);
    const { state, result } = this;
    this.story.value = state.preset;
    this.caption.textContent = this.stories[state.preset]?.caption ?? "";
    this.loss.value = state.loss;
    this.mean.value = state.positive_mean;
    this.formula.replaceChildren(...written(FORMULAS[state.loss]));
    this.meanRow.hidden = state.loss !== "proxy_anchor";
    this.sliders.margin.row.hidden = !state.loss.endsWith("anchor");
    this.sliders.alpha.row.hidden = !state.semantic;
    this.movers.semantic.label.style.display = state.semantic ? "" : "none";
    this.movers.proxies.text.textContent = state.semantic ? "learned O" : "proxies";
    this.movers.semantic.text.textContent = "semantic G";
    for (const [kind, { box }] of Object.entries(this.movers)) box.checked = state.moves.includes(kind);
    Object.values(this.sliders).forEach((slider) => slider.show());
    this.undoButton.disabled = !this.past.length;
    this.number.textContent = digits(result.loss, 4);
    this.drawCurve();
    this.drawBars();
    this.describe();
    this.draw();
  }

  drawCurve() {
    const values = this.history, steps = values.length - 1;
    this.curveText.textContent = steps > 0
      ? `${count(steps)} step${steps > 1 ? "s" : ""}: ${digits(values[0])} → ${digits(values[steps])}` : "loss over the steps of descent";
    const most = Math.max(...values, 1e-12);
    this.curve.setAttribute("d", steps > 0 ? "M" + values.map((value, k) => `${((200 * k) / steps).toFixed(1)} ${(37 - (34 * value) / most).toFixed(1)}`).join("L") : "");
  }

  drawBars() {
    const { pull, push, loss } = this.result;
    const most = Math.max(...pull, ...(push ?? []), 1e-12), whole = loss || 1;
    const key = [push === null, this.state.class_names];
    if (!same(key, this.barKey)) {
      this.barKey = structuredClone(key);
      const heads = push ? { pull: "terms that pull own samples and proxy together", push: "terms that push others apart" }
        : { "softmax term": "one term per sample, in which pull and push weigh the same" };
      const cell = () => make("td", {}, make("div", {}, make("i", {}), make("span", {})));
      this.bars.replaceChildren(
        make("thead", {}, make("tr", {}, make("th", { scope: "col" }, "share of the loss"), ...Object.entries(heads).map(([text, title]) => make("th", { scope: "col", title }, text)))),
        make("tbody", {}, ...this.state.class_names.map((name, c) => {
          const row = make("tr", {}, make("th", { scope: "row", title: name }, make("span", { className: "vptsp-sb-chip" }, LETTERS[c]), name), ...Object.keys(heads).map(cell));
          row.style.setProperty("--c", `var(--c${c})`);
          return row;
        })),
        make("tfoot", {}, make("tr", {}, make("th", { scope: "row" }, "all classes"), ...Object.keys(heads).map(() => make("td", {}, make("div", {}, make("i", { style: { visibility: "hidden" } }), make("span", {})))))));
    }
    const columns = push ? [pull, push] : [pull];
    [...this.bars.tBodies[0].rows].forEach((row, c) => columns.forEach((values, k) => {
      const [bar, text] = row.cells[k + 1].firstChild.children;
      bar.style.setProperty("--share", `${(100 * values[c]) / most}%`);
      text.textContent = percent(values[c] / whole);
      row.cells[k + 1].title = digits(values[c], 4);
    }));
    columns.forEach((values, k) => (this.bars.tFoot.rows[0].cells[k + 1].firstChild.lastChild.textContent = percent(total(values) / whole)));
  }

  /** Screen position of a point of space, and how far it is on the reader's side. */
  project(at) {
    const seen = this.sphere ? this.state.turn.map((row) => dot(row, at)) : [at[0], at[1], 1];
    return { x: this.middle + this.radius * seen[0], y: this.middle - this.radius * seen[1], depth: seen[2] };
  }

  draw() {
    const side = this.stage.clientWidth;
    if (!side || !this.result) return;
    this.stage.setAttribute("viewBox", `0 0 ${side} ${side}`);
    const { state, result } = this;
    this.middle = side / 2;
    this.radius = side * (state.semantic ? 0.37 : 0.41);
    this.drawGround();
    const hard = hardPairs(result.slopes);
    const rings = new Set(hard.map(({ i }) => i));
    for (const point of this.points) {
      const at = this.positionOf(point), length = lengthOf(at);
      const drawn = point.kind === "proxies" && state.semantic ? Math.min(length, FURTHEST) : 1;
      point.shown = at.map((value) => (value / Math.max(length, 1e-12)) * drawn);
      const { x, y, depth } = this.project(point.shown);
      Object.assign(point, { x, y, behind: this.sphere && depth < -0.02 });
      point.element.setAttribute("transform", `translate(${x.toFixed(2)} ${y.toFixed(2)})${point.behind ? " scale(0.85)" : ""}`);
      point.element.classList.toggle("vptsp-sb-behind", point.behind);
      const { round, text } = this.angles(at);
      const label = `${point.name}${rings.has(point.row) && point.kind === "samples" ? ", hard" : ""}`;
      point.element.setAttribute("aria-label", label);
      point.element.setAttribute("aria-valuenow", round);
      point.element.setAttribute("aria-valuetext", text);
    }
    this.layers.ink.replaceChildren(...this.mixtures(), ...this.pairs(hard), ...this.arrows(), ...this.rings(rings));
  }

  line(from, to, name, c, behind) {
    return vector("path", {
      d: `M${from.x.toFixed(2)} ${from.y.toFixed(2)}L${to.x.toFixed(2)} ${to.y.toFixed(2)}`,
      class: `${name}${behind ? " vptsp-sb-behind" : ""}`, style: coloured(c),
    });
  }

  find(kind, row) {
    return this.points.find((point) => point.kind === kind && point.row === row);
  }

  /** Spokes to the proxies that the loss sees, and the lines on which O and G mix. */
  mixtures() {
    const { semantic, proxies } = this.state;
    const centre = this.project(proxies[0].map(() => 0));
    return proxies.flatMap((proxy, c) => {
      const q = this.find(semantic ? "fused" : "proxies", c);
      const spoke = this.line(centre, q, "vptsp-sb-spoke", c, q.behind);
      if (!semantic) return [spoke];
      const o = this.find("proxies", c), g = this.find("semantic", c);
      const lines = [spoke, this.line(o, g, "vptsp-sb-mix", c, o.behind && g.behind)];
      if (lengthOf(proxy) <= FURTHEST) {
        const raw = this.project(this.result.fused[c]);
        lines.push(vector("circle", { cx: raw.x, cy: raw.y, r: 3.5, style: `${coloured(c)}; fill: var(--c)`, class: q.behind ? "vptsp-sb-behind" : "" }));
      }
      return lines;
    });
  }

  pairs(hard) {
    const kind = this.state.semantic ? "fused" : "proxies";
    return hard.map(({ i, c, slope }) => {
      const sample = this.find("samples", i), proxy = this.find(kind, c);
      return this.line(sample, proxy, `vptsp-sb-pair${slope > 0 ? " vptsp-sb-push" : ""}`, c, sample.behind || proxy.behind);
    });
  }

  rings(rows) {
    return this.points.filter((point) => point.kind === "samples" && rows.has(point.row)).map((point) =>
      vector("circle", { cx: point.x, cy: point.y, r: 12.5, class: `vptsp-sb-ring${point.behind ? " vptsp-sb-behind" : ""}` }));
  }

  /** Negative gradients, all to one scale; it changes in steps of 1, 2, 5 and only when arrows no longer fit it. */
  arrows() {
    const { gradients } = this.result;
    const lengths = this.points.map((point) => lengthOf(gradients[point.kind][point.row]));
    const most = Math.max(...lengths);
    const full = 0.28 * this.radius;
    if (most < 1e-7) {
      this.scaleText.textContent = "all gradients are zero: no arrows";
      this.arrowMark.setAttribute("d", "");
      return [];
    }
    if (!(most / this.unitGradient > 0.5 && most / this.unitGradient < 1.9)) {
      const power = 10 ** Math.floor(Math.log10(most / 0.75));
      const steps = [1, 2, 5, 10].map((step) => step * power);
      this.unitGradient = steps.filter((step) => step <= most / 0.75).at(-1);
    }
    const mark = Math.min(full, 46);
    this.arrowMark.setAttribute("d", arrowPath(0, 12, mark, 0));
    const seen = this.sphere ? ", foreshortened as seen" : "";
    this.scaleText.textContent = `an arrow of this length${seen}: gradient ${digits((this.unitGradient * mark) / full)}. It points along −∂L/∂point, `
      + `the way descent goes. Losses normalise their points, so it is the tangent part${this.state.semantic ? " (at q, over q's length; α times it at O, 1 − α times it at G)" : ""}.`;
    return this.points.flatMap((point, k) => {
      const factor = full / this.unitGradient / this.radius;
      const tip = this.project(plus(point.shown, -factor, gradients[point.kind][point.row]));
      const [dx, dy] = [tip.x - point.x, tip.y - point.y];
      if (Math.hypot(dx, dy) < 1 || !lengths[k]) return [];
      // on the circle just outside its point: along the circle it would lie under the neighbours
      const out = this.sphere || (point.kind === "proxies" && this.state.semantic) ? 0 : point.kind === "samples" ? 15 : 20;
      const [fromX, fromY] = out ? [point.x + out * point.shown[0], point.y - out * point.shown[1]] : [point.x, point.y];
      return [vector("path", { d: arrowPath(fromX, fromY, dx, dy), class: `vptsp-sb-arrow${point.behind ? " vptsp-sb-behind" : ""}`, style: coloured(point.c) })];
    });
  }

  drawGround() {
    const { middle, radius } = this;
    const ball = { cx: middle, cy: middle, r: radius, class: this.sphere ? "vptsp-sb-ball" : "vptsp-sb-rim", tabindex: this.sphere ? 0 : -1, role: this.sphere ? "application" : "presentation" };
    for (const [key, value] of Object.entries(ball)) this.ball.setAttribute(key, value);
    this.layers.under.replaceChildren(...(this.sphere ? this.globe() : this.ticks()));
  }

  ticks() {
    return Array.from({ length: 12 }, (_, k) => k * 30).flatMap((angle) => {
      const [cos, sin] = [Math.cos((angle * Math.PI) / 180), Math.sin((angle * Math.PI) / 180)];
      const on = (part) => ({ x: this.middle + part * this.radius * cos, y: this.middle - part * this.radius * sin });
      const tick = this.line(on(0.975), on(1), "vptsp-sb-rim", 0);
      if (angle % 90) return [tick];
      const at = on(0.88);
      return [tick, vector("text", { x: at.x, y: at.y, class: "vptsp-sb-tick" }, `${angle}°`)];
    });
  }

  globe() {
    const around = (count, at) => Array.from({ length: count + 1 }, (_, k) => at((2 * Math.PI * k) / count));
    const circles = [
      ...[-60, -30, 0, 30, 60].map((degrees) => {
        const height = Math.sin((degrees * Math.PI) / 180), wide = Math.cos((degrees * Math.PI) / 180);
        return around(60, (angle) => [wide * Math.cos(angle), wide * Math.sin(angle), height]);
      }),
      ...[0, 30, 60, 90, 120, 150].map((degrees) => {
        const [cos, sin] = [Math.cos((degrees * Math.PI) / 180), Math.sin((degrees * Math.PI) / 180)];
        return around(60, (angle) => [Math.cos(angle) * cos, Math.cos(angle) * sin, Math.sin(angle)]);
      }),
    ];
    const paths = { near: "", far: "" };
    for (const circle of circles) {
      const seen = circle.map((at) => this.project(at));
      for (let k = 1; k < seen.length; k++) {
        paths[seen[k].depth + seen[k - 1].depth > 0 ? "near" : "far"] += `M${seen[k - 1].x.toFixed(1)} ${seen[k - 1].y.toFixed(1)}L${seen[k].x.toFixed(1)} ${seen[k].y.toFixed(1)}`;
      }
    }
    const drawn = [
      vector("path", { d: paths.far, class: "vptsp-sb-grid vptsp-sb-far" }),
      vector("path", { d: paths.near, class: "vptsp-sb-grid" }),
    ];
    if (this.stories[this.state.preset]?.orthant) drawn.push(this.eighth());
    for (const k of [0, 1, 2]) {
      const axis = [0, 1, 2].map((other) => Number(other === k));
      const tip = this.project(axis), label = this.project(axis.map((value) => 1.1 * value));
      const behind = tip.depth < 0;
      drawn.push(vector("circle", { cx: tip.x, cy: tip.y, r: 2.5, fill: "var(--soft)", "fill-opacity": behind ? 0.4 : 1 }));
      if (!behind) drawn.push(vector("text", { x: label.x, y: label.y, class: "vptsp-sb-tick" }, `e${"₁₂₃"[k]}`));
    }
    return drawn;
  }

  /** The orthant of the directions without a negative coordinate. */
  eighth() {
    const arc = (from, to) => Array.from({ length: 16 }, (_, k) => {
      const angle = (Math.PI / 2) * (k / 16);
      return from.map((value, j) => Math.cos(angle) * value + Math.sin(angle) * to[j]);
    });
    const [x, y, z] = [[1, 0, 0], [0, 1, 0], [0, 0, 1]];
    const outline = [...arc(x, y), ...arc(y, z), ...arc(z, x)].map((at) => this.project(at));
    return vector("path", { d: `M${outline.map((at) => `${at.x.toFixed(1)} ${at.y.toFixed(1)}`).join("L")}Z`, class: "vptsp-sb-eighth" });
  }
}

export default {
  maths: { evaluate, descend, hardPairs }, // for tests, which compare them with automatic differentiation
  render({ model, el }) {
    const sandbox = new Sandbox(model, el);
    return () => sandbox.close();
  },
};
