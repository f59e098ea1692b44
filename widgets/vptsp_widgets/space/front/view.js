// The map. All points are drawn and picked here, in plain canvas: the map works while the kernel is busy, and without one.

import { Atlas } from "../../front/atlas.js";
import { bytesOf, int32, typed } from "../../front/bytes.js";
import { make, penOf } from "../../front/dom.js";
import { onTraits } from "../../front/model.js";
import { clip } from "../../front/numbers.js";
import { helpPanel, statusLine } from "../../front/status.js";
import { count } from "../../front/text.js";
import { onTheme } from "../../front/theme.js";
import { Camera } from "./camera.js";
import { Cloud, REACH, images } from "./cloud.js";
import { coloursBy, themeInks, unpacked } from "./colours.js";
import { Finder } from "./finder.js";
import { Gestures } from "./gestures.js";
import { Hover } from "./hover.js";
import { FocusPanel, aboutImage } from "./image.js";
import { HELP, pressKey } from "./keys.js";
import { Legend } from "./legend.js";
import { ClassNames, drawAxes, drawFocus, drawLasso, drawPictures } from "./overlay.js";
import { Painter } from "./painter.js";
import { Glyphs, ProxyToggles } from "./proxies.js";
import { SelectionPanel, combineInto, rowsOf } from "./selection.js";
import { ViewState } from "./state.js";
/** @import { Model } from "../../front/model.js" */
/** @import { Help } from "../../front/status.js" */
/** @import { Colours, Inks } from "./colours.js" */
/** @import { Keys } from "./selection.js" */
/** @import { State } from "./state.js" */

class Space {
  /** @type {(text: string) => void} */ say;
  /** @type {() => void} */ endStatus;
  /** @type {Help} */ help;
  /** @type {HTMLElement} */ title;
  /** @type {HTMLDivElement} */ counts;
  /** @type {HTMLDivElement} */ root;
  /** @type {HTMLSelectElement} */ colour;
  /** @type {Finder} */ finder;
  /** @type {HTMLButtonElement} */ lasso;
  /** @type {HTMLInputElement} */ labels;
  /** @type {HTMLCanvasElement} */ points;
  /** @type {HTMLCanvasElement} */ over;
  /** @type {Glyphs} */ glyphs;
  /** @type {ClassNames} */ classNames;
  /** @type {Hover} */ hover;
  /** @type {Gestures} */ gestures;
  /** @type {HTMLDivElement} */ stage;
  /** @type {FocusPanel} */ focusPanel;
  /** @type {SelectionPanel} */ selectionPanel;
  /** @type {ProxyToggles} */ proxyToggles;
  /** @type {Legend} */ legend;
  /** @type {Inks} */ inks;
  /** @type {number} */ width;
  /** @type {number} */ height;
  /** @type {number} */ ratio;
  looksOld = false;
  closed = false;
  /** @type {Uint32Array} */ order;
  /** @type {Colours} */ colours;
  frame = 0;
  pointsOld = false;
  pictured = false;
  /** @type {string | undefined} */ proxyNote;

  /** @type {Painter | undefined} */ painter;

