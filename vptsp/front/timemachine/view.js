// A run played again: proxies and probe images move through its epochs in one frozen frame.
const KINDS = {
  learned: { title: "learned proxies", light: "#b84a08", dark: "#fb9a4b" },
  semantic: { title: "semantic proxies", light: "#8b31d6", dark: "#c79bfb" },
  fused: { title: "fused proxies", light: "#1d5fd6", dark: "#7fb1ff" },
};
const LINES = [ // of the curves, as colours and dashes
  { light: "#1d5fd6", dark: "#7fb1ff", dash: "" },
  { light: "#0e7a52", dark: "#4ade80", dash: "5 3" },
  { light: "#8a6100", dark: "#e0c264", dash: "2 3" },
];
const SECONDS = 0.9; // from one epoch to the next
const MOST = 7; // classes with trails, as many as there are colours that everybody can tell apart
const REACH = 11; // pixels within which the pointer catches a point
const HELP = [
  ["← →, Home, End", "epoch by epoch, to the first, to the last (on the slider and in the picture)"],
  ["Space", "play and pause"],
  ["click on a proxy", "its class gets trails, or loses them"],
  ["click on an image", "look at it here and in linked views; with Shift: select it"],
  ["↑ ↓ in the picture", "from image to image; Enter selects"],
  ["Esc", "nothing looked at, nothing selected"],
  ["?", "this list"],
];
const SVG = "http://www.w3.org/2000/svg";
const some = (shown, of, what) => (shown === of ? `${count(of)} ${what}` : `${count(shown)} of ${count(of)} ${what} shown`);

