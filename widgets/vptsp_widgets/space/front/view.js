// The map. All points are drawn and picked here, by WebGL2 or in plain canvas: the map works while the kernel is busy, and without one.

import { Atlas } from "../../front/atlas.js";
import { typed } from "../../front/bytes.js";
import { make } from "../../front/dom.js";
import { onTraits } from "../../front/model.js";
import { presenter } from "../../front/presenter.js";
import { helpPanel, statusLine } from "../../front/status.js";
import { onTheme } from "../../front/theme.js";
import { afterFrame } from "../../front/timing.js";
import { Bar } from "./bar.js";
import { Choice } from "./chosen_images.js";
import { ChosenActs } from "./selection_actions.js";
import { Cloud, images } from "./cloud.js";
import { commandsOf } from "./commands.js";
import { Contours } from "./contours.js";
import { coloursBy, themeInks, unpacked } from "./colours.js";
import { Counts } from "./counts.js";
import { DensityPanel } from "./density_panel.js";
import { FilterBar } from "./filter_bar.js";
import { FocusPanel } from "./image.js";
import { Handles } from "./handles.js";
import { History } from "./history.js";
import { HELP, pressKey } from "./keys.js";
import { KeptSelections } from "./kept.js";
import { Legend } from "./legend.js";
import { codesLooked, lookedAt } from "./classes_looked_at.js";
import { nearOf } from "./neighbours.js";
import { PictureToggles } from "./picture_toggles.js";
import { MeasurePanel } from "./measures.js";
import { answerOffline } from "./offline.js";
import { ProxyToggles } from "./proxies.js";
import { SelectionPanel } from "./selection.js";
import { Stage } from "./stage.js";
import { Travel } from "./travel.js";
import { TurnControls } from "./turn_controls.js";
import { ViewState } from "./state.js";
import { Tags } from "./tags.js";
import { KeptViews } from "./views.js";
/** @import { Model } from "../../front/model.js" */
/** @import { Colours, Inks } from "./colours.js" */
/** @import { Looked } from "./classes_looked_at.js" */
/** @import { Near } from "./neighbours.js" */
/** @import { Keys } from "./selection.js" */
/** @import { State } from "./state.js" */

/** Builds the parts, brings them what the model says, and tells all of them when something changed. */
export class Space {
  /** @type {HTMLDivElement} */ root;
  /** @type {HTMLElement} */ drawnBy;
  /** @type {Inks} */ inks;
  /** @type {Uint32Array} */ order;
  /** @type {Colours} */ colours;
  /** @type {Looked} */ looked = { looked: new Set(), kept: null };
  /** @type {Near | null} */ near = null;
  /** @type {boolean | undefined} */ renewing; // whether with other images; undefined: nothing has changed
  pointed = -1; // category of the legend under the pointer
  panelsLater = false; // whether the panels will show another selection soon
  closed = false;

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
    this.history = new History(this.status.say);
    this.choice = new Choice(model, () => this.cloud, this.history, this.status.say);
    this.help = helpPanel(HELP);
    this.travel = new Travel({ cloud: () => this.cloud, state: () => this.state, stage: () => this.stage, change });
    this.views = new KeptViews(this);
    this.turns = new TurnControls(this);
    this.contours = new Contours();
    this.densityPanel = new DensityPanel(this);
    this.bar = this.makeBar(change);
    this.filters = new FilterBar(change);
    this.stage = this.makeStage(change);
    this.handles = this.makeHandles(change);
    this.counts = new Counts(change, () => this.mapAlone([]));
    this.focusPanel = new FocusPanel(change, model);
    this.selectionPanel = new SelectionPanel((row) => this.focus(row), this.makeActs());
    this.measurePanel = new MeasurePanel(model, () => this.cloud);
    this.pictureToggles = new PictureToggles(change);
    this.proxyToggles = new ProxyToggles(change);
    this.legend = new Legend((solo) => this.solo(solo), (code) => {
      this.pointed = code;
      this.look();
    });
    this.commands = commandsOf(this);
    this.build(el);
    this.ends = [
      onTraits(model, {
        _points: () => this.renew(true),
        _columns: () => this.renew(false),
        _codes: () => this.renew(false),
        view_state: () => this.shared.adopt() && this.refresh(),
        _selected: () => (this.choice.remember(), this.takeSelection(), this.showSelectionNext()),
        _focused: () => this.takeFocus(),
        _near: () => this.look(),
        _kept: () => this.showSelection(),
        _kept_views: () => this.views.show(),
        painter: () => this.stage.choosePainter(),
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
      find: (name) => this.commands.found(name),
      lasso: () => this.toggleLasso(),
      filter: () => this.filters.toggle(),
      views: this.views.button,
      turns: this.turns.element,
      zoom: (factor) => this.travel.zoom(factor),
      whole: () => this.travel.whole(),
      help: () => this.help.toggle(),
      present: presenter(this.classesInTurn()).button,
      say: this.status.say,
    });
  }

