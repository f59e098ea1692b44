// The map. All points are drawn and picked here, in plain canvas: the map works while the kernel is busy, and without one.

import { Atlas } from "../../front/atlas.js";
import { typed } from "../../front/bytes.js";
import { make } from "../../front/dom.js";
import { onTraits } from "../../front/model.js";
import { helpPanel, statusLine } from "../../front/status.js";
import { onTheme } from "../../front/theme.js";
import { Bar } from "./bar.js";
import { Camera } from "./camera.js";
import { Choice } from "./choice.js";
import { Cloud, images } from "./cloud.js";
import { coloursBy, themeInks, unpacked } from "./colours.js";
import { Counts } from "./counts.js";
import { FocusPanel } from "./image.js";
import { HELP, pressKey } from "./keys.js";
import { Legend } from "./legend.js";
import { lookedAt } from "./looked.js";
import { nearOf } from "./near.js";
import { ProxyToggles } from "./proxies.js";
import { SelectionPanel } from "./selection.js";
import { Stage } from "./stage.js";
import { ViewState } from "./state.js";
/** @import { Model } from "../../front/model.js" */
/** @import { Colours, Inks } from "./colours.js" */
/** @import { Looked } from "./looked.js" */
/** @import { Near } from "./near.js" */
/** @import { Keys } from "./selection.js" */
/** @import { State } from "./state.js" */

/** Builds the parts, brings them what the model says, and tells all of them when something changed. */
class Space {
  /** @type {HTMLDivElement} */ root;
  /** @type {Inks} */ inks;
  /** @type {Uint32Array} */ order;
  /** @type {Colours} */ colours;
  /** @type {Looked} */ looked = { looked: new Set(), kept: null };
  /** @type {Near | null} */ near = null;

  /**
   * @param {Model} model
   * @param {HTMLElement} el
   */
  constructor(model, el) {
    this.model = model;
    this.status = statusLine(model);
    this.atlas = new Atlas(model, () => this.pageCame());
    this.cloud = new Cloud(model);
    this.shared = new ViewState(model);
    const change = (/** @type {Partial<State>} */ changes) => this.change(changes);
    this.choice = new Choice(model, () => this.cloud, this.status.say);
    this.help = helpPanel(HELP);
    this.bar = this.makeBar(change);
    this.stage = this.makeStage(change);
    this.counts = new Counts(change);
    this.focusPanel = new FocusPanel(change);
    this.selectionPanel = new SelectionPanel({
      focus: (row) => this.focus(row),
      zoom: (rows) => this.zoomTo(this.cloud.places(rows)),
      clear: () => this.combine([]),
    });
    this.proxyToggles = new ProxyToggles(change);
    this.legend = new Legend({ choose: (solo) => this.change({ solo, find: "" }), say: this.status.say });
    this.build(el);
    this.ends = [
      onTraits(model, {
        _points: () => this.reload(),
        view_state: () => this.shared.adopt() && this.refresh(),
        _selected: () => this.takeSelection(),
        _focused: () => this.takeFocus(),
        _near: () => this.look(),
      }),
      onTheme(this.root, (dark) => {
        this.inks = themeInks(this.root, dark);
        this.refresh();
      }),
    ];
    this.stage.start();
  }

  // --- the page ---------------------------------------------------------------------------------
  makeBar(change) {
    return new Bar({
      cloud: () => this.cloud, state: () => this.state, change,
      find: (name) => this.find(name),
      lasso: () => this.toggleLasso(),
      zoom: (factor) => this.zoom(factor),
      whole: () => this.whole(),
      help: () => this.help.toggle(),
      say: this.status.say,
    });
  }

  makeStage(change) {
    return new Stage({
      scene: () => this.scene(),
      more: () => ({ order: this.order, axes: this.model.get("_axes"), focused: this.choice.focused }),
      noted: (note) => this.noteProxies(note),
      change,
      clicked: (place, event) => this.click(place, event),
      lassoed: (polygon, event) => this.combine(this.cloud.inside(polygon), event),
      zoom: (factor, x, y) => this.zoom(factor, x, y),
      whole: () => this.whole(),
      say: this.status.say,
    });
  }

  /** @param {HTMLElement} el */
  build(el) {
    this.root = make(
      "div", { className: "vptsp vptsp-space" }, this.bar.element, this.help.table,
      make("div", { className: "vptsp-space-main" }, this.stage.element,
        make("div", { className: "vptsp-space-side" },
          this.focusPanel.element, this.selectionPanel.element, this.proxyToggles.element, this.legend.element)),
      this.counts.element, this.status.line,
    );
    this.root.dataset.lmSuppressShortcuts = "true"; // JupyterLab would take the arrows and Enter for its own
    const acts = {
      help: () => this.help.toggle(),
      escape: () => this.escape(),
      find: () => this.bar.finder.focus(),
      step: (dx, dy) => this.step(dx, dy),
      enter: (event) => this.enter(event),
      zoom: (factor) => this.zoom(factor),
      whole: () => this.whole(),
      lasso: () => this.toggleLasso(),
    };
    this.root.addEventListener("keydown", (event) => pressKey(event, this.stage.over, acts));
    el.append(this.root);
  }

  /** Other images are shown now. */
  reload() {
    this.atlas.close(); // its pages are of the images before
    this.atlas = new Atlas(this.model, () => this.pageCame());
    this.cloud = new Cloud(this.model);
    this.shared.take();
    this.stage.hover.point(null);
    this.takeSelection();
    this.refresh();
  }

