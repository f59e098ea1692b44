// The map. All points are drawn and picked here, in plain canvas: the map works while the kernel is busy, and without one.

const PROXY_LOOK = {
  learned: { title: "learned", light: "#c2500a", dark: "#fb9a4b" },
  semantic: { title: "semantic", light: "#8b31d6", dark: "#c79bfb" },
  fused: { title: "fused", light: "#1d5fd6", dark: "#7fb1ff" },
};
const MOST_GLYPHS = 120; // classes whose proxies are drawn at once
const MOST_IN_LEGEND = 100;
const STRIP = 36; // thumbnails of selected images
const HELP = [
  ["drag, + and −", "move and zoom; 0 or a double click shows everything"],
  ["wheel", "zoom, once the map was clicked; before that, with Ctrl or ⌘"],
  ["click, Enter", "select the image pointed at or focused; with Ctrl or ⌘ add it, with Alt remove it"],
  ["Shift + drag, or L and drag", "lasso; with Ctrl or ⌘ add to the selection, with Alt remove from it"],
  ["arrows", "focus the nearest image in that direction"],
  ["Esc", "clear, one thing at a time: lasso, class found, solo, selection, focus"],
  ["/", "find a class"],
  ["?", "this list"],
];
/** A proxy's sign, of its own shape: learned a ring, semantic a diamond, fused a star. */
function drawGlyph(context, kind, x, y, size, colour, paper) {
  context.beginPath();
  if (kind === "learned") context.arc(x, y, size * 0.72, 0, 7);
  else {
    const corners = kind === "fused" ? 10 : 4;
    for (let corner = 0; corner < corners; corner++) {
      const reach = kind === "fused" ? (corner % 2 ? 0.5 : 1.15) : 1;
      const turn = (corner / corners) * 2 * Math.PI - Math.PI / 2;
      context.lineTo(x + Math.cos(turn) * size * reach, y + Math.sin(turn) * size * reach);
    }
    context.closePath();
  }
  context.lineJoin = "round";
  context.strokeStyle = paper;
  context.lineWidth = kind === "learned" ? 5 : 3;
  context.stroke();
  if (kind === "learned") {
    context.fillStyle = paper;
    context.fill();
    context.strokeStyle = colour;
    context.lineWidth = 2;
    context.stroke();
  } else {
    context.fillStyle = colour;
    context.fill();
  }
}

class Space {
  constructor(model, el) {
    this.model = model;
    this.atlas = new Atlas(model, () => this.pageCame());
    this.hovered = -1;
    this.drag = null;
    this.lassoing = false;
    this.labelWidths = new Map();
    this.push = debounced(() => !this.closed && this.save(), 150);
    this.build(el);
    this.cloud = new Cloud(model);
    this.state = { ...model.get("view_state") };
    this.ends = [
      onTraits(model, {
        _points: () => this.reload(),
        view_state: () => this.adopt(),
        _selected: () => this.takeSelection(),
        _focused: () => this.takeFocus(),
      }),
      onTheme((dark) => this.theme(dark)),
    ];
    this.resizes = new ResizeObserver(() => this.resize());
    this.resizes.observe(this.stage);
    this.resize();
  }

  // --- the page ---------------------------------------------------------------------------------
  build(el) {
    const button = (text, label, act) => make("button", { type: "button", title: label, "aria-label": label, onclick: act }, text);
    this.colour = make("select", { "aria-label": "Colour by", onchange: () => this.change({ colour: this.colour.value, solo: [] }) });
    this.search = make("input", {
      type: "search", placeholder: "class name", role: "combobox", autocomplete: "off",
      "aria-label": "Find a class", "aria-expanded": "false", "aria-autocomplete": "list",
      oninput: () => this.suggest(), onkeydown: (event) => this.searchKey(event), onblur: () => this.closeMatches(),
    });
    this.matches = make("ul", { className: "vptsp-space-matches", role: "listbox", hidden: true, "aria-label": "Classes" });
    this.lasso = button("Lasso", "Lasso: draw around images to select them (L, or hold Shift)", () => this.toggleLasso());
    this.labels = make("input", { type: "checkbox", onchange: () => this.change({ labels: this.labels.checked }) });
    this.help = helpPanel(HELP);
    this.points = make("canvas", { className: "vptsp-space-points", "aria-hidden": "true" });
    this.over = make("canvas", {
      className: "vptsp-space-over", tabIndex: 0, role: "application", "aria-roledescription": "map of images",
    });
    this.ring = make("div", { className: "vptsp-space-ring", hidden: true });
    this.card = make("div", { className: "vptsp-space-card", hidden: true });
    this.stage = make("div", { className: "vptsp-space-stage" }, this.points, this.over, this.ring, this.card);
    this.legend = make("div", { className: "vptsp-space-legend" });
    this.signs = make("div", { className: "vptsp-space-signs" });
    this.looked = make("div", { className: "vptsp-space-looked" });
    this.chosen = make("div", { className: "vptsp-space-chosen" });
    this.counts = make("div", { className: "vptsp-space-counts" });
    const { line, say, end } = statusLine(this.model);
    this.say = say;
    this.endStatus = end;
    this.title = make("strong", { className: "vptsp-space-title" });
    const bar = make(
      "div", { className: "vptsp-bar" },
      this.title,
      make("label", {}, "Colour by", this.colour),
      make("div", { className: "vptsp-space-find" }, make("label", {}, "Find", this.search), this.matches),
      this.lasso,
      make("label", {}, this.labels, "Class names"),
      make("span", { className: "vptsp-space-zoom" },
        button("+", "Zoom in (+)", () => this.zoom(1.5)), button("−", "Zoom out (−)", () => this.zoom(1 / 1.5)),
        button("Whole map", "Show everything (0)", () => this.whole()),
        button("?", "Keys and gestures (?)", () => this.help.toggle())),
    );
    this.root = make(
      "div", { className: "vptsp vptsp-space" }, bar, this.help.table,
      make("div", { className: "vptsp-space-main" }, this.stage,
        make("div", { className: "vptsp-space-side" }, this.looked, this.chosen, this.signs, this.legend)),
      this.counts, line,
    );
    this.root.dataset.lmSuppressShortcuts = "true"; // JupyterLab would take the arrows and Enter for its own
    this.root.addEventListener("keydown", (event) => this.key(event));
    const on = (name, act, options) => this.over.addEventListener(name, act, options);
    on("pointerdown", (event) => this.down(event));
    on("pointermove", (event) => this.move(event));
    on("pointerup", (event) => this.up(event));
    on("pointercancel", () => this.cancel());
    on("pointerleave", () => this.hover(null));
    on("wheel", (event) => this.wheel(event), { passive: false });
    on("dblclick", () => this.whole());
    el.append(this.root);
  }