  /** The steps of a presenter: the whole map, then each category that colours it alone. */
  classesInTurn() {
    const values = () => this.cloud.column(this.state.colour).values ?? [];
    return {
      count: () => values().length + 1,
      at: () => (this.state.solo.length === 1 ? values().indexOf(this.state.solo[0]) + 1 : 0),
      go: (/** @type {number} */ at) => this.solo(at ? [values()[at - 1]] : []),
      title: (/** @type {number} */ at) => (at ? values()[at - 1] : "the whole map"),
    };
  }

  makeStage(change) {
    return new Stage({
      scene: () => this.scene(),
      more: () => ({ order: this.order, axes: this.model.get("_axes"), focused: this.choice.focused }),
      near: (row) => nearOf(this.model, row, this.cloud.codes),
      noted: (note) => this.noteProxies(note),
      handles: () => this.handles,
      contours: this.contours,
      turned: (turn) => this.turns.turned(turn),
      change,
      clicked: (place, event) => this.click(place, event),
      lassoed: (polygon, event) => this.combine(this.cloud.inside(polygon), event),
      zoom: (factor, x, y) => this.travel.zoom(factor, x, y),
      whole: () => this.travel.whole(),
      say: this.status.say,
      painter: () => this.model.get("painter") ?? "auto",
      painted: () => this.tellPainter(),
    });
  }

  makeHandles(change) {
    return new Handles({
      model: this.model, cloud: () => this.cloud, camera: () => this.travel.camera, state: () => this.state,
      drawn: () => this.stage.glyphs.drawn, history: this.history, change,
      select: (rows) => this.combine(rows), redraw: () => this.stage.schedule(false), say: this.status.say,
    });
  }

  makeActs() {
    const cloud = () => this.cloud;
    const { say } = this.status;
    return new ChosenActs({
      cloud, say,
      title: () => this.model.get("_title"),
      history: this.history,
      tags: new Tags(this.model, cloud, this.history, say),
      kept: new KeptSelections({ model: this.model, history: this.history, select: (rows) => this.combine(rows), say }),
      zoom: (rows) => this.travel.to(this.cloud.places(rows)),
      select: (rows) => this.combine(rows),
      alone: (rows) => this.mapAlone(rows),
    });
  }

  /** @param {HTMLElement} el */
  build(el) {
    this.drawnBy = make("td", {});
    this.help.table.append(make("tr", {}, make("th", { scope: "row" }, "points drawn by"), this.drawnBy));
    this.root = make(
      "div", { className: "vptsp vptsp-space" }, this.bar.element, this.filters.element, this.views.element, this.help.table,
      make("div", { className: "vptsp-space-main vptsp-stretch" }, this.stage.element,
        make("div", { className: "vptsp-space-side vptsp-fold" },
          this.focusPanel.element, this.selectionPanel.element, this.measurePanel.element, this.pictureToggles.element, this.densityPanel.element, this.proxyToggles.element, this.handles.panel.element, this.legend.element)),
      this.counts.element, this.status.line,
    );
    this.root.dataset.lmSuppressShortcuts = "true"; // JupyterLab would take the arrows and Enter for its own
    this.root.addEventListener("keydown", (event) => pressKey(event, this.stage.over, this.commands));
    el.append(this.root);
  }

  /** Other columns are there, or (`images`) other images, once all of what has changed is. */
  renew(images) {
    if (this.renewing === undefined) {
      queueMicrotask(() => {
        const other = this.renewing;
        this.renewing = undefined;
        if (!this.closed) this.reload(other);
      });
    }
    this.renewing ||= images;
  }

  /** @param {boolean | undefined} placed - whether images or their places are other ones */
  reload(placed) {
    const { alone, idBytes } = this.cloud;
    this.cloud = new Cloud(this.model);
    this.handles.show();
    const others = idBytes !== this.cloud.idBytes;
    if (alone !== this.cloud.alone) this.status.say(this.cloud.alone ? `${images(this.cloud.alone)} projected alone` : "");
    if (placed) {
      this.atlas.close(); // its pages are of the images before
      this.atlas = new Atlas(this.model, () => this.pageCame());
      if (others) this.history.clear(); // the same ones may only have other places
      this.shared.take();
      this.stage.hover.point(null);
    }
    this.refresh();
  }

  close() {
    this.closed = true;
    this.shared.close();
    this.ends.forEach((end) => end());
    this.status.end();
    this.measurePanel.close();
    this.handles.close();
    this.views.close();
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
    if (Object.keys(changes).every((name) => ["x", "y", "zoom", "turn"].includes(name))) this.stage.schedule();
    else this.refresh();
  }

  /** What a frame shows, as the parts are given it. */
  scene() {
    const { cloud, state, inks, colours, looked, near } = this;
    const { camera } = this.travel;
    return { cloud, state, camera, inks, colours, looked, near, flying: this.travel.flying, pictures: this.model.get("_atlas")?.tile ? this.atlas : null };
  }