  /**
   * @param {Model} model
   * @param {HTMLElement} el
   */
  constructor(model, el) {
    this.model = model;
    this.atlas = new Atlas(model, () => this.pageCame());
    this.build(el);
    this.cloud = new Cloud(model);
    this.shared = new ViewState(model);
    this.ends = [
      onTraits(model, {
        _points: () => this.reload(),
        view_state: () => this.shared.adopt() && this.refresh(),
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
  /** @param {HTMLElement} el */
  build(el) {
    const { line, say, end } = statusLine(this.model);
    this.say = say;
    this.endStatus = end;
    this.help = helpPanel(HELP);
    this.title = make("strong", { className: "vptsp-space-title" });
    this.counts = make("div", { className: "vptsp-space-counts" });
    const bar = this.buildBar();
    this.buildStage();
    this.buildPanels();
    this.root = make(
      "div", { className: "vptsp vptsp-space" }, bar, this.help.table,
      make("div", { className: "vptsp-space-main" }, this.stage,
        make("div", { className: "vptsp-space-side" },
          this.focusPanel.element, this.selectionPanel.element, this.proxyToggles.element, this.legend.element)),
      this.counts, line,
    );
    this.root.dataset.lmSuppressShortcuts = "true"; // JupyterLab would take the arrows and Enter for its own
    const acts = {
      help: () => this.help.toggle(),
      escape: () => this.escape(),
      find: () => this.finder.focus(),
      step: (dx, dy) => this.step(dx, dy),
      enter: (event) => this.enter(event),
      zoom: (factor) => this.zoom(factor),
      whole: () => this.whole(),
      lasso: () => this.toggleLasso(),
    };
    this.root.addEventListener("keydown", (event) => pressKey(event, this.over, acts));
    el.append(this.root);
  }

  buildBar() {
    const button = (text, label, act) => make("button", { type: "button", title: label, "aria-label": label, onclick: act }, text);
    this.colour = make("select", { "aria-label": "Colour by", onchange: () => this.change({ colour: this.colour.value, solo: [] }) });
    this.finder = new Finder({
      cloud: () => this.cloud,
      found: (name) => this.find(name),
      emptied: () => this.state.find && this.change({ find: "" }),
      say: this.say,
    });
    this.lasso = button("Lasso", "Lasso: draw around images to select them (L, or hold Shift)", () => this.toggleLasso());
    this.labels = make("input", { type: "checkbox", onchange: () => this.change({ labels: this.labels.checked }) });
    return make(
      "div", { className: "vptsp-bar" },
      this.title,
      make("label", {}, "Colour by", this.colour),
      this.finder.element,
      this.lasso,
      make("label", {}, this.labels, "Class names"),
      make("span", { className: "vptsp-space-zoom" },
        button("+", "Zoom in (+)", () => this.zoom(1.5)), button("−", "Zoom out (−)", () => this.zoom(1 / 1.5)),
        button("Whole map", "Show everything (0)", () => this.whole()),
        button("?", "Keys and gestures (?)", () => this.help.toggle())),
    );
  }

  /** The map itself: points, what is drawn over them, and what follows the pointer. */
  buildStage() {
    this.points = make("canvas", { className: "vptsp-space-points", "aria-hidden": "true" });
    this.over = make("canvas", {
      className: "vptsp-space-over", tabIndex: 0, role: "application", "aria-roledescription": "map of images",
    });
    this.glyphs = new Glyphs();
    this.classNames = new ClassNames();
    this.hover = new Hover({
      look: (x, y) => ({ row: this.rowAt(x, y), glyph: this.glyphs.under(x, y) }),
      about: (row) => aboutImage(row, 96, this.scene()),
      seen: (row, glyph) => this.setCursor(row >= 0 && !glyph),
      stage: () => ({ cloud: this.cloud, pictured: this.pictured, width: this.width, height: this.height }),
    });
    this.gestures = new Gestures(this.over, {
      camera: () => this.camera,
      change: (changes) => this.change(changes),
      clicked: (place, event) => this.click(place, event),
      lassoed: (polygon, event) => this.combine(this.cloud.inside(polygon), event),
      hover: (place) => this.hover.point(place),
      zoom: (factor, x, y) => this.zoom(factor, x, y),
      whole: () => this.whole(),
      redraw: () => this.schedule(false),
      say: this.say,
    });
    this.stage = make("div", { className: "vptsp-space-stage" }, this.points, this.over, this.hover.ring, this.hover.card);
  }

  buildPanels() {
    this.focusPanel = new FocusPanel();
    this.selectionPanel = new SelectionPanel({
      focus: (row) => this.focus(row),
      zoom: (rows) => this.zoomTo(this.cloud.places(rows)),
      clear: () => this.combine([]),
    });
    this.proxyToggles = new ProxyToggles((changes) => this.change(changes));
    this.legend = new Legend({ choose: (solo) => this.change({ solo, find: "" }), say: this.say });
  }

  theme(dark) {
    this.root.classList.toggle("vptsp-dark", dark);
    this.inks = themeInks(this.root, dark);
    this.refresh();
  }

  /** Other images are shown now. */
  reload() {
    this.atlas.close(); // its pages are of the images before
    this.atlas = new Atlas(this.model, () => this.pageCame());
    this.cloud = new Cloud(this.model);
    this.shared.take();
    this.hover.point(null);
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
    if (first) this.theme(this.inks.dark); // JupyterLab renders before it attaches: only in the page do colours have values
    this.over.width = Math.round(this.width * this.ratio);
    this.over.height = Math.round(this.height * this.ratio);
    this.looksOld = true;
    this.draw(); // at once: a canvas that was resized is empty
  }

  close() {
    this.closed = true;
    this.shared.close();
    this.ends.forEach((end) => end());
    this.endStatus();
    this.resizes.disconnect();
    cancelAnimationFrame(this.frame);
    this.hover.close();
    this.atlas.close();
    this.root.remove();
  }

  // --- state ------------------------------------------------------------------------------------
  get state() {
    return this.shared.now;
  }

  /** @param {Partial<State>} changes */
  change(changes) {
    this.shared.change(changes);
    if (Object.keys(changes).every((name) => ["x", "y", "zoom"].includes(name))) this.schedule();
    else this.refresh();
  }

  /** Everything that depends on the state. */
  refresh() {
    const { cloud, state, inks } = this;
    const column = cloud.column(state.colour);
    cloud.light(state);
    this.order = cloud.order(column);
    this.colours = coloursBy(column, cloud, typed(Uint8Array, this.model.get("_colours")), inks);
    this.title.textContent = this.model.get("_title");
    this.colour.replaceChildren(...cloud.columns.map(({ name }) => make("option", { value: name }, name)));
    this.colour.value = state.colour;
    this.labels.checked = state.labels;
    this.finder.show(state.find);
    this.over.setAttribute("aria-label", `Map of ${this.model.get("_title")}, ${images(cloud.shown)}. Arrows move between images, ? lists the keys.`);
    this.legend.show(column, cloud, state.solo, this.colours.css, unpacked(inks.packed.faint));
    this.proxyToggles.show(cloud.proxies, state, inks);
    this.showCounts();
    this.showFocus();
    this.looksOld = true;
    this.takeSelection(false);
    this.schedule();
  }

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

  // --- camera -----------------------------------------------------------------------------------
  get camera() {
    return new Camera(this.cloud, this.state, this.width, this.height);
  }

  /**
   * To another part of the map, where dots may have another size.
   * @param {Partial<State>} changes
   */
  aim(changes) {
    this.looksOld = true;
    this.change(changes);
  }

  zoom(factor, x, y) {
    this.aim(this.camera.zoomed(factor, x, y));
  }

  whole() {
    this.aim({ x: null, y: null, zoom: 1 });
  }

  zoomTo(places) {
    if (places.length) this.aim(this.camera.around(places));
  }

  // --- drawing ----------------------------------------------------------------------------------
  schedule(pointsToo = true) {
    this.pointsOld ||= pointsToo;
    this.frame ||= requestAnimationFrame(() => {
      this.frame = 0;
      this.draw(this.pointsOld);
    });
  }

  /** What a frame shows, as the parts are given it. */
  scene() {
    const { cloud, state, camera, inks, colours } = this;
    return { cloud, state, camera, inks, colours, pictures: this.model.get("_atlas")?.tile ? this.atlas : null };
  }

  draw(pointsToo = true) {
    if (!this.painter || this.closed) return;
    const scene = this.scene();
    if (pointsToo) {
      this.pointsOld = false;
      this.cloud.place(scene.camera);
      if (this.looksOld) this.painter.look(this.cloud);
      this.looksOld = false;
      this.painter.paint(this.cloud, this.order, this.colours.rows, this.inks.packed);
      this.hover.place();
    }
    const context = penOf(this.over);
    context.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    context.clearRect(0, 0, this.width, this.height);
    this.pictured = drawPictures(context, scene);
    this.noteProxies(this.glyphs.draw(context, scene));
    if (this.state.labels) this.classNames.draw(context, scene);
    drawAxes(context, this.model.get("_axes"), scene);
    drawFocus(context, this.model.get("_focused"), this.pictured, scene);
    if (this.gestures.polygon) drawLasso(context, this.gestures.polygon, scene);
  }

  noteProxies(note) {
    if (this.proxyNote === note) return;
    this.proxyNote = note;
    this.showCounts();
  }

  pageCame() {
    this.atlas.refill(this.root);
    if (this.pictured) this.schedule(false);
  }

  // --- pointing ---------------------------------------------------------------------------------
  /** The image at a place of the screen; where pictures are shown, all of a picture is the image. */
  rowAt(x, y) {
    return this.cloud.nearest(x, y, this.pictured ? 30 : REACH);
  }

  click(place, event) {
    const row = this.rowAt(...place);
    this.focus(row);
    if (row >= 0) this.combine([row], event);
  }

  toggleLasso(on = !this.gestures.lassoing) {
    this.gestures.lassoing = on;
    this.lasso.setAttribute("aria-pressed", String(on));
    this.setCursor(false);
    if (on) this.say("lasso: draw around images");
  }

  setCursor(overImage) {
    this.over.style.cursor = this.gestures.lassoing ? "crosshair" : overImage ? "pointer" : "";
  }

  // --- selection and focus ----------------------------------------------------------------------
  /**
   * @param {number[]} rows
   * @param {Keys} [keys]
   */
  combine(rows, keys = {}) {
    const mask = this.cloud.selected;
    combineInto(mask, rows, keys);
    const selected = rowsOf(mask);
    this.model.set("_selected", bytesOf(Int32Array.from(selected)));
    this.model.save_changes();
    this.schedule();
    this.say(selected.length ? `${images(selected.length)} selected` : "nothing selected");
  }

  takeSelection(redraw = true) {
    const { cloud } = this;
    const rows = int32(this.model.get("_selected"));
    cloud.selected.fill(0);
    rows.forEach((row) => row < cloud.size && (cloud.selected[row] = 1));
    this.selectionPanel.show(rows, this.scene());
    if (redraw) this.schedule();
  }

  focus(row) {
    if (row === this.model.get("_focused")) this.takeFocus();
    this.model.set("_focused", row);
    this.model.save_changes();
  }

  takeFocus() {
    const { cloud } = this;
    const row = this.model.get("_focused");
    this.showFocus();
    if (row >= 0 && row < cloud.size) {
      this.say(`${cloud.className(row)}, ${cloud.id(row)}`);
      const [left, top] = [cloud.xy[2 * row], cloud.xy[2 * row + 1]];
      const [x, y] = this.camera.screen(left, top);
      if (!(x > 15 && y > 15 && x < this.width - 15 && y < this.height - 15) && cloud.drawable[row]) this.change({ x: left, y: top });
    } else this.say("no image is focused");
    this.schedule(false);
  }

  showFocus() {
    this.focusPanel.show(this.model.get("_focused"), this.scene());
  }

  /** The image focused if it is shown, or -1. */
  get focusShown() {
    const row = this.model.get("_focused");
    return row >= 0 && this.cloud.lit[row] === 2 ? row : -1;
  }

  // --- keys -------------------------------------------------------------------------------------
  /** Focuses the nearest image in a direction of the screen. */
  step(dx, dy) {
    const row = this.focusShown;
    const next = row >= 0 ? this.cloud.towards(row, dx, dy) : this.cloud.nearest(this.width / 2, this.height / 2, Infinity);
    if (next >= 0) this.focus(next);
    else this.say("no image further in that direction");
  }

  enter(event) {
    const row = this.focusShown;
    if (row >= 0) this.combine([row], event);
    else this.say("focus an image first: with the arrows, or by a click");
  }

  /** Clears one thing: the most passing first. */
  escape() {
    const { state } = this;
    if (!this.help.table.hidden) this.help.toggle();
    else if (this.gestures.dragging) this.gestures.cancel();
    else if (this.gestures.lassoing) this.toggleLasso(false);
    else if (state.find || this.finder.text) {
      this.finder.clear();
      this.change({ find: "" });
    } else if (state.solo.length) this.change({ solo: [] });
    else if (this.cloud.selected.includes(1)) this.combine([]);
    else this.focus(-1);
  }

  // --- finding a class --------------------------------------------------------------------------
  find(name) {
    const { cloud } = this;
    this.over.focus({ preventScroll: true });
    const code = cloud.classes.indexOf(name);
    const rows = code >= 0 ? cloud.rows[code] : [];
    this.change({ find: name, solo: [] });
    this.zoomTo(rows.length ? cloud.places(rows) : cloud.proxyPlaces(name));
    this.say(`${name}: ${rows.length ? images(rows.length) : "proxies only, no images here"}`);
  }
}

export default {
  render({ model, el }) {
    const space = new Space(model, el);
    return () => space.close();
  },
};