  theme(dark) {
    this.dark = dark;
    this.root.classList.toggle("vptsp-dark", dark);
    const style = getComputedStyle(this.root);
    const pixel = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
    const packed = (colour) => {
      pixel.fillStyle = colour;
      pixel.fillRect(0, 0, 1, 1);
      return new Uint32Array(pixel.getImageData(0, 0, 1, 1).data.buffer)[0];
    };
    this.ink = style.color;
    this.paper = style.backgroundColor;
    this.soft = style.getPropertyValue("--soft").trim() || this.ink;
    this.accent = style.getPropertyValue("--accent").trim();
    this.packed = { paper: packed(this.paper), ink: packed(this.ink), faint: packed(dark ? "#7d858e" : "#9aa1a9") };
    if (this.state) this.refresh();
  }

  /** Other images are shown now. */
  reload() {
    this.atlas.close(); // its pages are of the images before
    this.atlas = new Atlas(this.model, () => this.pageCame());
    this.cloud = new Cloud(this.model);
    this.state = { ...this.model.get("view_state") };
    this.hover(null);
    this.takeSelection();
    this.refresh();
  }

  resize() {
    const box = this.over.getBoundingClientRect();
    const ratio = clip(window.devicePixelRatio || 1, 1, 2);
    if (!box.width || !box.height || (box.width === this.width && box.height === this.height && ratio === this.ratio)) return;
    this.width = box.width;
    this.height = box.height;
    this.ratio = ratio;
    const first = !this.painter;
    this.painter ??= new Painter(this.points);
    this.painter.resize(this.width, this.height, this.ratio);
    if (first) this.theme(this.dark); // JupyterLab renders before it attaches: only in the page do colours have values
    this.over.width = Math.round(this.width * this.ratio);
    this.over.height = Math.round(this.height * this.ratio);
    this.looksOld = true;
    this.draw(); // at once: a canvas that was resized is empty
  }

  close() {
    this.closed = true;
    this.ends.forEach((end) => end());
    this.endStatus();
    this.resizes.disconnect();
    cancelAnimationFrame(this.frame);
    cancelAnimationFrame(this.hoverFrame);
    this.atlas.close();
    this.root.remove();
  }

  // --- state ------------------------------------------------------------------------------------
  change(changes) {
    Object.assign(this.state, changes);
    this.push();
    if (Object.keys(changes).every((name) => ["x", "y", "zoom"].includes(name))) this.schedule();
    else this.refresh();
  }

  save() {
    this.saved = JSON.stringify(this.state);
    this.model.set("view_state", { ...this.state });
    this.model.save_changes();
  }

  /** Python, or another copy of this view, has set the state. */
  adopt() {
    const given = this.model.get("view_state");
    if (JSON.stringify(given) === this.saved || JSON.stringify(given) === JSON.stringify(this.state)) return;
    this.state = { ...given };
    this.refresh();
  }

  /** Everything that depends on the state. */
  refresh() {
    const { cloud, state } = this;
    cloud.light(state);
    this.order = cloud.order(cloud.column(state.colour));
    this.recolour();
    this.title.textContent = this.model.get("_title");
    this.colour.replaceChildren(...cloud.columns.map(({ name }) => make("option", { value: name }, name)));
    this.colour.value = state.colour;
    this.labels.checked = state.labels;
    if (document.activeElement !== this.search) this.search.value = state.find;
    this.over.setAttribute("aria-label", `Map of ${this.model.get("_title")}, ${images(cloud.shown)}. Arrows move between images, ? lists the keys.`);
    this.showLegend();
    this.showSigns();
    this.showCounts();
    this.showLooked();
    this.looksOld = true;
    this.takeSelection(false);
    this.schedule();
  }