  /** Everything that depends on the state. */
  refresh() {
    const { cloud, state, inks, stage } = this;
    const [column, title] = [cloud.column(state.colour), this.model.get("_title")];
    cloud.light(state);
    this.order = cloud.order(column);
    this.bar.show(title, cloud, state);
    this.turns.show();
    this.filters.show(cloud, state);
    stage.over.setAttribute("aria-label", `Map of ${title}, ${images(cloud.shown)}. Arrows move between images, ${cloud.solid ? "with Shift they turn the map, " : ""}? lists the keys.`);
    this.look(true);
    this.legend.show(column, cloud, state.solo, this.colours.css, unpacked(inks.packed.faint));
    this.proxyToggles.show(cloud.proxies, state, inks);
    this.pictureToggles.show(cloud, state, Boolean(this.model.get("_atlas")?.tile));
    this.counts.show(cloud, state);
    stage.looksOld = true;
    this.takeSelection();
    this.showSelection();
    this.showFocus();
    stage.hover.again();
  }

  /** What is looked at is other than before, or (`afresh`) what the images are coloured by. */
  look(afresh = false) {
    const { cloud, choice } = this;
    this.looked = lookedAt(cloud, this.state, choice.focused);
    this.near = nearOf(this.model, choice.focused, cloud.codes);
    const column = cloud.column(this.state.colour);
    if (afresh || column.grey) {
      const codes = codesLooked(cloud, this.state, choice.focused, this.near, this.pointed);
      this.colours = coloursBy(column, cloud, typed(Uint8Array, this.model.get("_colours")), this.inks, codes);
      this.legend.mark(column.grey ? codes : null);
    }
    this.showFocus();
    this.stage.schedule(Boolean(column.grey));
  }

  /** What draws the points: in the list of keys, and below a map so large that it matters. */
  tellPainter() {
    const { points } = this.stage;
    this.root.dataset.painter = points.drawnByGpu ? "webgl" : "canvas";
    this.drawnBy.textContent = points.about;
    this.counts.slow = points.drawnByGpu || points.wanted() === "canvas" ? "" : "drawn without WebGL2 (? says more)";
    this.counts.show(this.cloud, this.state);
  }

  noteProxies(note) {
    if (this.counts.note === note) return;
    this.counts.note = note;
    this.counts.show(this.cloud, this.state);
  }

  pageCame() {
    this.atlas.refill(this.root);
    this.stage.picturesCame();
  }

  /** Some categories alone, none for all of them; the map flies there and back. @param {string[]} values */
  solo(values) {
    const { cloud } = this;
    this.change({ solo: values, find: "" });
    const column = cloud.column(this.state.colour);
    const wanted = new Set(values.map((value) => column.values.indexOf(value)));
    if (values.length) this.travel.to(cloud.places([...cloud.sx.keys()].filter((row) => wanted.has(cloud.codes[column.start + row]))));
    else this.travel.whole();
    this.status.say(values.length ? `only ${values.join(", ")}` : "");
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
    this.choice.combine(rows, keys); // the model tells of it, and takeSelection shows it
  }

  takeSelection() {
    this.choice.takeSelection();
    this.contours.renew(this.cloud, this.state);
    this.look();
    this.stage.schedule();
  }

  /** What is said of the selection beside the map. */
  showSelection() {
    const rows = this.choice.rows;
    this.densityPanel.show(this.contours.found);
    this.selectionPanel.show(rows, this.scene());
    this.measurePanel.show([...rows]);
  }

  /** The same, once the map shows it: thumbnails and lists take longer than the points. */
  showSelectionNext() {
    if (this.panelsLater) return;
    this.panelsLater = true;
    afterFrame(() => {
      this.panelsLater = false;
      if (!this.closed) this.showSelection();
    });
  }

  focus(row) {
    if (row === this.choice.focused) this.takeFocus();
    this.choice.focus(row);
  }

  /** Images on a map of their own; none: the map of all. @param {number[]} rows */
  mapAlone(rows) {
    this.status.say(rows.length ? `projecting ${images(rows.length)} …` : "");
    this.model.send({ kind: "alone", rows });
  }

  /** What is focused is said, and brought into the picture. */
  takeFocus() {
    const { cloud, stage } = this;
    const row = this.choice.focused;
    this.look();
    this.choice.sayFocus();
    if (row >= 0 && row < cloud.size) {
      const [left, top] = [cloud.xy[2 * row], cloud.xy[2 * row + 1]];
      const [x, y] = this.travel.camera.screen(left, top);
      if (!(x > 15 && y > 15 && x < stage.width - 15 && y < stage.height - 15) && cloud.drawable[row]) this.change({ x: left, y: top });
    }
    stage.schedule(false);
  }

  showFocus() {
    this.focusPanel.show(this.choice.focused, this.scene());
  }
}

export default {
  render({ model, el }) {
    const space = new Space(model, el);
    return () => space.close();
  },
  answer: answerOffline,
};
