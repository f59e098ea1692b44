// A run played again: proxies and probe images move through its epochs in one frozen frame.

import { Atlas } from "../../front/atlas.js";
import { make } from "../../front/dom.js";
import { onTraits } from "../../front/model.js";
import { presenter } from "../../front/presenter.js";
import { helpPanel, statusLine } from "../../front/status.js";
import { onTheme } from "../../front/theme.js";
import { debounced } from "../../front/timing.js";
import { showLooked } from "./about.js";
import { Choice, push } from "./choice.js";
import { Controls } from "./controls.js";
import { Curves } from "./curves.js";
import { Film } from "./film.js";
import { Follower } from "./follow.js";
import { HELP, rootKey, stageKey } from "./keys.js";
import { Legend, noteText } from "./legend.js";
import { Looks } from "./looks.js";
import { Player } from "./player.js";
import { Stage } from "./stage.js";
import { ClassFinder, TrailList } from "./trails.js";
/** @import { Model } from "../../front/model.js" */
/** @import { Help } from "../../front/status.js" */

/** Builds the parts, brings them what the model says, and tells all of them when something changed. */
class TimeMachine {
  /** @type {() => void} */ endStatus;
  /** @type {HTMLDivElement} */ root;
  /** @type {Choice} */ choice;
  /** @type {Looks} */ looks;
  /** @type {Player} */ player;
  /** @type {Curves} */ curves;
  /** @type {Stage} */ stage;
  /** @type {Legend} */ legend;
  /** @type {TrailList} */ trails;
  /** @type {ClassFinder} */ finder;
  /** @type {Follower} */ follower;
  /** @type {Controls} */ controls;
  /** @type {Help} */ help;
  /** @type {ReturnType<typeof presenter>} */ present;
  /** @type {HTMLDivElement} */ looked;
  /** @type {HTMLDivElement} */ side;
  /** @type {HTMLDivElement} */ note;
  /** @type {Film} */ film;
  /** @type {Atlas | null} */ atlas;
  /** @type {number} */ frameNumber;
  closed = false;