  recolour() {
    const { cloud } = this;
    const column = cloud.column(this.state.colour);
    const bytes = typed(Uint8Array, this.model.get("_colours"));
    const theme = this.dark ? bytes.length / 2 : 0;
    const pack = (place) => {
      const at = theme + 3 * place;
      return (0xff000000 | (bytes[at + 2] << 16) | (bytes[at + 1] << 8) | bytes[at]) >>> 0;
    };
    this.css = (place) => `rgb(${bytes[theme + 3 * place]} ${bytes[theme + 3 * place + 1]} ${bytes[theme + 3 * place + 2]})`;
    this.colours = new Uint32Array(cloud.size).fill(this.packed.faint);
    const table = Array.from({ length: column.kind === "number" ? 256 : column.values.length }, (_, place) =>
      pack(column.kind === "number" ? place : 256 + place));
    const span = column.high - column.low || 1;
    for (let row = 0; row < cloud.size; row++) {
      const at = column.start + row;
      if (column.kind === "number") {
        const value = cloud.numbers[at];
        if (Number.isFinite(value)) this.colours[row] = table[clip(Math.floor((255.99 * (value - column.low)) / span), 0, 255)];
      } else if (cloud.codes[at] >= 0) this.colours[row] = table[cloud.codes[at]];
    }
  }

  // --- camera -----------------------------------------------------------------------------------
  get camera() {
    const { cloud, state, width, height } = this;
    const fit = 0.92 * Math.min(width / cloud.extent[0], height / cloud.extent[1]);
    return { width, height, fit, scale: fit * state.zoom, x: state.x ?? cloud.middle[0], y: state.y ?? cloud.middle[1] };
  }

  screen(x, y) {
    const { width, height, scale, ...centre } = this.camera;
    return [width / 2 + (x - centre.x) * scale, height / 2 - (y - centre.y) * scale];
  }

  /** Zooms by a factor; the place at (x, y) on the screen stays where it is. */
  zoom(factor, x = this.width / 2, y = this.height / 2) {
    const before = this.camera;
    const zoom = clip(this.state.zoom * factor, 0.3, 20000);
    const scale = before.fit * zoom;
    const [dx, dy] = [x - this.width / 2, this.height / 2 - y];
    this.looksOld = true;
    this.change({ zoom, x: before.x + dx / before.scale - dx / scale, y: before.y + dy / before.scale - dy / scale });
  }

  whole() {
    this.looksOld = true;
    this.change({ x: null, y: null, zoom: 1 });
  }

  /** Zooms to places [x, y] of the map; a few far ones may stay outside. */
  zoomTo(places) {
    if (!places.length) return;
    const side = (which) => {
      const values = Float64Array.from(places, (place) => place[which]).sort();
      const off = Math.floor(values.length * 0.03);
      return [values[off], values[values.length - 1 - off]];
    };
    const [[left, right], [low, high]] = [side(0), side(1)];
    const least = Math.max(...this.cloud.extent) / 25;
    const scale = 0.7 * Math.min(this.width / Math.max(least, right - left), this.height / Math.max(least, high - low));
    this.looksOld = true;
    this.change({ x: (left + right) / 2, y: (low + high) / 2, zoom: Math.max(1, scale / this.camera.fit) });
  }

  zoomToRows(rows) {
    this.zoomTo(rows.filter((row) => this.cloud.drawable[row]).map((row) => [this.cloud.xy[2 * row], this.cloud.xy[2 * row + 1]]));
  }

  // --- drawing ----------------------------------------------------------------------------------
  schedule(pointsToo = true) {
    this.pointsOld ||= pointsToo;
    this.frame ||= requestAnimationFrame(() => {
      this.frame = 0;
      this.draw(this.pointsOld);
    });
  }

  draw(pointsToo = true) {
    if (!this.painter || this.closed || !this.state) return;
    if (pointsToo) {
      this.pointsOld = false;
      this.cloud.place(this.camera);
      if (this.looksOld) this.painter.look(this.cloud);
      this.looksOld = false;
      this.painter.paint(this.cloud, this.order, this.colours, this.packed);
      this.placeRing();
    }
    const context = this.over.getContext("2d");
    context.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    context.clearRect(0, 0, this.width, this.height);
    this.drawPictures(context);
    this.drawProxies(context);
    if (this.state.labels) this.drawLabels(context);
    this.drawAxes(context);
    this.drawFocus(context);
    if (this.drag?.polygon) this.drawLasso(context);
  }

  /** So far zoomed in that a few images are left, their pictures take the place of dots. */
  drawPictures(context) {
    this.pictured = 0;
    const { cloud } = this;
    if (this.state.zoom < 1.5 || !this.model.get("_atlas")?.tile) return;
    const rows = [];
    for (let row = 0; row < cloud.size && rows.length <= 60; row++) {
      const [x, y] = [cloud.sx[row], cloud.sy[row]];
      if (cloud.lit[row] === 2 && x > -24 && y > -24 && x < this.width + 24 && y < this.height + 24) rows.push(row);
    }
    const pages = new Set(rows.map((row) => this.atlas.place(row)?.page));
    if (rows.length > 60 || pages.size > 8) return; // more pages would drive each other out
    this.pictured = 44;
    for (const row of rows) {
      const [x, y] = [cloud.sx[row] - 22, cloud.sy[row] - 22];
      context.fillStyle = cloud.selected[row] ? this.ink : unpacked(this.colours[row]);
      const rim = cloud.selected[row] ? 4 : 2;
      context.fillRect(x - rim, y - rim, 44 + 2 * rim, 44 + 2 * rim);
      this.atlas.draw(context, row, x, y, 44);
    }
  }

