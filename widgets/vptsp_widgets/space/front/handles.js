// Proxies as handles: another alpha, proxies elsewhere. What is set here is sent to the kernel, which answers as a whole.

import { float32, int32 } from "../../front/bytes.js";
import { onTraits } from "../../front/model.js";
import { HandlePanel } from "./handle_panel.js";
import { drawForces, drawHandles, drawTethers } from "./handle_marks.js";
import { placesOf } from "./handle_places.js";
/** @import { Model } from "../../front/model.js" */
/** @import { Kind } from "../../front/signs.js" */
/** @import { Camera } from "./camera.js" */
/** @import { Cloud } from "./cloud.js" */
/** @import { History } from "./history.js" */
/** @import { Scene } from "./overlay.js" */
/** @import { Drawn } from "./proxies.js" */
/** @import { State } from "./state.js" */

const REACH = { mouse: 9, pen: 14, touch: 22 }; // pixels from a sign within which it is meant
const STEP = 12; // pixels that a proxy moves by a key
const PAUSE = 120; // ms between two questions
const LOST = 15000; // ms after which an answer is not waited for if something else is asked

const ONLY_FLAT = "Proxies are handles on maps in two dimensions: a place on the screen of this one has no depth.";

/**
 * A proxy at (x, y) of the map; it is the mean of `rows` by `weights`, as the kernel says: without these, nobody has asked.
 * @typedef {{ proxy: number, x: number | null, y: number | null, rows?: number[], weights?: number[] }} Moved
 */
/**
 * The kernel's answer. `accuracy`: before and now, null where no image is of a class with a proxy; `known` are of one.
 * @typedef {{ turn: any, alpha: number | null, moved: Moved[], changed: number, images: number, known: number,
 *   accuracy: [number, number] | null, probes: { images: number, accuracy: [number, number] | null } | null, column: string,
 *   error?: string }} Handled
 */
/** @typedef {{ proxy: number, cosine: number, gradient: number }} Effect */
/** @typedef {{ row: number, error?: string, loss?: string, note?: string, effects?: Effect[], more?: number, rest?: number }} Felt */

export class Handles {
  /** @type {number | null} */ alpha = null; // null: the run's own
  /** @type {Moved[]} */ moved = [];
  /** @type {string | null} */ waiting = null; // the turn that is not answered yet
  again = false; // whether something was set since
  chosen = -1; // the proxy that the buttons move
  dragging = false;
  asks = 0;
  asked = 0; // when
  timer = 0;

  /**
   * @param {{ model: Model, cloud: () => Cloud, camera: () => Camera, state: () => State, drawn: () => Drawn[], history: History,
   *   change: (changes: Partial<State>) => void, select: (rows: number[]) => void, redraw: () => void, say: (text: string) => void }} parent
   */
  constructor(parent) {
    this.parent = parent;
    this.model = parent.model;
    this.panel = new HandlePanel(this);
    this.end = onTraits(this.model, {
      _handle_offer: () => this.renew(),
      _handled: () => this.take(),
      _way: () => this.wayCame(),
      _way_alphas: () => this.show(),
      _forces: () => this.show(),
    });
    this.take();
  }

  // --- what there is ----------------------------------------------------------------------------
  /** @returns {{ kind?: Kind, alpha?: number | null }} */
  get offer() {
    return this.model.get("_handle_offer") ?? {};
  }

  get live() {
    return this.model.live !== false;
  }

  /** Whether there is a run's proxy to be moved, and a kernel that says what follows, or has said it. */
  get offered() {
    return Boolean(this.offer.kind) && (this.live || Boolean(this.answer));
  }

  get open() {
    return this.panel.open;
  }

  /** @returns {Handled | null} */
  get answer() {
    const found = this.model.get("_handled");
    return found && "images" in found ? found : null;
  }

  /** @returns {Felt | null} */
  get felt() {
    const found = this.model.get("_forces");
    return found && "row" in found ? found : null;
  }

  get alphaNow() {
    return this.alpha ?? this.offer.alpha ?? 1;
  }

  /** Whether everything is as the run has it. */
  get atRest() {
    return !this.moved.length && this.alphaNow === (this.offer.alpha ?? 1);
  }

  // --- places -----------------------------------------------------------------------------------
  /** The signs of a map at their places of now. @param {Cloud} cloud */
  place(cloud) {
    const given = float32(this.model.get("_glyphs"));
    const { kind, alpha } = this.offer;
    const way = { alphas: this.model.get("_way_alphas") ?? [], places: float32(this.model.get("_way")) };
    cloud.glyphs = kind && !this.atRest ? placesOf(given, cloud.proxies, { kind, own: alpha ?? 1, alpha: this.alphaNow, moved: this.moved, way }) : given;
  }