  /**
   * @param {Model} model
   * @param {HTMLElement} el
   */
  constructor(model, el) {
    this.model = model;
    this.hovered = -1;
    this.build(el);
    this.ends = [
      onTheme(this.root, (dark) => {
        this.looks.setTheme(dark);
        if (!this.film) return;
        this.curves.show(this.player.moment, this.looks);
        this.showAll();
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
    this.sizes.observe(this.stage.element);
    this.sizes.observe(this.side);
    this.load();
  }

  // --- the page -----------------------------------------------------------------------------------
  /** @param {HTMLElement} el */
  build(el) {
    const { line, say, end } = statusLine(this.model);
    this.endStatus = end;
    this.root = make("div", { className: "vptsp vptsp-timemachine", onkeydown: (event) => rootKey(event, this.player, this.choice, { typed: this.finder.input, help: () => this.help.toggle() }) });
    this.choice = new Choice(this.model, say, () => this.showAll());
    this.looks = new Looks(this.root, this.choice, () => this.showAll());
    this.player = new Player(() => this.moved());
    this.curves = new Curves();
    this.stage = new Stage({
      onpointermove: (event) => this.hover(event), onpointerleave: () => this.hoverAt(-1),
      onclick: (event) => this.click(event), onkeydown: (event) => stageKey(event, this.player, this.choice),
    });
    this.legend = new Legend((kind, shown) => this.switchKind(kind, shown));
    this.trails = new TrailList(this.choice);
    this.finder = new ClassFinder(this.choice, say);
    this.follower = new Follower(this.model);
    this.controls = new Controls({ setFrame: (name) => this.setFrame(name), draw: () => this.draw() });
    this.help = helpPanel(HELP);
    this.present = presenter({
      count: () => this.film.times, at: () => this.player.nearest(),
      go: (at) => this.player.glide(at), title: (at) => `epoch ${this.film.epochs[at]}`,
    });
    const bar = make(
      "div", { className: "vptsp-bar" }, this.controls.title, this.controls.frameLabel, make("label", {}, "Colour by", this.looks.select),
      this.finder.label, this.finder.names, this.controls.picturesLabel, this.follower.element,
      make("button", { type: "button", title: "Keys and gestures (?)", "aria-label": "Keys and gestures (?)", onclick: () => this.help.toggle() }, "?"),
      this.present.button,
    );
    this.looked = make("div", { className: "vt-looked" });
    this.side = make(
      "div", { className: "vt-side vptsp-fold" }, this.curves.element, make("div", {}, make("h4", {}, "Shown"), this.legend.element),
      this.trails.element, this.looked,
    );
    this.note = make("div", { className: "vt-note" });
    const picture = make("div", { className: "vt-picture" }, this.stage.framed, this.stage.across, this.player.element);
    this.root.append(bar, this.help.table, make("div", { className: "vt-main vptsp-stretch" }, picture, this.side), this.note, line);
    el.append(this.root);
  }

  load() {
    this.player.pause();
    const film = this.film = new Film(this.model);
    const { tile } = this.model.get("_atlas") ?? {};
    this.atlas?.close();
    this.atlas = tile ? new Atlas({ get: (key) => this.model.get(key), on() {}, off() {}, send() {} }, () => this.arrived()) : null;
    this.atlas?.arrived(0, this.model.get("_tiles"));
    this.controls.load(film, Boolean(tile));
    this.hovered = -1;
    this.stage.card.hide();
    this.looks.load(film, this.model.get("_colours"));
    this.finder.load(film);
    this.follower.load(film);
    this.player.load(film, Math.max(0, film.epochs.indexOf(this.model.get("epoch"))));
    this.curves.load(film);
    this.choice.load(film);
    this.takeFrame();
  }

  /** The thumbnails are decoded. */
  arrived() {
    this.atlas?.refill(this.root);
    this.draw();
  }

  // --- what Python sets -----------------------------------------------------------------------------
  takeEpoch() {
    const time = this.film.epochs.indexOf(this.model.get("epoch"));
    if (time >= 0 && time !== this.player.nearest()) this.player.jump(time);
  }

  takeFrame() {
    this.controls.frame.value = this.model.get("frame");
    this.frameNumber = this.film.frameAt(this.model.get("frame"));
    this.stage.setFrame(this.film.frames[this.frameNumber].axes, this.film.extent(this.frameNumber));
    this.resize();
    this.showAll();
  }

  setFrame(name) {
    push(this.model, "frame", name);
    this.takeFrame();
  }

  // --- pointer --------------------------------------------------------------------------------------
  hover(event) {
    if (event.pointerType === "touch") return;
    this.hoverAt(this.stage.under(event, this.scene()));
  }

  hoverAt(point) {
    if (point === this.hovered) return;
    this.hovered = point;
    this.stage.showCatch(point >= 0);
    this.draw();
  }

  click(event) {
    const point = this.stage.under(event, this.scene());
    if (point < 0) return;
    if (point >= this.film.images) this.choice.switchTrail(this.film.classOf(point));
    else if (event.shiftKey) this.choice.switchSelected(point);
    else this.choice.setFocus(point === this.choice.focused ? -1 : point);
  }

  // --- showing --------------------------------------------------------------------------------------
  /** What the picture is to show now. */
  scene() {
    const { film, frameNumber: frame, hovered, choice, looks, atlas } = this;
    return { film, frame, moment: this.player.moment, hovered, choice, looks, atlas, pictures: this.controls.pictures.checked };
  }

  showAll() {
    const { film, choice, looks } = this;
    this.legend.show(film, choice, looks);
    this.trails.show(film, looks);
    showLooked(this.looked, film, choice.focused, this.atlas);
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

  showTime() {
    this.stage.showTime(this.film, this.player.nearest());
    this.curves.showHead(this.player.moment, this.looks);
    this.present.show();
  }

  showNote() {
    this.note.textContent = noteText(this.film, this.frameNumber, this.choice.hidden);
  }

  draw() {
    if (this.film && !this.closed) this.stage.draw(this.scene());
  }

  resize() {
    if (this.closed || this.frameNumber === undefined) return;
    this.stage.fit();
    this.player.showTicks();
    this.curves.show(this.player.moment, this.looks);
    this.draw();
  }

  switchKind(kind, shown) {
    this.choice.showKind(kind, shown);
    this.draw();
    this.showNote();
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