  /** Proxies [{kind, at: [x, y] on the screen, number of the class}] in view, at most MOST_GLYPHS classes. */
  proxiesInView() {
    const { kinds, names } = this.cloud.proxies;
    const shown = kinds.filter((kind) => this.state.proxies.includes(kind));
    if (!shown.length) return { shown, classes: [], inView: 0 };
    let classes = [];
    names.forEach((name, number) => {
      const at = {};
      let seen = false;
      for (const kind of kinds) {
        const place = 2 * (kinds.indexOf(kind) * names.length + number);
        at[kind] = this.screen(this.cloud.glyphs[place], this.cloud.glyphs[place + 1]);
        const [x, y] = at[kind];
        seen ||= shown.includes(kind) && x > -9 && y > -9 && x < this.width + 9 && y < this.height + 9;
      }
      if (seen) classes.push({ name, at });
    });
    const inView = classes.length;
    if (inView > MOST_GLYPHS) classes = classes.filter((_, turn) => (turn * MOST_GLYPHS) % inView < MOST_GLYPHS);
    return { shown, classes, inView };
  }

  drawProxies(context) {
    const { shown, classes, inView } = this.proxiesInView();
    this.drawn = { shown, classes };
    const found = this.state.find && this.cloud.proxies.names.includes(this.state.find) ? this.state.find : null;
    const size = classes.length > 100 ? 4.5 : classes.length > 25 ? 5.5 : 6.5;
    for (const { name, at } of classes) {
      context.globalAlpha = found && name !== found ? 0.15 : 1;
      if (this.state.arrows && shown.includes("fused")) {
        for (const kind of ["learned", "semantic"]) {
          if (shown.includes(kind)) this.arrow(context, at[kind], at.fused, size, name === found || classes.length <= 12);
        }
      }
    }
    for (const kind of shown) {
      const colour = PROXY_LOOK[kind][this.dark ? "dark" : "light"];
      for (const { name, at } of classes) {
        context.globalAlpha = found && name !== found ? 0.25 : 1;
        drawGlyph(context, kind, ...at[kind], size, colour, this.paper);
      }
    }
    context.globalAlpha = 1;
    const note = inView > classes.length ? `proxies of ${count(classes.length)} of ${count(inView)} classes in view; zoom in for the others` : "";
    if (this.proxyNote !== note) {
      this.proxyNote = note;
      this.showCounts();
    }
  }

  arrow(context, [x0, y0], [x1, y1], size, strong) {
    const length = Math.hypot(x1 - x0, y1 - y0);
    if (length < 2.2 * size) return; // the signs touch
    const [dx, dy] = [(x1 - x0) / length, (y1 - y0) / length];
    const [x, y] = [x1 - dx * size * 1.3, y1 - dy * size * 1.3];
    context.strokeStyle = context.fillStyle = this.soft;
    const before = context.globalAlpha;
    context.globalAlpha = before * (strong ? 0.95 : 0.42);
    context.lineWidth = strong ? 1.5 : 1;
    context.beginPath();
    context.moveTo(x0 + dx * size, y0 + dy * size);
    context.lineTo(x, y);
    context.stroke();
    context.beginPath();
    context.moveTo(x, y);
    context.lineTo(x - 7 * dx + 3 * dy, y - 7 * dy - 3 * dx);
    context.lineTo(x - 7 * dx - 3 * dy, y - 7 * dy + 3 * dx);
    context.fill();
    context.globalAlpha = before;
  }

  drawLabels(context) {
    const { cloud, width, height } = this;
    const most = Math.round(((width * height) / 22000) * clip(this.state.zoom, 1, 4));
    const taken = [];
    context.font = "600 12px system-ui, sans-serif";
    context.textAlign = "center";
    context.textBaseline = "middle";
    context.lineJoin = "round";
    const solo = this.state.colour === cloud.columns[0].name ? new Set(this.state.solo) : new Set();
    const first = cloud.classes.indexOf(this.state.find);
    let looked = 0;
    for (const code of first < 0 ? cloud.bySize : [first, ...cloud.bySize]) {
      const name = cloud.classes[code];
      if (taken.length >= most || looked > 500) break;
      if (!cloud.centres[code] || (solo.size && !solo.has(name)) || (first >= 0 && name !== this.state.find)) continue;
      const [x, y] = this.screen(...cloud.centres[code]);
      if (x < 0 || y < 0 || x > width || y > height) continue;
      looked += 1;
      const text = short(name, 28);
      if (!this.labelWidths.has(text)) this.labelWidths.set(text, context.measureText(text).width / 2 + 4);
      const half = this.labelWidths.get(text);
      const at = clip(x, half + 2, width - half - 2);
      if (taken.some(([other, line, wide]) => Math.abs(other - at) < wide + half && Math.abs(line - y) < 17)) continue;
      taken.push([at, y, half, text]);
    }
    context.lineWidth = 4;
    for (const [at, y, , text] of taken) {
      context.strokeStyle = this.paper;
      context.strokeText(text, at, y);
      context.fillStyle = this.ink;
      context.fillText(text, at, y);
    }
  }

  drawAxes(context) {
    const [across, up] = this.model.get("_axes");
    context.font = "11px system-ui, sans-serif";
    context.textAlign = "right";
    context.textBaseline = "alphabetic";
    context.fillStyle = this.soft;
    context.strokeStyle = this.paper;
    context.lineWidth = 3;
    const write = (text, x, y) => {
      context.strokeText(text, x, y);
      context.fillText(text, x, y);
    };
    write(`${across} →`, this.width - 8, this.height - 8);
    context.save();
    context.translate(16, 8);
    context.rotate(-Math.PI / 2);
    write(`${up} →`, 0, 0);
    context.restore();
  }

