// A run played again: proxies and probe images move through its epochs in one frozen frame.
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
const some = (shown, of, what) => (shown === of ? `${count(of)} ${what}` : `${count(shown)} of ${count(of)} ${what} shown`);

class TimeMachine {
  constructor(model, el) {
    this.model = model;
    this.hovered = -1;
    this.build(el);
    this.ends = [
      onTheme((dark) => {
        this.root.classList.toggle("vptsp-dark", dark);
        this.looks.setTheme(dark);
        this.film && this.showAll();
      }),
      onTraits(model, {
        _content: () => this.later(), _places: () => this.later(), _tiles: () => this.later(),
        epoch: () => this.takeEpoch(), frame: () => this.takeFrame(), _trails: () => this.choice.takeTrails(),
        _focused: () => this.choice.takeFocus(), _selected: () => this.choice.takeFocus(),
      }),
    ];
    this.later = debounced(() => !this.closed && this.load(), 0); // once for all that came together
    this.pushEpoch = debounced(() => !this.closed && push(model, "epoch", this.film.epochs[this.player.nearest()]), 120);
    this.sizes = new ResizeObserver(() => this.resize());
    this.sizes.observe(this.stage);
    this.sizes.observe(this.side);
    this.load();
  }

  // --- the page -----------------------------------------------------------------------------------
  build(el) {
    const { line, say, end } = statusLine(this.model);
    Object.assign(this, { say, endStatus: end });
    this.root = make("div", { className: "vptsp vptsp-timemachine", onkeydown: (event) => this.rootKey(event) });
    this.choice = new Choice(this.model, say, () => this.showAll());
    this.looks = new Looks(this.root, this.choice, () => this.showAll());
    this.player = new Player(() => this.moved());
    this.curves = new Curves();
    this.follower = new Follower(this.model);
    this.title = make("strong", { className: "vt-title" });
    this.frame = make("select", { "aria-label": "Frame", onchange: () => this.setFrame(this.frame.value) });
    this.frameLabel = make("label", {}, "Frame", this.frame);
    this.names = make("datalist", { id: `vt-classes-${Math.random().toString(36).slice(2)}` });
    this.find = make("input", {
      type: "search", placeholder: "class name", "aria-label": "Trails of a class", autocomplete: "off",
      oninput: () => this.find.value && this.search(false), onkeydown: (event) => event.key === "Enter" && this.search(true),
    });
    this.find.setAttribute("list", this.names.id);
    this.pictures = make("input", { type: "checkbox", onchange: () => this.draw() });
    this.picturesLabel = make("label", {}, this.pictures, "Thumbnails");
    this.help = helpPanel(HELP);
    const bar = make(
      "div", { className: "vptsp-bar" }, this.title, this.frameLabel, make("label", {}, "Colour by", this.looks.select),
      make("label", {}, "Trails of", this.find), this.names, this.picturesLabel, this.follower.element,
      make("button", { type: "button", title: "Keys and gestures (?)", "aria-label": "Keys and gestures (?)", onclick: () => this.help.toggle() }, "?"),
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
    this.legend = make("div", { className: "vt-legend" });
    this.trailList = make("div", { className: "vt-trails" });
    this.looked = make("div", { className: "vt-looked" });
    this.side = make(
      "div", { className: "vt-side" }, this.curves.element, make("div", {}, make("h4", {}, "Shown"), this.legend),
      make("div", { className: "vt-trailbox" }, make("h4", {}, "Trails, and how far they turned"), this.trailList), this.looked,
    );
    this.note = make("div", { className: "vt-note" });
    const picture = make("div", { className: "vt-picture" }, make("div", { className: "vt-framed" }, this.up, this.stage), this.across, this.player.element);
    this.root.append(bar, this.help.table, make("div", { className: "vt-main" }, picture, this.side), this.note, line);
    el.append(this.root);
  }

  load() {
    this.player.pause();
    const film = this.film = new Film(this.model);
    const { tile } = this.model.get("_atlas") ?? {};
    this.atlas?.close();
    this.atlas = tile ? new Atlas({ get: (key) => this.model.get(key), on() {}, off() {}, send() {} }, () => this.draw()) : null;
    this.atlas?.arrived(0, this.model.get("_tiles"));
    this.title.textContent = `Time machine of ${film.title}`;
    this.title.title = film.title;
    this.frame.replaceChildren(...film.frames.map(({ name }) => make("option", { value: name }, { pca: "PCA of the last epoch", aligned: "aligned UMAP" }[name])));
    this.frameLabel.hidden = film.frames.length < 2;
    this.picturesLabel.hidden = !this.atlas;
    this.names.replaceChildren(...[...new Set(film.names)].map((name) => make("option", { value: name })));
    this.hovered = -1;
    this.card.hidden = true;
    this.looks.load(film, this.model.get("_colours"));
    this.follower.load(film);
    this.player.load(film, Math.max(0, film.epochs.indexOf(this.model.get("epoch"))));
    this.curves.load(film);
    this.choice.load(film);
    this.takeFrame();
  }

  // --- what Python sets -----------------------------------------------------------------------------
  takeEpoch() {
    const time = this.film.epochs.indexOf(this.model.get("epoch"));
    if (time >= 0 && time !== this.player.nearest()) this.player.jump(time);
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
    push(this.model, "frame", name);
    this.takeFrame();
  }

  // --- keys ---------------------------------------------------------------------------------------------
  stageKey(event) {
    if (this.player.key(event)) return;
    if (event.key === "ArrowDown" || event.key === "ArrowUp") this.choice.stepFocus(event.key === "ArrowDown" ? 1 : -1);
    else if (event.key === "Enter" && this.choice.focused >= 0) this.choice.switchSelected(this.choice.focused);
    else return;
    event.preventDefault();
  }

  rootKey(event) {
    const typing = event.target === this.find;
    if (event.key === "?" && !typing) this.help.toggle();
    else if (event.key === " " && !["BUTTON", "SELECT", "INPUT"].includes(event.target.tagName)) this.player.toggle();
    else if (event.key === " " && event.target === this.player.slider) this.player.toggle();
    else if (event.key === "Escape" && !typing && (this.choice.focused >= 0 || this.choice.selected.size)) {
      this.choice.setSelection([]);
      this.choice.setFocus(-1);
    } else return;
    event.preventDefault();
  }

  // --- pointer and choice ---------------------------------------------------------------------------------
  /** The point under the pointer, or -1; of points equally near, the one drawn on top. */
  under(event) {
    const box = this.canvas.getBoundingClientRect();
    const [x, y] = [event.clientX - box.left, event.clientY - box.top];
    const wide = this.pictures.checked && this.atlas ? 14 : REACH;
    let [best, found] = [Infinity, -1];
    for (let point = 0; point < this.film.points; point++) {
      if (!this.choice.isShown(point)) continue;
      const [left, top] = this.screen(this.film.xy[2 * point], this.film.xy[2 * point + 1]);
      const trailed = this.choice.trails.includes(this.film.classOf(point)) ? 4 : 0;
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
    if (point >= this.film.images) this.choice.switchTrail(this.film.classOf(point));
    else if (event.shiftKey) this.choice.switchSelected(point);
    else this.choice.setFocus(point === this.choice.focused ? -1 : point);
  }

  search(entered) {
    const wanted = this.find.value.trim().toLowerCase();
    const names = this.film.names.map((name) => name.toLowerCase());
    let label = names.indexOf(wanted);
    if (label < 0 && entered && wanted) label = names.findIndex((name) => name.includes(wanted));
    if (label < 0) return entered && this.say(`no class is called "${this.find.value}"`);
    if (!entered && names.some((name, other) => other !== label && name.startsWith(wanted))) return; // maybe more to come
    this.find.value = "";
    if (!this.choice.trails.includes(label)) this.choice.switchTrail(label);
  }

  // --- drawing -----------------------------------------------------------------------------------------------
  showAll() {
    this.showLegend();
    this.showTrails();
    this.showLooked();
    this.showNote();
    this.player.showTime();
    this.showTime();
    this.draw();
  }

  /** After the player moved; once it stands at an epoch, Python learns of it. */
  moved() {
    this.showTime();
    this.draw();
    this.pushEpoch();
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
    this.player.showTicks();
    this.curves.show(this.player.moment, this.looks);
    this.draw();
  }

  screen(x, y) {
    return [this.width / 2 + (x - this.middle[0]) * this.scale, this.height / 2 - (y - this.middle[1]) * this.scale];
  }

  draw() {
    const { film } = this;
    if (!film || !this.width || this.closed) return;
    film.moveTo(this.frameNumber, this.player.moment);
    const context = this.canvas.getContext("2d");
    context.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    context.clearRect(0, 0, this.width, this.height);
    const { paper, ink, accent } = this.looks.ink();
    const trailed = new Set(this.choice.trails);
    const points = [...Array(film.points).keys()].filter((point) => this.choice.isShown(point));
    const lit = (point) => !trailed.size || trailed.has(film.classOf(point));
    for (const point of points) if (!lit(point)) this.drawPoint(context, point, false);
    const bright = points.filter(lit);
    if (trailed.size) for (const point of bright) if (point >= film.images) this.drawTrail(context, point);
    if (this.choice.focused >= 0 && this.choice.isShown(this.choice.focused)) this.drawTrail(context, this.choice.focused);
    if (this.hovered >= 0 && !trailed.has(film.classOf(this.hovered))) this.drawTrail(context, this.hovered);
    for (const point of bright) this.drawPoint(context, point, true);
    for (const image of this.choice.selected) if (this.choice.isShown(image)) this.ring(context, image, accent, 2);
    if (this.choice.focused >= 0 && this.choice.isShown(this.choice.focused)) this.ring(context, this.choice.focused, ink, 2);
    if (this.hovered >= 0 && this.choice.isShown(this.hovered)) {
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
    const many = this.choice.trails.length > 0;
    context.globalAlpha = lit ? 1 : 0.3;
    if (proxy) sign(context, proxy.kind, x, y, lit && many ? 7 : 4.2, this.looks.colourOf(point), this.looks.ink().paper);
    else if (this.pictures.checked && this.atlas && this.atlas.place(point)) {
      const size = lit ? 26 : 18;
      context.globalAlpha = lit ? 1 : 0.45;
      this.atlas.draw(context, point, x - size / 2, y - size / 2, size);
      context.strokeStyle = this.looks.colourOf(point);
      context.lineWidth = lit ? 1.6 : 0.8;
      context.strokeRect(x - size / 2, y - size / 2, size, size);
    } else sign(context, film.isTest(point) ? "test" : "train", x, y, lit && many ? 5.2 : 3.4, this.looks.colourOf(point), this.looks.ink().paper);
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
    const { film } = this;
    const last = Math.floor(this.player.moment);
    const way = [];
    for (let time = 0; time <= last; time++) way.push(this.screen(...film.at(this.frameNumber, time, point)));
    way.push(this.screen(film.xy[2 * point], film.xy[2 * point + 1]));
    context.strokeStyle = context.fillStyle = this.looks.colourOf(point);
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
    for (const label of this.choice.trails) {
      const kind = film.kinds.findLastIndex((name) => !this.choice.hidden.has(name));
      const image = [...Array(film.images).keys()].find((one) => film.labels[one] === label && this.choice.isShown(one));
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
      context.fillStyle = this.looks.classColour(label);
      context.fillText(name, left, free);
    }
  }

  // --- beside the picture -------------------------------------------------------------------------------------
  showTime() {
    const { film } = this;
    const epoch = film.epochs[this.player.nearest()];
    const first = film.epochs[0] === 0 && this.player.nearest() === 0;
    this.big.replaceChildren(make("b", {}, String(epoch)), make("span", {}, first ? "before training" : film.times < 2 ? "the only epoch so far" : "epoch"));
    const parts = film.curves.map(({ title, values }) => [title, values[this.player.nearest()]]).filter(([, value]) => value !== null);
    this.canvas.setAttribute("aria-label", `Epoch ${epoch} of ${film.epochs.at(-1)}. ${parts.map(([title, value]) => `${title} ${value.toFixed(1)} %`).join(", ")}`);
    this.curves.showHead(this.player.moment, this.looks);
  }

  showLegend() {
    const { film } = this;
    const { train, test, classes, classes_of: of } = film.counts;
    const rows = film.kinds.map((kind) => [kind, KINDS[kind].title, some(classes, of, "classes")]);
    if (train) rows.push(["train", "train probe images", count(train)]);
    if (test) rows.push(["test", "test probe images", count(test)]);
    const { paper, ink } = this.looks.ink();
    this.legend.replaceChildren(...rows.map(([kind, title, number]) => {
      const picture = make("canvas", { width: 36, height: 36, "aria-hidden": "true" });
      const context = picture.getContext("2d");
      context.scale(2, 2);
      const own = this.looks.byKind && KINDS[kind] ? this.looks.themed(KINDS[kind]) : ink;
      sign(context, kind, 9, 9, KINDS[kind] ? 6 : 4.5, own, paper);
      const box = make("input", { type: "checkbox", checked: !this.choice.hidden.has(kind), "aria-label": title, onchange: () => this.switchKind(kind, box.checked) });
      return make("label", {}, box, picture, make("span", {}, title), make("small", {}, number));
    }));
  }

  switchKind(kind, shown) {
    this.choice.showKind(kind, shown);
    this.draw();
    this.showNote();
  }

  showTrails() {
    const { film } = this;
    const chips = this.choice.trails.map((label) => {
      const name = film.names[label];
      const turned = film.kinds.filter((kind) => film.proxy[label] >= 0).map((kind) => `${kind} ${film.moved[kind][film.proxy[label]].toFixed(0)}°`);
      return make(
        "div", { className: "vt-chip" }, make("i", { style: { background: this.looks.classColour(label) } }),
        make("span", {}, name, make("small", {}, turned.length ? turned.join(", ") : "no proxy: its images only")),
        make("button", { type: "button", "aria-label": `Take away the trails of ${name}`, title: "Take away", onclick: () => this.choice.switchTrail(label) }, "×"),
      );
    });
    const hint = film.kinds.length ? "Click a proxy or type a class name for the way it went." : "This run has no proxies; type a class name to light up its images.";
    const explained = this.choice.trails.length ? "Degrees between first and last epoch, in the embedding space. The dots of a trail are epochs." : hint;
    const clear = this.choice.trails.length > 1 ? [make("button", { type: "button", onclick: () => this.choice.setTrails([]) }, "Take all away")] : [];
    this.trailList.replaceChildren(...chips, make("p", {}, explained), ...clear);
  }

  showLooked() {
    const { film } = this;
    const { focused } = this.choice;
    this.looked.hidden = focused < 0;
    if (focused < 0) return;
    const name = film.names[film.labels[focused]];
    const picture = this.atlas?.place(focused) ? [this.atlas.element(focused, 48, name)] : [];
    const split = film.isTest(focused) ? "test" : "train";
    this.looked.replaceChildren(make("h4", {}, "Looked at"), make("div", { className: "vt-about" }, ...picture, make("div", {}, make("b", {}, name), make("small", {}, `${split} image ${film.ids[focused]}`))));
  }

  showCard() {
    const { film, hovered } = this;
    this.card.hidden = hovered < 0 || !this.choice.isShown(hovered);
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
    const off = ["train", "test"].filter((split) => this.choice.hidden.has(split)).reduce((sum, split) => sum + film.counts[split], 0);
    if (train + test - off < all) parts.push(`${some(train + test - off, all, "probe images")}.`);
    if (film.kinds.length && classes < allClasses) parts.push(`Proxies of ${some(classes, allClasses, "training classes")}.`);
    const kinds = film.kinds.filter((kind) => !this.choice.hidden.has(kind));
    if (kinds.length < film.kinds.length) parts.push(`${kinds.length} of ${film.kinds.length} kinds of proxies shown.`);
    this.note.textContent = [film.frames[this.frameNumber ?? 0].note, ...parts].join(" ");
  }

  close() {
    this.closed = true;
    this.player.pause();
    this.follower.close();
    this.sizes.disconnect();
    this.ends.forEach((end) => end());
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