  close() {
    this.shared.close();
    this.ends.forEach((end) => end());
    this.status.end();
    this.stage.close();
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
    if (Object.keys(changes).every((name) => ["x", "y", "zoom"].includes(name))) this.stage.schedule();
    else this.refresh();
  }

  /** What a frame shows, as the parts are given it. */
  scene() {
    const { cloud, state, camera, inks, colours, looked, near } = this;
    return { cloud, state, camera, inks, colours, looked, near, pictures: this.model.get("_atlas")?.tile ? this.atlas : null };
  }

  /** Everything that depends on the state. */
  refresh() {
    const { cloud, state, inks, stage } = this;
    const [column, title] = [cloud.column(state.colour), this.model.get("_title")];
    cloud.light(state);
    this.order = cloud.order(column);
    this.colours = coloursBy(column, cloud, typed(Uint8Array, this.model.get("_colours")), inks);
    this.bar.show(title, cloud, state);
    stage.over.setAttribute("aria-label", `Map of ${title}, ${images(cloud.shown)}. Arrows move between images, ? lists the keys.`);
    this.legend.show(column, cloud, state.solo, this.colours.css, unpacked(inks.packed.faint));
    this.proxyToggles.show(cloud.proxies, state, inks);
    this.counts.show(cloud, state);
    stage.looksOld = true;
    this.takeSelection();
    this.showFocus();
  }

  /** What is focused or selected is other than before. */
  look() {
    const { cloud, choice } = this;
    this.looked = lookedAt(cloud, this.state, choice.focused);
    this.near = nearOf(this.model, choice.focused, cloud.codes);
    this.showFocus();
    this.stage.schedule(false);
  }

  noteProxies(note) {
    if (this.counts.note === note) return;
    this.counts.note = note;
    this.counts.show(this.cloud, this.state);
  }

  pageCame() {
    this.atlas.refill(this.root);
    if (this.stage.pictured) this.stage.schedule(false);
  }

  // --- camera -----------------------------------------------------------------------------------
  get camera() {
    return new Camera(this.cloud, this.state, this.stage.width, this.stage.height);
  }

  /**
   * To another part of the map, where dots may have another size.
   * @param {Partial<State>} changes
   */
  aim(changes) {
    this.stage.looksOld = true;
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

  // --- selection and focus ----------------------------------------------------------------------
  click(place, event) {
    const row = this.stage.rowAt(...place);
    this.focus(row);
    if (row >= 0) this.combine([row], event);
  }

  toggleLasso(on = !this.stage.gestures.lassoing) {
    this.stage.setLasso(on);
    this.bar.showLasso(on);
    if (on) this.status.say("lasso: draw around images");
  }

  /**
   * @param {number[]} rows
   * @param {Keys} [keys]
   */
  combine(rows, keys = {}) {
    this.choice.combine(rows, keys);
    this.look();
    this.stage.schedule();
  }

  takeSelection() {
    const rows = this.choice.takeSelection();
    this.look();
    this.selectionPanel.show(rows, this.scene());
    this.stage.schedule();
  }

  focus(row) {
    if (row === this.choice.focused) this.takeFocus();
    this.choice.focus(row);
  }

  /** What is focused is said, and brought into the picture. */
  takeFocus() {
    const { cloud, stage } = this;
    const row = this.choice.focused;
    this.look();
    this.choice.sayFocus();
    if (row >= 0 && row < cloud.size) {
      const [left, top] = [cloud.xy[2 * row], cloud.xy[2 * row + 1]];
      const [x, y] = this.camera.screen(left, top);
      if (!(x > 15 && y > 15 && x < stage.width - 15 && y < stage.height - 15) && cloud.drawable[row]) this.change({ x: left, y: top });
    }
    stage.schedule(false);
  }

  showFocus() {
    this.focusPanel.show(this.choice.focused, this.scene());
  }

  // --- keys -------------------------------------------------------------------------------------
  /** Focuses the nearest image in a direction of the screen. */
  step(dx, dy) {
    const { cloud, stage } = this;
    const row = this.choice.focusShown;
    const next = row >= 0 ? cloud.towards(row, dx, dy) : cloud.nearest(stage.width / 2, stage.height / 2, Infinity);
    if (next >= 0) this.focus(next);
    else this.status.say("no image further in that direction");
  }

  enter(event) {
    const row = this.choice.focusShown;
    if (row >= 0) this.combine([row], event);
    else this.status.say("focus an image first: with the arrows, or by a click");
  }

  /** Clears one thing: the most passing first. */
  escape() {
    const { state, stage } = this;
    const { finder } = this.bar;
    if (!this.help.table.hidden) this.help.toggle();
    else if (stage.gestures.dragging) stage.gestures.cancel();
    else if (stage.gestures.lassoing) this.toggleLasso(false);
    else if (state.find || finder.text) {
      finder.clear();
      this.change({ find: "" });
    } else if (state.solo.length) this.change({ solo: [] });
    else if (this.cloud.selected.includes(1)) this.combine([]);
    else this.focus(-1);
  }

  /** A class by its name: its images, or its proxies alone. */
  find(name) {
    const { cloud } = this;
    this.stage.over.focus({ preventScroll: true });
    const code = cloud.classes.indexOf(name);
    const rows = code >= 0 ? cloud.rows[code] : [];
    this.change({ find: name, solo: [] });
    this.zoomTo(rows.length ? cloud.places(rows) : cloud.proxyPlaces(name));
    this.status.say(`${name}: ${rows.length ? images(rows.length) : "proxies only, no images here"}`);
  }
}

export default {
  render({ model, el }) {
    const space = new Space(model, el);
    return () => space.close();
  },
};