  drawFocus(context) {
    const row = this.model.get("_focused");
    if (!(row >= 0 && row < this.cloud.size) || !this.cloud.drawable[row]) return;
    const [x, y] = [this.cloud.sx[row], this.cloud.sy[row]];
    for (const [colour, width] of [[this.paper, 6], [this.accent, 3]]) {
      context.beginPath();
      if (this.pictured && this.cloud.lit[row] === 2) context.rect(x - 28, y - 28, 56, 56);
      else context.arc(x, y, 11, 0, 7);
      context.strokeStyle = colour;
      context.lineWidth = width;
      context.stroke();
    }
  }

  drawLasso(context) {
    const { polygon } = this.drag;
    context.beginPath();
    for (let at = 0; at < polygon.length; at += 2) context.lineTo(polygon[at], polygon[at + 1]);
    context.closePath();
    context.fillStyle = this.accent;
    context.globalAlpha = 0.14;
    context.fill();
    context.globalAlpha = 1;
    context.strokeStyle = this.accent;
    context.lineWidth = 1.5;
    context.stroke();
  }

  pageCame() {
    this.atlas.refill(this.root);
    if (this.pictured) this.schedule(false);
  }

  // --- pointing ---------------------------------------------------------------------------------
  at(event) {
    const box = this.over.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  }

  down(event) {
    if (event.button !== 0) return;
    this.over.setPointerCapture(event.pointerId);
    this.over.focus({ preventScroll: true });
    const [x, y] = this.at(event);
    this.drag = { x, y, from: this.camera, moved: false, polygon: event.shiftKey || this.lassoing ? [x, y] : null };
    this.hover(null);
  }

  move(event) {
    const [x, y] = this.at(event);
    const { drag } = this;
    if (!drag) {
      this.hover([x, y]);
      return;
    }
    drag.moved ||= Math.hypot(x - drag.x, y - drag.y) > 3;
    if (!drag.moved) return;
    if (drag.polygon) {
      const { polygon } = drag;
      if (Math.hypot(x - polygon.at(-2), y - polygon.at(-1)) >= 2) polygon.push(x, y);
      this.schedule(false);
    } else {
      this.over.classList.add("vptsp-space-moving");
      this.change({ x: drag.from.x - (x - drag.x) / drag.from.scale, y: drag.from.y + (y - drag.y) / drag.from.scale });
    }
  }

  up(event) {
    const { drag } = this;
    if (!drag) return;
    this.cancel();
    if (drag.polygon && drag.moved) this.combine(this.cloud.inside(drag.polygon), event);
    else if (!drag.moved) this.click(event);
  }

  /** The drag is over; what it has moved stays. */
  cancel() {
    this.drag = null;
    this.over.classList.remove("vptsp-space-moving");
    this.schedule(false);
  }

  click(event) {
    const row = this.rowAt(...this.at(event));
    if (row < 0) {
      this.focus(-1);
      return;
    }
    this.focus(row);
    this.combine([row], event);
  }

  /** Zooms a map that is in use; over any other, the wheel goes on scrolling the page. */
  wheel(event) {
    if (!(event.ctrlKey || event.metaKey || this.root.getRootNode().activeElement === this.over)) {
      this.say("click the map, or hold Ctrl or ⌘, to zoom with the wheel");
      return;
    }
    event.preventDefault();
    const lines = event.deltaMode === 1 ? 33 : 1;
    this.zoom(Math.exp(clip(-event.deltaY * lines, -240, 240) / 400), ...this.at(event));
    this.hover(null);
  }

  /** The image at a place of the screen; where pictures are shown, all of a picture is the image. */
  rowAt(x, y) {
    return this.cloud.nearest(x, y, this.pictured ? 30 : REACH);
  }

  /** Shows the card of what is at `place`; once per frame, whatever the mouse sends. */
  hover(place) {
    this.pointer = place;
    if (!place) {
      this.showHovered(-1);
      return;
    }
    this.hoverFrame ||= requestAnimationFrame(() => {
      this.hoverFrame = 0;
      if (this.pointer && !this.drag && !this.closed) this.showHovered(this.rowAt(...this.pointer), this.glyphAt(...this.pointer));
    });
  }

  /** The proxy whose sign is at a place of the screen. */
  glyphAt(x, y) {
    let [best, found] = [9 * 9, null];
    for (const { name, at } of this.drawn?.classes ?? []) {
      for (const kind of this.drawn.shown) {
        const distance = (at[kind][0] - x) ** 2 + (at[kind][1] - y) ** 2;
        if (distance < best) [best, found] = [distance, { name, kind, at: at[kind] }];
      }
    }
    return found;
  }

  showHovered(row, glyph = null) {
    const key = glyph ? `${glyph.kind} ${glyph.name}` : row;
    if (key !== this.hovered) {
      this.hovered = key;
      if (glyph) {
        this.card.replaceChildren(
          make("div", {}, make("b", { dir: "auto" }, glyph.name), make("div", {}, `${PROXY_LOOK[glyph.kind].title} proxy of this class`)));
      } else if (row >= 0) this.card.replaceChildren(...this.about(row, 96));
      else this.card.replaceChildren();
    }
    this.under = glyph ? { at: glyph.at } : row >= 0 ? { row } : null;
    this.over.style.cursor = this.lassoing ? "crosshair" : row >= 0 && !glyph ? "pointer" : "";
    this.placeRing();
  }

  /** Thumbnail and text of an image. */
  about(row, size) {
    const { cloud } = this;
    const name = cloud.className(row);
    const { colour } = this.state;
    const picture = this.model.get("_atlas")?.tile ? this.atlas.element(row, size, `${name} (${cloud.id(row)})`) : null;
    return [
      ...(picture ? [picture] : []),
      make("div", {},
        make("b", { dir: "auto" }, name),
        make("div", { className: "vptsp-space-id", dir: "auto" }, cloud.id(row)),
        colour === cloud.columns[0].name ? null : make("div", { dir: "auto" }, `${colour}: ${cloud.text(colour, row)}`)),
    ];
  }