function svg(tag, attributes = {}, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

/** The content of the model as arrays. Points are images, then the proxies of each kind. */
class Film {
  constructor(model) {
    Object.assign(this, model.get("_content"));
    this.names = model.get("_names");
    this.ids = model.get("_ids");
    this.labels = int32(model.get("_labels"));
    this.places = float32(model.get("_places"));
    this.rows = int32(model.get("_rows"));
    this.times = this.epochs.length;
    this.images = this.ids.length;
    this.classes = this.labels.length - this.images; // with proxies
    this.points = this.images + this.kinds.length * this.classes;
    this.proxy = new Int32Array(this.names.length).fill(-1); // class -> its number among the proxies
    for (let number = 0; number < this.classes; number++) this.proxy[this.labels[this.images + number]] = number;
    this.imageOf = new Map([...this.rows].map((row, image) => [row, image]).filter(([row]) => row >= 0));
    this.xy = new Float32Array(2 * this.points); // at the moment shown, in units of the frame
  }

  frameAt(name) {
    return Math.max(0, this.frames.findIndex((frame) => frame.name === name));
  }

  at(frame, time, point) {
    const from = 2 * ((frame * this.times + time) * this.points + point);
    return [this.places[from], this.places[from + 1]];
  }

  /** Everything at a moment between two epochs. */
  moveTo(frame, moment) {
    const before = clip(Math.floor(moment), 0, this.times - 1);
    const after = Math.min(before + 1, this.times - 1);
    const share = moment - before;
    const size = 2 * this.points;
    const [one, other] = [before, after].map((time) => (frame * this.times + time) * size);
    for (let at = 0; at < size; at++) this.xy[at] = this.places[one + at] * (1 - share) + this.places[other + at] * share;
  }

  /** Corners of everything that is ever there, so that no epoch needs another scale. */
  extent(frame) {
    let [left, right, low, high] = [Infinity, -Infinity, Infinity, -Infinity];
    const size = 2 * this.points * this.times;
    for (let at = frame * size; at < (frame + 1) * size; at += 2) {
      left = Math.min(left, this.places[at]); right = Math.max(right, this.places[at]);
      low = Math.min(low, this.places[at + 1]); high = Math.max(high, this.places[at + 1]);
    }
    return [left, right, low, high];
  }

  /** {kind, number} of a proxy, or null for an image. */
  proxyOf(point) {
    if (point < this.images) return null;
    const turn = Math.floor((point - this.images) / this.classes);
    return { kind: this.kinds[turn], number: (point - this.images) % this.classes };
  }

  pointOf(turn, number) {
    return this.images + turn * this.classes + number;
  }

  classOf(point) {
    const proxy = this.proxyOf(point);
    return this.labels[proxy ? this.images + proxy.number : point];
  }

  isTest(image) {
    return image >= this.counts.train;
  }
}

/** A sign of its own for each kind of point, so that colour is never all that tells them apart. */
function sign(context, kind, x, y, size, colour, paper) {
  context.beginPath();
  if (kind === "learned" || kind === "train") context.arc(x, y, size * 0.8, 0, 7);
  else {
    const corners = { fused: 10, semantic: 4, test: 3 }[kind];
    for (let corner = 0; corner < corners; corner++) {
      const reach = size * (kind === "fused" ? (corner % 2 ? 0.55 : 1.25) : 1.05);
      const turn = (corner / corners) * 2 * Math.PI - Math.PI / 2;
      context.lineTo(x + Math.cos(turn) * reach, y + Math.sin(turn) * reach);
    }
    context.closePath();
  }
  if (kind === "learned") {
    context.fillStyle = paper;
    context.fill();
    context.strokeStyle = colour;
    context.lineWidth = Math.max(1.3, size * 0.32);
    context.stroke();
  } else {
    context.fillStyle = colour;
    context.fill();
    if (size > 4) {
      context.strokeStyle = paper;
      context.lineWidth = 1;
      context.stroke();
    }
  }
}

class TimeMachine {
  constructor(model, el) {
    this.model = model;
    this.moment = 0;
    this.hovered = -1;
    this.hidden = new Set();
    this.build(el);
    this.ends = [
      onTheme((dark) => {
        this.dark = dark;
        this.root.classList.toggle("vptsp-dark", dark);
        this.inks = null;
        this.film && this.showAll();
      }),
      onTraits(model, {
        _content: () => this.later(), _places: () => this.later(), _tiles: () => this.later(),
        epoch: () => this.takeEpoch(), frame: () => this.takeFrame(), _trails: () => this.takeTrails(),
        _focused: () => this.takeFocus(), _selected: () => this.takeFocus(),
      }),
    ];
    this.later = debounced(() => !this.closed && this.load(), 0); // once for all that came together
    this.answered = (message) => message.kind === "refreshed" && (this.asked = false);
    model.on("msg:custom", this.answered);
    this.pushEpoch = debounced(() => !this.closed && this.push("epoch", this.film.epochs[this.nearest()]), 120);
    this.sizes = new ResizeObserver(() => this.resize());
    this.sizes.observe(this.stage);
    this.sizes.observe(this.side);
    this.load();
  }

  // --- the page -----------------------------------------------------------------------------------
  build(el) {
    const button = (text, label, act) => make("button", { type: "button", title: label, "aria-label": label, onclick: act }, text);
    this.title = make("strong", { className: "vt-title" });
    this.frame = make("select", { "aria-label": "Frame", onchange: () => this.setFrame(this.frame.value) });
    this.frameLabel = make("label", {}, "Frame", this.frame);
    this.colour = make("select", { "aria-label": "Colour by", onchange: () => this.showAll() }, make("option", { value: "class" }, "class"), make("option", { value: "kind" }, "kind of point"));
    this.names = make("datalist", { id: `vt-classes-${Math.random().toString(36).slice(2)}` });
    this.find = make("input", {
      type: "search", placeholder: "class name", "aria-label": "Trails of a class", autocomplete: "off",
      oninput: () => this.find.value && this.search(false), onkeydown: (event) => event.key === "Enter" && this.search(true),
    });
    this.find.setAttribute("list", this.names.id);
    this.pictures = make("input", { type: "checkbox", onchange: () => this.draw() });
    this.picturesLabel = make("label", {}, this.pictures, "Thumbnails");
    this.follow = make("input", { type: "checkbox", onchange: () => this.followRun() });
    this.followLabel = make("label", { title: "look for new epochs every few seconds" }, this.follow, "Follow training");
    this.help = helpPanel(HELP);
    const bar = make(
      "div", { className: "vptsp-bar" }, this.title, this.frameLabel, make("label", {}, "Colour by", this.colour),
      make("label", {}, "Trails of", this.find), this.names, this.picturesLabel, this.followLabel,
      button("?", "Keys and gestures (?)", () => this.help.toggle()),
    );
    this.canvas = make("canvas", {
      className: "vt-canvas", tabIndex: 0, role: "application", "aria-roledescription": "replay of a run",
      onpointermove: (event) => this.hover(event), onpointerleave: () => this.hoverAt(-1),
      onclick: (event) => this.click(event), onkeydown: (event) => this.stageKey(event),
    });
    this.big = make("div", { className: "vt-big", "aria-hidden": "true" });
    this.across = make("div", { className: "vt-across" });
    this.up = make("div", { className: "vt-up" });
    this.card = make("div", { className: "vt-card", hidden: true });
    this.stage = make("div", { className: "vt-stage" }, this.big, this.canvas, this.card);
    this.play = button("▶", "Play (Space)", () => this.toggle());
    this.play.className = "vt-play";
    this.slider = make("input", {
      type: "range", min: 0, step: 0.01, className: "vt-slider", "aria-label": "Epoch",
      oninput: () => this.scrub(), onchange: () => this.settle(), onkeydown: (event) => this.epochKey(event),
    });
    this.ticks = make("div", { className: "vt-ticks", "aria-hidden": "true" });
    this.label = make("span", { className: "vt-label", "aria-hidden": "true" }); // the slider says the same
    this.speed = make("select", { "aria-label": "Speed" }, ...[["0.5", "½×"], ["1", "1×"], ["2", "2×"], ["4", "4×"]].map(([value, text]) => make("option", { value, selected: value === "1" }, text)));
    const transport = make("div", { className: "vt-transport" }, this.play, make("div", { className: "vt-track" }, this.slider, this.ticks), this.label, this.speed);
    this.plot = svg("svg", { class: "vt-plot", role: "img" });
    this.curveKeys = make("div", { className: "vt-keys" });
    this.legend = make("div", { className: "vt-legend" });
    this.trailList = make("div", { className: "vt-trails" });
    this.looked = make("div", { className: "vt-looked" });
    this.curves = make("div", {}, make("h4", {}, "Retrieval over the epochs"), this.plot, this.curveKeys);
    this.side = make(
      "div", { className: "vt-side" }, this.curves, make("div", {}, make("h4", {}, "Shown"), this.legend),
      make("div", { className: "vt-trailbox" }, make("h4", {}, "Trails, and how far they turned"), this.trailList), this.looked,
    );
    this.note = make("div", { className: "vt-note" });
    const { line, say, end } = statusLine(this.model);
    Object.assign(this, { say, endStatus: end });
    const picture = make("div", { className: "vt-picture" }, make("div", { className: "vt-framed" }, this.up, this.stage), this.across, transport);
    this.root = make("div", { className: "vptsp vptsp-timemachine", onkeydown: (event) => this.rootKey(event) }, bar, this.help.table, make("div", { className: "vt-main" }, picture, this.side), this.note, line);
    el.append(this.root);
  }

  load() {
    this.pause();
    const before = this.film;
    this.film = new Film(this.model);
    const { film } = this;
    const { tile } = this.model.get("_atlas") ?? {};
    this.atlas?.close();
    this.atlas = tile ? new Atlas({ get: (key) => this.model.get(key), on() {}, off() {}, send() {} }, () => this.draw()) : null;
    this.atlas?.arrived(0, this.model.get("_tiles"));
    const colours = this.model.get("_colours");
    this.colours = new Uint8Array(colours.buffer, colours.byteOffset, colours.byteLength);
    this.title.textContent = `Time machine of ${film.title}`;
    this.title.title = film.title;
    this.frame.replaceChildren(...film.frames.map(({ name }) => make("option", { value: name }, { pca: "PCA of the last epoch", aligned: "aligned UMAP" }[name])));
    this.frameLabel.hidden = film.frames.length < 2;
    this.picturesLabel.hidden = !this.atlas;
    this.followLabel.hidden = this.model.live === false || !film.training;
    if (this.followLabel.hidden && this.follow.checked) {
      this.follow.checked = false;
      this.followRun();
    }
    this.names.replaceChildren(...[...new Set(film.names)].map((name) => make("option", { value: name })));
    this.slider.max = Math.max(film.times - 1, 1e-6);
    const single = film.times < 2;
    for (const control of [this.slider, this.play, this.speed]) control.disabled = single;
    this.curves.hidden = !film.curves.length;
    this.hovered = -1;
    this.card.hidden = true;
    if (before && before.kinds.join() !== film.kinds.join()) this.hidden.clear();
    this.moment = Math.max(0, film.epochs.indexOf(this.model.get("epoch")));
    this.trails = [...this.model.get("_trails")];
    this.takeFocus(false);
    this.takeFrame();
  }

  // --- what Python sets -----------------------------------------------------------------------------
  push(name, value) {
    this.model.set(name, value);
    this.model.save_changes();
  }

  takeEpoch() {
    const time = this.film.epochs.indexOf(this.model.get("epoch"));
    if (time >= 0 && time !== this.nearest()) {
      this.pause();
      this.show(time);
    }
  }

  takeFrame() {
    this.frame.value = this.model.get("frame");
    this.frameNumber = this.film.frameAt(this.model.get("frame"));
    this.extent = this.film.extent(this.frameNumber);
    const { axes } = this.film.frames[this.frameNumber];
    [this.across.textContent, this.up.textContent] = axes;
    this.resize();
    this.showAll();
  }

  setFrame(name) {
    this.push("frame", name);
    this.takeFrame();
  }

  takeTrails() {
    this.trails = [...this.model.get("_trails")];
    this.showAll();
  }

  takeFocus(draw = true) {
    this.focused = this.film.imageOf.get(this.model.get("_focused")) ?? -1;
    this.selected = new Set([...int32(this.model.get("_selected"))].map((row) => this.film.imageOf.get(row)).filter((image) => image !== undefined));
    if (draw) this.showAll();
  }

  setFocus(image) {
    this.push("_focused", image < 0 ? -1 : this.film.rows[image]);
    this.focused = image; // an image that linked views do not know is looked at here alone
    this.showAll();
    if (image >= 0) this.say(`${this.film.ids[image]}: ${this.film.names[this.film.labels[image]]}`);
  }

  setSelection(images) {
    const rows = images.map((image) => this.film.rows[image]).filter((row) => row >= 0).sort((one, other) => one - other);
    this.push("_selected", bytesOf(Int32Array.from(rows)));
    this.selected = new Set(images);
    this.showAll();
  }

  // --- time -------------------------------------------------------------------------------------------
  nearest() {
    return clip(Math.round(this.moment), 0, this.film.times - 1);
  }

  /** Shows a moment; once it is an epoch, Python learns of it. */
  show(moment) {
    this.moment = clip(moment, 0, this.film.times - 1);
    this.showTime();
    this.draw();
    this.pushEpoch();
  }

  scrub() {
    this.pause();
    this.show(Number(this.slider.value));
  }

  settle() {
    if (!this.playing) this.glide(this.nearest());
  }

  /** To an epoch in a moment's time, so that the eye can follow. */
  glide(time) {
    this.pause();
    this.run(clip(time, 0, this.film.times - 1), 3.5);
  }

  toggle() {
    if (this.playing) return this.pause();
    if (this.moment >= this.film.times - 1) this.moment = 0;
    this.playing = true;
    this.showPlaying();
    this.run(this.film.times - 1, null);
  }

  /** Moves to a moment: at `pace` epochs a second at least, or at the speed chosen. */
  run(target, pace) {
    cancelAnimationFrame(this.frameRequest);
    this.target = pace ? target : null;
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    if (pace && (still || this.moment === target)) {
      this.target = null;
      return this.show(target);
    }
    let before = performance.now();
    let rest = 0;
    const far = Math.abs(target - this.moment);
    const step = (now) => {
      const passed = (now - before) / 1000;
      before = now;
      const each = pace ? Math.max(pace, far * 2.5) : Number(this.speed.value) / SECONDS;
      if (!pace && still) { // a slide show
        rest += passed * each;
        if (rest >= 1) { this.show(Math.floor(this.moment) + 1); rest = 0; }
      } else {
        const way = target - this.moment;
        this.show(Math.abs(way) <= passed * each ? target : this.moment + Math.sign(way) * passed * each);
      }
      if (this.moment !== target) this.frameRequest = requestAnimationFrame(step);
      else this.pause();
    };
    this.frameRequest = requestAnimationFrame(step);
  }

  pause() {
    cancelAnimationFrame(this.frameRequest);
    this.target = null;
    this.playing = false;
    this.showPlaying();
  }

  showPlaying() {
    const word = this.playing ? "Pause (Space)" : "Play (Space)";
    this.play.textContent = this.playing ? "❚❚" : "▶";
    this.play.title = word;
    this.play.setAttribute("aria-label", word);
  }

  followRun() {
    clearInterval(this.following);
    const ask = () => {
      if (!this.asked) this.model.send({ kind: "refresh" });
      this.asked = true; // until the kernel has answered
    };
    if (this.follow.checked) this.following = setInterval(ask, 4000);
  }

  // --- keys ---------------------------------------------------------------------------------------------
  /** Arrows and the like over the epochs; true if the key was one of them. */
  epochKey(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return false;
    const { times } = this.film;
    const here = this.target ?? this.moment; // keys pressed faster than a glide add up
    const up = this.canvas === event.target ? {} : { ArrowUp: Math.floor(here + 1.001), ArrowDown: Math.ceil(here - 1.001) };
    const to = {
      ArrowRight: Math.floor(here + 1.001), ArrowLeft: Math.ceil(here - 1.001), Home: 0, End: times - 1,
      PageUp: this.nearest() + 5, PageDown: this.nearest() - 5, ...up,
    }[event.key];
    if (to === undefined) return false;
    event.preventDefault();
    event.stopPropagation();
    this.glide(to);
    return true;
  }

  stageKey(event) {
    if (this.epochKey(event)) return;
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      const shown = [...Array(this.film.images).keys()].filter((image) => this.isShown(image));
      const at = shown.indexOf(this.focused);
      const step = event.key === "ArrowDown" ? 1 : -1;
      if (shown.length) this.setFocus(shown[at < 0 ? (step > 0 ? 0 : shown.length - 1) : (at + step + shown.length) % shown.length]);
    } else if (event.key === "Enter" && this.focused >= 0) this.switchSelected(this.focused);
    else return;
    event.preventDefault();
  }

  rootKey(event) {
    const typing = event.target === this.find;
    if (event.key === "?" && !typing) this.help.toggle();
    else if (event.key === " " && !["BUTTON", "SELECT", "INPUT"].includes(event.target.tagName)) this.toggle();
    else if (event.key === " " && event.target === this.slider) this.toggle();
    else if (event.key === "Escape" && !typing && (this.focused >= 0 || this.selected.size)) {
      this.setSelection([]);
      this.setFocus(-1);
    } else return;
    event.preventDefault();
  }

  // --- pointer and choice ---------------------------------------------------------------------------------
  isShown(point) {
    const { film } = this;
    if (point < film.images) return !this.hidden.has(film.isTest(point) ? "test" : "train");
    return !this.hidden.has(film.proxyOf(point).kind);
  }

  /** The point under the pointer, or -1; of points equally near, the one drawn on top. */
  under(event) {
    const box = this.canvas.getBoundingClientRect();
    const [x, y] = [event.clientX - box.left, event.clientY - box.top];
    const wide = this.pictures.checked && this.atlas ? 14 : REACH;
    let [best, found] = [Infinity, -1];
    for (let point = 0; point < this.film.points; point++) {
      if (!this.isShown(point)) continue;
      const [left, top] = this.screen(this.film.xy[2 * point], this.film.xy[2 * point + 1]);
      const trailed = this.trails.includes(this.film.classOf(point)) ? 4 : 0;
      const away = Math.hypot(left - x, top - y);
      if (away <= (point < this.film.images ? wide : REACH) + trailed / 4 && away - trailed <= best) [best, found] = [away - trailed, point];
    }
    return found;
  }

  hover(event) {
    if (event.pointerType === "touch") return;
    this.hoverAt(this.under(event));
  }

  hoverAt(point) {
    if (point === this.hovered) return;
    this.hovered = point;
    this.canvas.style.cursor = point >= 0 ? "pointer" : "default";
    this.draw();
  }

  click(event) {
    const point = this.under(event);
    if (point < 0) return;
    if (point >= this.film.images) this.switchTrail(this.film.classOf(point));
    else if (event.shiftKey) this.switchSelected(point);
    else this.setFocus(point === this.focused ? -1 : point);
  }

  switchSelected(image) {
    const images = new Set(this.selected);
    if (!images.delete(image)) images.add(image);
    this.setSelection([...images]);
    this.say(`${count(images.size)} selected`);
  }

  switchTrail(label) {
    const name = this.film.names[label];
    if (this.trails.includes(label)) this.setTrails(this.trails.filter((other) => other !== label));
    else if (this.trails.length >= MOST) return this.say(`${MOST} classes have trails, which is as many as can be told apart: take one away first`);
    else this.setTrails([...this.trails, label]);
    this.say(this.trails.includes(label) ? `${name}: trails shown` : `${name}: trails taken away`);
  }

  setTrails(labels) {
    this.trails = labels;
    this.push("_trails", labels);
    this.showAll();
  }

  search(entered) {
    const wanted = this.find.value.trim().toLowerCase();
    const names = this.film.names.map((name) => name.toLowerCase());
    let label = names.indexOf(wanted);
    if (label < 0 && entered && wanted) label = names.findIndex((name) => name.includes(wanted));
    if (label < 0) return entered && this.say(`no class is called "${this.find.value}"`);
    if (!entered && names.some((name, other) => other !== label && name.startsWith(wanted))) return; // maybe more to come
    this.find.value = "";
    if (!this.trails.includes(label)) this.switchTrail(label);
  }

  // --- drawing -----------------------------------------------------------------------------------------------
  showAll() {
    this.showLegend();
    this.showTrails();
    this.showLooked();
    this.showNote();
    this.showTime();
    this.draw();
  }

  resize() {
    if (this.closed || !this.film || !this.extent) return;
    const [width, height] = [this.stage.clientWidth, this.stage.clientHeight];
    const ratio = clip(window.devicePixelRatio || 1, 1, 3);
    if (width && height) {
      this.canvas.width = Math.round(width * ratio);
      this.canvas.height = Math.round(height * ratio);
    }
    Object.assign(this, { width, height, ratio });
    const [left, right, low, high] = this.extent;
    const room = 26;
    this.scale = Math.min((width - 2 * room) / Math.max(right - left, 1e-9), (height - 2 * room) / Math.max(high - low, 1e-9));
    if (!(this.scale > 0 && this.scale < 1e9)) this.scale = 1;
    this.middle = [(left + right) / 2, (low + high) / 2];
    this.showCurves();
    this.draw();
  }

  screen(x, y) {
    return [this.width / 2 + (x - this.middle[0]) * this.scale, this.height / 2 - (y - this.middle[1]) * this.scale];
  }

  ink() {
    const style = getComputedStyle(this.root);
    this.inks ??= Object.fromEntries(["ink", "soft", "paper", "accent"].map((name) => [name, style.getPropertyValue(`--${name}`).trim()]));
    return this.inks;
  }

  /** Colour of a class: of its own among those with trails, of the palette where there are none. */
  classColour(label) {
    const slot = this.trails.indexOf(label);
    const size = this.colours.length / 2;
    const at = (this.dark ? size : 0) + 3 * (slot >= 0 ? slot : label);
    return `rgb(${this.colours.subarray(at, at + 3).join()})`;
  }

  colourOf(point) {
    const label = this.film.classOf(point);
    const proxy = this.film.proxyOf(point);
    if (this.colour.value === "class") return this.trails.length && !this.trails.includes(label) ? this.ink().soft : this.classColour(label);
    return proxy ? KINDS[proxy.kind][this.dark ? "dark" : "light"] : this.ink().soft;
  }

  draw() {
    const { film } = this;
    if (!film || !this.width || this.closed) return;
    film.moveTo(this.frameNumber, this.moment);
    const context = this.canvas.getContext("2d");
    context.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    context.clearRect(0, 0, this.width, this.height);
    const { paper, ink, accent } = this.ink();
    const trailed = new Set(this.trails);
    const points = [...Array(film.points).keys()].filter((point) => this.isShown(point));
    const lit = (point) => !trailed.size || trailed.has(film.classOf(point));
    for (const point of points) if (!lit(point)) this.drawPoint(context, point, false);
    const bright = points.filter(lit);
    if (trailed.size) for (const point of bright) if (point >= film.images) this.drawTrail(context, point);
    if (this.focused >= 0 && this.isShown(this.focused)) this.drawTrail(context, this.focused);
    if (this.hovered >= 0 && !trailed.has(film.classOf(this.hovered))) this.drawTrail(context, this.hovered);
    for (const point of bright) this.drawPoint(context, point, true);
    for (const image of this.selected) if (this.isShown(image)) this.ring(context, image, accent, 2);
    if (this.focused >= 0 && this.isShown(this.focused)) this.ring(context, this.focused, ink, 2);
    if (this.hovered >= 0 && this.isShown(this.hovered)) {
      if (!lit(this.hovered)) this.drawPoint(context, this.hovered, true);
      this.ring(context, this.hovered, ink, 1.2);
    }
    this.drawNames(context, paper);
    this.showCard();
  }

  drawPoint(context, point, lit) {
    const { film } = this;
    const proxy = film.proxyOf(point);
    const [x, y] = this.screen(film.xy[2 * point], film.xy[2 * point + 1]);
    const many = this.trails.length > 0;
    context.globalAlpha = lit ? 1 : 0.3;
    if (proxy) sign(context, proxy.kind, x, y, lit && many ? 7 : 4.2, this.colourOf(point), this.ink().paper);
    else if (this.pictures.checked && this.atlas && this.atlas.place(point)) {
      const size = lit ? 26 : 18;
      context.globalAlpha = lit ? 1 : 0.45;
      this.atlas.draw(context, point, x - size / 2, y - size / 2, size);
      context.strokeStyle = this.colourOf(point);
      context.lineWidth = lit ? 1.6 : 0.8;
      context.strokeRect(x - size / 2, y - size / 2, size, size);
    } else sign(context, film.isTest(point) ? "test" : "train", x, y, lit && many ? 5.2 : 3.4, this.colourOf(point), this.ink().paper);
    context.globalAlpha = 1;
  }

  ring(context, point, colour, width) {
    const [x, y] = this.screen(this.film.xy[2 * point], this.film.xy[2 * point + 1]);
    context.beginPath();
    context.arc(x, y, this.pictures.checked && point < this.film.images ? 20 : 10.5, 0, 7);
    context.strokeStyle = colour;
    context.lineWidth = width;
    context.stroke();
  }

  /** The way of a point from the first epoch to the moment shown, ever stronger, with a dot at each epoch. */
  drawTrail(context, point) {
    const { film, moment } = this;
    const last = Math.floor(moment);
    const way = [];
    for (let time = 0; time <= last; time++) way.push(this.screen(...film.at(this.frameNumber, time, point)));
    way.push(this.screen(film.xy[2 * point], film.xy[2 * point + 1]));
    context.strokeStyle = context.fillStyle = this.colourOf(point);
    context.lineWidth = 1.7;
    context.lineCap = "round";
    const proxy = film.proxyOf(point);
    context.setLineDash(proxy?.kind === "semantic" ? [6, 3] : proxy?.kind === "learned" ? [1.5, 3.5] : []);
    for (let step = 1; step < way.length; step++) {
      context.globalAlpha = 0.25 + (0.6 * step) / way.length;
      context.beginPath();
      context.moveTo(...way[step - 1]);
      context.lineTo(...way[step]);
      context.stroke();
    }
    context.setLineDash([]);
    for (let time = 0; time <= last; time++) {
      context.globalAlpha = 0.35 + (0.6 * time) / way.length;
      context.beginPath();
      context.arc(...way[time], time ? 1.8 : 2.6, 0, 7);
      context.fill();
    }
    context.globalAlpha = 1;
  }

  /** Names of the classes with trails beside their last kind of proxy, where they do not meet another name. */
  drawNames(context, paper) {
    const { film } = this;
    context.font = "600 12px system-ui, sans-serif";
    context.textBaseline = "middle";
    context.lineJoin = "round";
    const taken = [];
    for (const label of this.trails) {
      const kind = film.kinds.findLastIndex((name) => !this.hidden.has(name));
      const image = [...Array(film.images).keys()].find((one) => film.labels[one] === label && this.isShown(one));
      const point = film.proxy[label] >= 0 && kind >= 0 ? film.pointOf(kind, film.proxy[label]) : image;
      if (point === undefined) continue;
      const [x, y] = this.screen(film.xy[2 * point], film.xy[2 * point + 1]);
      const name = film.names[label].length > 26 ? `${film.names[label].slice(0, 25)}…` : film.names[label];
      const wide = context.measureText(name).width;
      const left = x + 12 + wide > this.width - 4 ? x - 12 - wide : x + 12;
      let free = [0, 16, -16, 32, -32, 48, -48].map((down) => clip(y + down, 10, this.height - 10));
      free = free.find((top) => taken.every(([a, b, c]) => Math.abs(b - top) >= 15 || left > a + c + 4 || left + wide + 4 < a));
      if (free === undefined) continue;
      taken.push([left, free, wide]);
      context.strokeStyle = paper;
      context.lineWidth = 4;
      context.strokeText(name, left, free);
      context.fillStyle = this.classColour(label);
      context.fillText(name, left, free);
    }
  }

  // --- beside the picture -------------------------------------------------------------------------------------
  showTime() {
    const { film } = this;
    const epoch = film.epochs[this.nearest()];
    const first = film.epochs[0] === 0 && this.nearest() === 0;
    this.slider.value = this.moment;
    this.slider.setAttribute("aria-valuetext", `epoch ${epoch} of ${film.epochs.at(-1)}`);
    this.slider.style.setProperty("--done", `${(100 * this.moment) / Math.max(1, film.times - 1)}%`);
    this.label.textContent = `epoch ${epoch} of ${film.epochs.at(-1)}`;
    this.big.replaceChildren(make("b", {}, String(epoch)), make("span", {}, first ? "before training" : film.times < 2 ? "the only epoch so far" : "epoch"));
    const parts = film.curves.map(({ title, values }) => [title, values[this.nearest()]]).filter(([, value]) => value !== null);
    this.canvas.setAttribute("aria-label", `Epoch ${epoch} of ${film.epochs.at(-1)}. ${parts.map(([title, value]) => `${title} ${value.toFixed(1)} %`).join(", ")}`);
    this.showHead();
  }

  /** Places of the epochs' numbers: all, or as many as there is room for. */
  showTicks() {
    const { epochs, times } = this.film;
    const room = Math.max(1, Math.floor(this.ticks.clientWidth / 34));
    const every = Math.max(1, Math.ceil((times - 1) / room));
    const shown = epochs.map((epoch, time) => [epoch, time]).filter(([, time]) => time === times - 1 || (time % every === 0 && times - 1 - time >= every * 0.7));
    this.ticks.replaceChildren(...shown.map(([epoch, time]) => {
      const share = time / Math.max(1, times - 1);
      return make("span", { style: { left: `calc(8px + (100% - 16px) * ${share})` } }, String(epoch));
    }));
  }

  showCurves() {
    const { film } = this;
    this.showTicks();
    const width = Math.max(200, this.curves.clientWidth);
    const [height, left, right, top, bottom] = [168, 40, 10, 10, 34];
    const [first, last] = [film.epochs[0], film.epochs.at(-1)];
    this.atX = (epoch) => left + ((epoch - first) / Math.max(1e-9, last - first)) * (width - left - right);
    this.atY = (value) => height - bottom - (value / 100) * (height - top - bottom);
    const parts = [];
    for (const value of [0, 25, 50, 75, 100]) {
      parts.push(svg("line", { class: "vt-grid", x1: left, x2: width - right, y1: this.atY(value), y2: this.atY(value) }));
      if (value % 50 === 0) parts.push(svg("text", { x: left - 5, y: this.atY(value) + 4, "text-anchor": "end" }, String(value)));
    }
    const every = Math.max(1, Math.ceil(film.times / ((width - left) / 34)));
    film.epochs.forEach((epoch, time) => {
      if (time % every === 0) parts.push(svg("text", { x: this.atX(epoch), y: height - bottom + 14, "text-anchor": "middle" }, String(epoch)));
    });
    parts.push(svg("text", { x: left + (width - left - right) / 2, y: height - 4, "text-anchor": "middle" }, "epoch"));
    const middle = top + (height - top - bottom) / 2;
    parts.push(svg("text", { x: 10, y: middle, "text-anchor": "middle", transform: `rotate(-90 10 ${middle})` }, "percent"));
    film.curves.forEach(({ values }, turn) => {
      const look = LINES[turn];
      const stroke = look[this.dark ? "dark" : "light"];
      const known = values.map((value, time) => [film.epochs[time], value]).filter(([, value]) => value !== null);
      const path = known.map(([epoch, value]) => `${this.atX(epoch).toFixed(1)},${this.atY(value).toFixed(1)}`).join(" ");
      parts.push(svg("polyline", { class: "vt-line", points: path, stroke, "stroke-dasharray": look.dash }));
      if (known.length === 1) parts.push(svg("circle", { cx: this.atX(known[0][0]), cy: this.atY(known[0][1]), r: 3, fill: stroke }));
    });
    this.head = svg("g", { class: "vt-head" });
    this.plot.setAttribute("width", width);
    this.plot.setAttribute("height", height);
    const ends = film.curves.map(({ title, values }) => `${title}: ${values.at(-1) === null ? "not scored" : `${values.at(-1).toFixed(1)} %`} after epoch ${last}`);
    this.plot.setAttribute("aria-label", ends.join("; "));
    this.plot.replaceChildren(...parts, this.head);
    this.showHead();
  }

  /** The playhead in the curves, and what they say there. */
  showHead() {
    const { film, moment } = this;
    if (!this.head) return;
    const before = Math.floor(moment);
    const after = Math.min(before + 1, film.times - 1);
    const between = (one, other) => one + (other - one) * (moment - before);
    const x = this.atX(between(film.epochs[before], film.epochs[after]));
    const marks = [svg("line", { x1: x, x2: x, y1: this.atY(100), y2: this.atY(0) })];
    const keys = film.curves.map(({ title, note, values }, turn) => {
      const colour = LINES[turn][this.dark ? "dark" : "light"];
      const value = values[this.nearest()];
      if (values[before] !== null && values[after] !== null) marks.push(svg("circle", { cx: x, cy: this.atY(between(values[before], values[after])), r: 4, fill: colour }));
      const swatch = svg("svg", { width: 22, height: 8, "aria-hidden": "true" }, svg("line", { x1: 1, x2: 21, y1: 4, y2: 4, stroke: colour, "stroke-width": 2.5, "stroke-dasharray": LINES[turn].dash }));
      return make("div", {}, swatch, make("span", {}, title, make("small", {}, note)), make("b", {}, value === null ? "–" : `${value.toFixed(1)} %`));
    });
    this.head.replaceChildren(...marks);
    this.curveKeys.replaceChildren(...keys);
  }

  showLegend() {
    const { film } = this;
    const { train, test, classes, classes_of: of } = film.counts;
    const rows = film.kinds.map((kind) => [kind, KINDS[kind].title, some(classes, of, "classes")]);
    if (train) rows.push(["train", "train probe images", count(train)]);
    if (test) rows.push(["test", "test probe images", count(test)]);
    const { paper, ink } = this.ink();
    this.legend.replaceChildren(...rows.map(([kind, title, number]) => {
      const picture = make("canvas", { width: 36, height: 36, "aria-hidden": "true" });
      const context = picture.getContext("2d");
      context.scale(2, 2);
      const own = this.colour.value === "kind" && KINDS[kind] ? KINDS[kind][this.dark ? "dark" : "light"] : ink;
      sign(context, kind, 9, 9, KINDS[kind] ? 6 : 4.5, own, paper);
      const box = make("input", { type: "checkbox", checked: !this.hidden.has(kind), "aria-label": title, onchange: () => this.switchKind(kind, box.checked) });
      return make("label", {}, box, picture, make("span", {}, title), make("small", {}, number));
    }));
  }

  switchKind(kind, shown) {
    shown ? this.hidden.delete(kind) : this.hidden.add(kind);
    this.draw();
    this.showNote();
  }

  showTrails() {
    const { film } = this;
    const chips = this.trails.map((label) => {
      const name = film.names[label];
      const turned = film.kinds.filter((kind) => film.proxy[label] >= 0).map((kind) => `${kind} ${film.moved[kind][film.proxy[label]].toFixed(0)}°`);
      return make(
        "div", { className: "vt-chip" }, make("i", { style: { background: this.classColour(label) } }),
        make("span", {}, name, make("small", {}, turned.length ? turned.join(", ") : "no proxy: its images only")),
        make("button", { type: "button", "aria-label": `Take away the trails of ${name}`, title: "Take away", onclick: () => this.switchTrail(label) }, "×"),
      );
    });
    const hint = film.kinds.length ? "Click a proxy or type a class name for the way it went." : "This run has no proxies; type a class name to light up its images.";
    const explained = this.trails.length ? "Degrees between first and last epoch, in the embedding space. The dots of a trail are epochs." : hint;
    const clear = this.trails.length > 1 ? [make("button", { type: "button", onclick: () => this.setTrails([]) }, "Take all away")] : [];
    this.trailList.replaceChildren(...chips, make("p", {}, explained), ...clear);
  }

  showLooked() {
    const { film, focused } = this;
    this.looked.hidden = focused < 0;
    if (focused < 0) return;
    const name = film.names[film.labels[focused]];
    const picture = this.atlas?.place(focused) ? [this.atlas.element(focused, 48, name)] : [];
    const split = film.isTest(focused) ? "test" : "train";
    this.looked.replaceChildren(make("h4", {}, "Looked at"), make("div", { className: "vt-about" }, ...picture, make("div", {}, make("b", {}, name), make("small", {}, `${split} image ${film.ids[focused]}`))));
  }

  showCard() {
    const { film, hovered } = this;
    this.card.hidden = hovered < 0 || !this.isShown(hovered);
    if (this.card.hidden) return;
    if (this.card.dataset.point !== String(hovered) || this.card.dataset.film !== film.title) {
      const proxy = film.proxyOf(hovered);
      const name = film.names[film.classOf(hovered)];
      const what = proxy ? `${proxy.kind} proxy · click for trails` : `${film.isTest(hovered) ? "test" : "train"} image ${film.ids[hovered]}`;
      const picture = !proxy && this.atlas?.place(hovered) ? [this.atlas.element(hovered, 48, name)] : [];
      this.card.replaceChildren(...picture, make("div", {}, make("b", {}, name), make("small", {}, what)));
      this.card.dataset.point = hovered;
      this.card.dataset.film = film.title;
    }
    const [x, y] = this.screen(film.xy[2 * hovered], film.xy[2 * hovered + 1]);
    const [wide, high] = [this.card.offsetWidth, this.card.offsetHeight];
    const left = x + 16 + wide > this.width ? x - 16 - wide : x + 16;
    this.card.style.transform = `translate(${clip(left, 4, Math.max(4, this.width - wide - 4))}px, ${clip(y - high / 2, 4, Math.max(4, this.height - high - 4))}px)`;
  }

  showNote() {
    const { film } = this;
    const { train, test, images_of: all, classes, classes_of: allClasses } = film.counts;
    const parts = [];
    const off = ["train", "test"].filter((split) => this.hidden.has(split)).reduce((sum, split) => sum + film.counts[split], 0);
    if (train + test - off < all) parts.push(`${some(train + test - off, all, "probe images")}.`);
    if (film.kinds.length && classes < allClasses) parts.push(`Proxies of ${some(classes, allClasses, "training classes")}.`);
    const kinds = film.kinds.filter((kind) => !this.hidden.has(kind));
    if (kinds.length < film.kinds.length) parts.push(`${kinds.length} of ${film.kinds.length} kinds of proxies shown.`);
    this.note.textContent = [film.frames[this.frameNumber ?? 0].note, ...parts].join(" ");
  }

  close() {
    this.closed = true;
    this.pause();
    clearInterval(this.following);
    this.sizes.disconnect();
    this.ends.forEach((end) => end());
    this.model.off("msg:custom", this.answered);
    this.endStatus();
    this.atlas?.close();
    this.root.remove();
  }
}

export default {
  render({ model, el }) {
    const machine = new TimeMachine(model, el);
    return () => machine.close();
  },
};