  /** @param {number} proxy @returns {[number, number]} of the screen */
  placeOf(proxy) {
    const { kinds, names } = this.parent.cloud().proxies;
    const at = 2 * (kinds.indexOf(/** @type {Kind} */ (this.offer.kind)) * names.length + proxy);
    const { glyphs } = this.parent.cloud();
    return this.parent.camera().screen(glyphs[at], glyphs[at + 1]);
  }

  // --- asking -----------------------------------------------------------------------------------
  /** Asks, a moment later, for what is set then: also while something is dragged. */
  soon() {
    this.timer ||= setTimeout(() => {
      this.timer = 0;
      this.ask();
    }, PAUSE);
  }

  /** Asks once what was asked before is answered: a busy kernel gets the latest question alone. */
  ask() {
    if (this.waiting !== null && performance.now() - this.asked < LOST) {
      this.again = true;
      return;
    }
    this.asks += 1;
    this.asked = performance.now();
    this.again = false;
    this.waiting = `${this.asks} ${Math.random()}`;
    this.model.send({ kind: "handle", turn: this.waiting, alpha: this.alpha, moved: this.moved });
    this.panel.show();
  }

  /** The kernel has answered, or a cell has set the handles. */
  take() {
    const found = this.model.get("_handled") ?? {};
    const mine = this.waiting !== null && found.turn === this.waiting;
    if (mine) this.waiting = null;
    if (this.again && mine) this.soon();
    else if (this.waiting === null && !this.dragging && !this.timer && !this.again && !found.error) {
      this.alpha = found.alpha ?? null;
      this.moved = found.moved ?? [];
    }
    this.show();
  }

  /** Other images, or another run. */
  renew() {
    clearTimeout(this.timer);
    this.timer = 0;
    this.waiting = null;
    this.again = false;
    this.chosen = -1;
    this.panel.renew();
    this.take();
    if (this.open) this.opened();
  }

  /** Places of the signs may be others. */
  show() {
    this.place(this.parent.cloud());
    this.panel.show();
    this.parent.redraw();
  }

  // --- what can be done -------------------------------------------------------------------------
  toggle() {
    if (!this.offered) return this.parent.say(this.parent.cloud().solid && this.parent.cloud().proxies.kinds.length ? ONLY_FLAT : "there are no proxies of a run here to take as handles");
    this.panel.toggle();
  }

  /** The panel was opened. */
  opened() {
    if (!this.live || !this.offer.kind) return;
    this.ask();
    this.askWay();
  }

  askWay() {
    if (this.open && this.live && this.offer.alpha !== null && !this.model.get("_way")?.byteLength) this.model.send({ kind: "way" });
  }

  /** Places along alpha have come, or hold no longer: the map is another one. */
  wayCame() {
    this.askWay();
    this.show();
  }

  closed() {
    if (this.live) this.model.send({ kind: "feel", on: false });
    this.show();
  }

  /** @param {number} alpha */
  setAlpha(alpha) {
    this.alpha = alpha;
    this.show();
    this.soon();
  }

  /** @param {number | null} alpha @param {Moved[]} moved */
  set(alpha, moved) {
    this.alpha = alpha;
    this.moved = moved;
    this.show();
    this.soon();
  }

  /** Handles of a view that is opened, or of the one before it. @param {number | null} alpha @param {Moved[]} moved */
  bring(alpha, moved) {
    if (!this.offer.kind || JSON.stringify([alpha, moved]) === JSON.stringify([this.alpha, this.moved])) return;
    this.alpha = alpha;
    this.moved = moved;
    this.show();
    if (this.live) this.soon();
  }

  /** Sets moved proxies, as what can be undone. @param {string} what @param {Moved[]} moved @param {Moved[]} [before] */
  move(what, moved, before = this.moved) {
    const own = () => this.alpha;
    this.parent.history.did({ what, undo: () => this.set(own(), before), redo: () => this.set(own(), moved) });
    this.set(this.alpha, moved);
  }

  reset() {
    const [alpha, before] = [this.alpha, this.moved];
    this.parent.history.did({ what: "handles as the run has them", undo: () => this.set(alpha, before), redo: () => this.set(null, []) });
    this.set(null, []);
    this.parent.say("alpha and proxies as the run has them");
  }

  putBack() {
    this.move(`${this.nameOf(this.chosen)} put back`, this.moved.filter(({ proxy }) => proxy !== this.chosen));
  }