  /** Ring and card beside what is pointed at, inside the map. */
  placeRing() {
    const { under } = this;
    this.ring.hidden = this.card.hidden = !under;
    if (!under) return;
    const [x, y] = under.at ?? [this.cloud.sx[under.row], this.cloud.sy[under.row]];
    this.ring.style.transform = `translate(${x - 10}px, ${y - 10}px)`;
    this.ring.hidden = Boolean(this.pictured && !under.at);
    const [wide, high] = [this.card.offsetWidth, this.card.offsetHeight];
    const off = this.pictured ? 34 : 16;
    const left = x + off + wide > this.width ? x - off - wide : x + off;
    this.card.style.transform = `translate(${Math.max(4, left)}px, ${clip(y - high / 2, 4, Math.max(4, this.height - high - 4))}px)`;
  }

  // --- selection and focus ----------------------------------------------------------------------
  /** Selects rows; with Ctrl or Meta adds them (a single one: toggles it), with Alt removes them. */
  combine(rows, { ctrlKey, metaKey, altKey } = {}) {
    const mask = this.cloud.selected;
    const before = new Uint8Array(mask);
    if (altKey) rows.forEach((row) => (mask[row] = 0));
    else if (ctrlKey || metaKey) rows.forEach((row) => (mask[row] = rows.length === 1 ? 1 - before[row] : 1));
    else {
      mask.fill(0);
      rows.forEach((row) => (mask[row] = 1));
    }
    this.select(mask);
  }

  select(mask) {
    const rows = [];
    mask.forEach((one, row) => one && rows.push(row));
    this.model.set("_selected", bytesOf(Int32Array.from(rows)));
    this.model.save_changes();
    this.schedule();
    this.say(rows.length ? `${images(rows.length)} selected` : "nothing selected");
  }

  takeSelection(redraw = true) {
    const { cloud } = this;
    const rows = int32(this.model.get("_selected"));
    cloud.selected.fill(0);
    rows.forEach((row) => row < cloud.size && (cloud.selected[row] = 1));
    this.showChosen(rows);
    if (redraw) this.schedule();
  }

  focus(row) {
    if (row === this.model.get("_focused")) this.takeFocus();
    this.model.set("_focused", row);
    this.model.save_changes();
  }

  takeFocus() {
    const row = this.model.get("_focused");
    this.showLooked();
    if (row >= 0 && row < this.cloud.size) {
      this.say(`${this.cloud.className(row)}, ${this.cloud.id(row)}`);
      const [x, y] = this.screen(this.cloud.xy[2 * row], this.cloud.xy[2 * row + 1]);
      if (!(x > 15 && y > 15 && x < this.width - 15 && y < this.height - 15) && this.cloud.drawable[row]) {
        this.change({ x: this.cloud.xy[2 * row], y: this.cloud.xy[2 * row + 1] });
      }
    } else this.say("no image is focused");
    this.schedule(false);
  }

  toggleLasso(on = !this.lassoing) {
    this.lassoing = on;
    this.lasso.setAttribute("aria-pressed", String(on));
    this.over.style.cursor = on ? "crosshair" : "";
    if (on) this.say("lasso: draw around images");
  }

  // --- keys -------------------------------------------------------------------------------------
  key(event) {
    if (event.target.matches("input, select") && event.key !== "Escape") return;
    if (event.key === "?") this.help.toggle();
    else if (event.key === "Escape") this.escape();
    else if (event.key === "/") this.search.focus();
    else if (event.target !== this.over || !this.mapKey(event)) return;
    event.preventDefault();
    event.stopPropagation();
  }

  mapKey(event) {
    const arrow = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    const row = this.model.get("_focused");
    const focused = row >= 0 && this.cloud.lit[row] === 2;
    if (arrow) {
      const next = focused ? this.cloud.towards(row, ...arrow) : this.cloud.nearest(this.width / 2, this.height / 2, Infinity);
      if (next >= 0) this.focus(next);
      else this.say("no image further in that direction");
    } else if (event.key === "Enter") {
      if (focused) this.combine([row], event);
      else this.say("focus an image first: with the arrows, or by a click");
    } else if (event.key === "+" || event.key === "=") this.zoom(1.5);
    else if (event.key === "-") this.zoom(1 / 1.5);
    else if (event.key === "0") this.whole();
    else if (event.key === "l" || event.key === "L") this.toggleLasso();
    else return false;
    return true;
  }

  /** Clears one thing: the most passing first. */
  escape() {
    const { state } = this;
    if (!this.help.table.hidden) this.help.toggle();
    else if (this.drag) this.cancel();
    else if (this.lassoing) this.toggleLasso(false);
    else if (state.find || this.search.value) {
      this.search.value = "";
      this.closeMatches();
      this.change({ find: "" });
    } else if (state.solo.length) this.change({ solo: [] });
    else if (this.cloud.selected.includes(1)) this.combine([]);
    else this.focus(-1);
  }

  // --- finding a class --------------------------------------------------------------------------
  suggest() {
    const wanted = this.search.value.trim().toLocaleLowerCase();
    const { cloud } = this;
    const names = [...new Set([...cloud.bySize.map((code) => cloud.classes[code]), ...cloud.proxies.names])];
    const rank = (name) => (name === wanted ? 0 : name.startsWith(wanted) ? 1 : name.includes(wanted) ? 2 : 3);
    const ranked = names.map((name) => [rank(name.toLocaleLowerCase()), name]).filter(([place]) => place < 3);
    ranked.sort(([one], [other]) => one - other);
    this.matched = wanted ? ranked.slice(0, 8).map(([, name]) => name) : [];
    this.marked = 0;
    if (!wanted && this.state.find) this.change({ find: "" });
    this.matches.replaceChildren(
      ...this.matched.map((name, turn) => {
        const code = cloud.classes.indexOf(name);
        const what = code >= 0 && cloud.rows[code].length ? images(cloud.rows[code].length) : "proxies only";
        const item = make("li", { role: "option" }, make("span", { dir: "auto" }, name), make("small", {}, what));
        item.addEventListener("pointerdown", (event) => {
          event.preventDefault(); // the field keeps the focus until the class is found
          this.find(name);
        });
        item.setAttribute("aria-selected", String(turn === 0));
        return item;
      }),
    );
    if (wanted && !this.matched.length) this.matches.replaceChildren(make("li", { className: "vptsp-space-none" }, "no class has this in its name"));
    this.matches.hidden = !wanted;
    this.search.setAttribute("aria-expanded", String(Boolean(wanted)));
  }