  /** @param {number} proxy */
  choose(proxy) {
    this.chosen = proxy;
    this.show();
  }

  nameOf(proxy) {
    return this.parent.cloud().proxies.names[proxy] ?? "";
  }

  selectChanged() {
    this.parent.select([...int32(this.model.get("_changed"))]);
  }

  /** Moves the chosen proxy by steps (dx, dy) of the screen. */
  step(dx, dy, far = false) {
    if (this.chosen < 0) return this.parent.say("choose a proxy first");
    const [x, y] = this.placeOf(this.chosen);
    const length = STEP * (far ? 4 : 1);
    this.move(`${this.nameOf(this.chosen)} moved`, this.movedTo(this.chosen, x + dx * length, y + dy * length));
  }

  /** With a proxy at a place of the screen. */
  movedTo(proxy, x, y) {
    const camera = this.parent.camera();
    const place = { x: camera.x + (x - camera.width / 2) / camera.scale, y: camera.y - (y - camera.height / 2) / camera.scale };
    return [...this.moved.filter((one) => one.proxy !== proxy), { proxy, ...place }];
  }

  /** The proxy whose sign is at a place of the screen, or -1. */
  under([x, y], reach = REACH.mouse) {
    if (!this.open || !this.live) return -1;
    let [best, found] = [reach * reach, -1];
    for (const proxy of this.visible()) {
      const [left, top] = this.placeOf(proxy);
      const distance = (left - x) ** 2 + (top - y) ** 2;
      if (distance < best) [best, found] = [distance, proxy];
    }
    return found;
  }

  /** Proxies whose sign is on the map. */
  visible() {
    const { names } = this.parent.cloud().proxies;
    const kind = /** @type {Kind} */ (this.offer.kind);
    const drawn = new Set(this.parent.drawn().filter(({ kinds }) => kinds.includes(kind)).map(({ name }) => name));
    return [...names.keys()].filter((proxy) => drawn.has(names[proxy])).concat(this.marked());
  }

  /** Those that are drawn in any case: chosen, moved, and at the ends of forces. */
  marked() {
    const ends = this.felt?.effects ?? [];
    return [...new Set([...ends.map(({ proxy }) => proxy), ...this.moved.map(({ proxy }) => proxy), ...(this.chosen >= 0 ? [this.chosen] : [])])];
  }

  /**
   * Begins to drag the proxy at a place of the screen; null: there is none.
   * @param {[number, number]} place
   * @param {PointerEvent} event
   */
  grab(place, event) {
    const proxy = this.under(place, REACH[event.pointerType] ?? REACH.mouse);
    if (proxy < 0) return null;
    const before = this.moved;
    this.choose(proxy);
    return {
      move: (/** @type {number} */ x, /** @type {number} */ y) => {
        this.dragging = true;
        this.set(this.alpha, this.movedTo(proxy, x, y));
      },
      drop: () => {
        if (!this.dragging) return this.parent.say(`${this.nameOf(proxy)}: drag its proxy, or move it by the buttons`);
        this.dragging = false;
        this.move(`${this.nameOf(proxy)} moved`, this.moved, before);
        this.parent.say(`${this.nameOf(proxy)} moved`);
      },
      cancel: () => {
        if (this.dragging) this.set(this.alpha, before);
        this.dragging = false;
      },
    };
  }

  // --- drawing ----------------------------------------------------------------------------------
  /** Lines, below the signs. @param {CanvasRenderingContext2D} context @param {Scene} scene */
  drawBelow(context, scene) {
    if (!this.open) return;
    for (const { proxy } of this.moved) {
      const rows = this.answer?.moved.find((one) => one.proxy === proxy)?.rows ?? [];
      drawTethers(context, this.placeOf(proxy), rows, scene);
    }
    if (this.felt?.effects) drawForces(context, this.felt.row, this.felt.effects.map((one) => ({ ...one, at: this.placeOf(one.proxy) })), scene);
  }

  /** Signs that are meant, above the others. @param {CanvasRenderingContext2D} context @param {Scene} scene */
  drawAbove(context, scene) {
    if (!this.open) return;
    const ranks = (this.felt?.effects ?? []).map(({ proxy }) => proxy);
    const signs = this.marked().map((proxy) => ({ at: this.placeOf(proxy), rank: ranks.indexOf(proxy) + 1, chosen: proxy === this.chosen }));
    drawHandles(context, /** @type {Kind} */ (this.offer.kind), signs, scene);
  }

  close() {
    clearTimeout(this.timer);
    this.end();
  }
}