  searchKey(event) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step && this.matched?.length) {
      this.marked = (this.marked + step + this.matched.length) % this.matched.length;
      [...this.matches.children].forEach((item, turn) => item.setAttribute("aria-selected", String(turn === this.marked)));
      this.say(this.matched[this.marked]);
      event.preventDefault();
    } else if (event.key === "Enter" && this.matched?.length) this.find(this.matched[this.marked]);
  }

  closeMatches() {
    this.matches.hidden = true;
    this.search.setAttribute("aria-expanded", "false");
  }

  find(name) {
    const { cloud } = this;
    this.search.value = name;
    this.closeMatches();
    this.over.focus({ preventScroll: true });
    const code = cloud.classes.indexOf(name);
    const rows = code >= 0 ? cloud.rows[code] : [];
    this.change({ find: name, solo: [] });
    if (rows.length) this.zoomToRows(rows);
    else {
      const { names, kinds } = cloud.proxies;
      const number = names.indexOf(name);
      this.zoomTo(kinds.map((_, kind) => [...cloud.glyphs.subarray(2 * (kind * names.length + number)).slice(0, 2)]));
    }
    this.say(`${name}: ${rows.length ? images(rows.length) : "proxies only, no images here"}`);
  }

  // --- beside the map ---------------------------------------------------------------------------
  showCounts() {
    const { cloud, state } = this;
    const parts = [cloud.shown === cloud.size ? images(cloud.size) : `${count(cloud.shown)} of ${images(cloud.size)} shown`];
    if (cloud.shown < cloud.total) parts[0] += ", sampled evenly by class";
    parts.push(...cloud.notes);
    if (this.proxyNote) parts.push(this.proxyNote);
    const sampled = cloud.sample.length < cloud.total;
    const all = make("button", { type: "button", onclick: () => this.change({ all: !state.all }) },
      state.all ? "Show the sample" : "Show all");
    this.counts.replaceChildren(make("span", {}, parts.join(" · ")), ...(sampled ? [all] : []));
  }

  showLegend() {
    const { cloud, state } = this;
    const column = cloud.column(state.colour);
    const head = make("h4", { dir: "auto" }, `Colour: ${column.name}`);
    const missing = (number) => number ? this.swatch(unpacked(this.packed.faint), "missing", number) : null;
    if (column.kind === "number") {
      const stops = Array.from({ length: 9 }, (_, turn) => this.css(Math.round((255 * turn) / 8)));
      let none = 0;
      for (let row = 0; row < cloud.size; row++) none += !Number.isFinite(cloud.numbers[column.start + row]);
      const ends = [column.low > column.least ? "≤ " : "", column.high < column.most ? "≥ " : ""];
      this.legend.replaceChildren(head,
        make("div", { className: "vptsp-space-ramp", role: "img", "aria-label": `colours from ${figure(column.low)} to ${figure(column.high)}`,
          style: { background: `linear-gradient(to right, ${stops.join(", ")})` } }),
        make("div", { className: "vptsp-space-ticks" }, make("span", {}, ends[0] + figure(column.low)),
          make("span", {}, figure((column.low + column.high) / 2)), make("span", {}, ends[1] + figure(column.high))),
        missing(none) ?? "");
      return;
    }
    const counts = new Int32Array(column.values.length + 1);
    for (let row = 0; row < cloud.size; row++) counts[cloud.codes[column.start + row] + 1] += 1;
    const order = column.values.map((_, code) => code).filter((code) => counts[code + 1]);
    order.sort((one, other) => counts[other + 1] - counts[one + 1]);
    const entries = order.slice(0, MOST_IN_LEGEND).map((code) => {
      const value = column.values[code];
      const entry = this.swatch(this.css(256 + code), value, counts[code + 1], (event) => this.solo(value, event.ctrlKey || event.metaKey));
      entry.setAttribute("aria-pressed", String(state.solo.includes(value)));
      return entry;
    });
    const more = order.length > MOST_IN_LEGEND ? make("p", {}, `and ${count(order.length - MOST_IN_LEGEND)} more`) : "";
    const hint = make("p", { className: "vptsp-space-hint" }, state.solo.length ? "click again to show all" : "click one to see it alone");
    const kept = this.legend.scrollTop;
    this.legend.replaceChildren(head, hint, ...entries, missing(counts[0]) ?? "", more);
    this.legend.scrollTop = kept;
  }

  swatch(colour, text, number, act) {
    const inside = [make("i", { style: { background: colour } }), make("span", { dir: "auto", title: text }, text), make("small", {}, count(number))];
    return act ? make("button", { type: "button", className: "vptsp-space-entry", onclick: act }, ...inside)
      : make("div", { className: "vptsp-space-entry" }, ...inside);
  }

  solo(value, more) {
    const { solo } = this.state;
    const has = solo.includes(value);
    const next = more ? (has ? solo.filter((other) => other !== value) : [...solo, value]) : has && solo.length === 1 ? [] : [value];
    const place = [...this.legend.querySelectorAll("button")].indexOf(document.activeElement);
    this.change({ solo: next, find: "" });
    this.legend.querySelectorAll("button")[place]?.focus({ preventScroll: true }); // the entries are new ones
    this.say(next.length ? `only ${next.join(", ")}` : "all categories");
  }

  showSigns() {
    const { kinds, names } = this.cloud.proxies;
    this.signs.hidden = !kinds.length;
    if (!kinds.length) return;
    const toggle = (checked, act, ...inside) =>
      make("label", {}, make("input", { type: "checkbox", checked, onchange: (event) => act(event.target.checked) }), ...inside);
    const kindToggles = kinds.map((kind) => {
      const sign = make("canvas", { width: 40, height: 40, "aria-hidden": "true" });
      const context = sign.getContext("2d");
      context.scale(2, 2);
      drawGlyph(context, kind, 10, 10, 6.5, PROXY_LOOK[kind][this.dark ? "dark" : "light"], this.paper);
      const act = (on) => this.change({ proxies: kinds.filter((other) => (other === kind ? on : this.state.proxies.includes(other))) });
      return toggle(this.state.proxies.includes(kind), act, sign, PROXY_LOOK[kind].title);
    });
    const arrows = kinds.includes("fused") && kinds.length > 1
      ? toggle(this.state.arrows, (on) => this.change({ arrows: on }), `${["learned", "semantic"].filter((kind) => kinds.includes(kind)).join(" and ")} → fused`)
      : null;
    const focused = [...this.signs.querySelectorAll("input")].indexOf(document.activeElement);
    this.signs.replaceChildren(make("h4", {}, `Proxies of ${count(names.length)} training classes`), ...kindToggles, arrows ?? "");
    this.signs.querySelectorAll("input")[focused]?.focus({ preventScroll: true });
  }

  showLooked() {
    const row = this.model.get("_focused");
    const { cloud } = this;
    if (!(row >= 0 && row < cloud.size)) {
      this.looked.replaceChildren(make("h4", {}, "Focus"), make("p", { className: "vptsp-space-hint" }, "Click an image, or use the arrow keys."));
      return;
    }
    const known = cloud.columns.slice(1).map(({ name }) =>
      make("tr", {}, make("th", { scope: "row", dir: "auto" }, name), make("td", { dir: "auto" }, cloud.text(name, row))));
    this.looked.replaceChildren(
      make("h4", {}, "Focus"),
      make("div", { className: "vptsp-space-about" }, ...this.about(row, 72)),
      known.length ? make("details", { open: this.open ?? false, ontoggle: (event) => (this.open = event.target.open) },
        make("summary", {}, "All columns"), make("table", {}, ...known)) : "",
    );
  }

  showChosen(rows) {
    const { cloud } = this;
    const head = make("h4", {}, rows.length ? `${images(rows.length)} selected` : "Selection");
    if (!rows.length) {
      this.chosen.replaceChildren(head, make("p", { className: "vptsp-space-hint" }, "Shift + drag draws a lasso."));
      return;
    }
    const counts = new Map();
    rows.forEach((row) => counts.set(cloud.codes[row], (counts.get(cloud.codes[row]) ?? 0) + 1));
    const most = [...counts].sort(([, one], [, other]) => other - one);
    const classes = most.slice(0, 3).map(([code, number]) => make("div", { dir: "auto" }, `${cloud.classes[code] ?? ""} ${count(number)}`));
    if (most.length > 3) classes.push(make("div", {}, `and ${count(most.length - 3)} more class${most.length > 4 ? "es" : ""}`));
    const tiles = this.model.get("_atlas")?.tile ? [...rows.slice(0, STRIP)] : [];
    const strip = tiles.map((row) => {
      const name = `${cloud.className(row)} (${cloud.id(row)})`;
      return make("button", { type: "button", title: name, "aria-label": `focus ${name}`, onclick: () => this.focus(row) }, this.atlas.element(row, 40, name));
    });
    this.chosen.replaceChildren(
      head,
      make("div", { className: "vptsp-space-classes" }, ...classes),
      make("div", { className: "vptsp-space-strip" }, ...strip),
      rows.length > tiles.length && tiles.length ? make("p", { className: "vptsp-space-hint" }, `the first ${tiles.length} of ${count(rows.length)}`) : "",
      make("div", { className: "vptsp-space-acts" },
        make("button", { type: "button", onclick: () => this.zoomToRows([...rows]) }, "Zoom to it"),
        make("button", { type: "button", onclick: () => this.combine([]) }, "Clear")),
    );
  }
}

const unpacked = (colour) => `rgb(${colour & 255} ${(colour >> 8) & 255} ${(colour >> 16) & 255})`;

export default {
  render({ model, el }) {
    const space = new Space(model, el);
    return () => space.close();
  },
};
