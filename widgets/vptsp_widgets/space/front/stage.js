// The stage: the canvases of the map and what follows the pointer, drawn once a frame.

import { make, penOf } from "../../front/dom.js";
import { sharpness, sizeOf } from "../../front/pixels.js";
import { REACH } from "./cloud.js";
import { Gestures } from "./gestures.js";
import { Hover } from "./hover.js";
import { aboutImage } from "./image.js";
import { drawNear } from "./neighbours.js";
import { ClassNames, drawAxes, drawSolidAxes, drawFocus, drawLasso } from "./overlay.js";
import { MapPictures } from "./pictures.js";
import { Points } from "./points.js";
import { Glyphs } from "./proxies.js";
/** @import { Contours } from "./contours.js" */
/** @import { Handles } from "./handles.js" */
/** @import { Near } from "./neighbours.js" */
/** @import { Glyph } from "./proxies.js" */
/** @import { Scene } from "./overlay.js" */
/** @import { Wanted } from "./points.js" */
/** @import { Keys } from "./selection.js" */
/** @import { State } from "./state.js" */

const [MOST_TURNED, FEWEST_TURNED] = [100_000, 20_000]; // images drawn in a frame while the map is turned by hand
const SLOW = 40; // ms of such a frame, after which fewer are drawn

/**
 * What the stage asks and tells.
 * @typedef {object} Parent
 * @property {() => Scene} scene - what a frame shows
 * @property {() => { order: Uint32Array, axes: string[], focused: number }} more - images from back to front, ...
 * @property {(row: number) => Near | null} near - what an image finds, as far as it is known
 * @property {(note: string | undefined) => void} noted - what is to be said of the proxies drawn
 * @property {() => Handles} handles
 * @property {Contours} contours
 * @property {(changes: Partial<State>) => void} change
 * @property {(turn: number[]) => void} turned - from this one
 * @property {(place: [number, number], event: Keys) => void} clicked
 * @property {(polygon: number[], event: Keys) => void} lassoed
 * @property {(factor: number, x?: number, y?: number) => void} zoom
 * @property {() => void} whole
 * @property {(text: string) => void} say
 * @property {() => Wanted} painter - that is to draw the points
 * @property {() => void} painted - another one does
 */

export class Stage {
  width = 0;
  height = 0;
  ratio = 0;
  frame = 0; // 0: none is under way
  step = 1; // of so many images one is drawn, while a large map is turned
  pointsOld = false;
  looksOld = false;
  closed = false;

  /** @param {Parent} parent */
  constructor(parent) {
    this.parent = parent;
    const canvas = make("canvas", { className: "vptsp-space-points", "aria-hidden": "true" });
    this.over = make("canvas", {
      className: "vptsp-space-over", tabIndex: 0, role: "application", "aria-roledescription": "map of images",
    });
    this.points = new Points(canvas, { wanted: parent.painter, redraw: () => this.schedule(), told: parent.painted });
    this.glyphs = new Glyphs();
    this.classNames = new ClassNames();
    this.pictures = new MapPictures(() => this.schedule(false));
    this.hover = new Hover({
      look: (x, y) => ({ row: this.rowAt(x, y), glyph: this.glyphs.under(x, y) }),
      about: (row) => aboutImage(row, 96, parent.scene()),
      seen: (row, glyph) => this.seen(row, glyph),
      stage: () => ({ cloud: parent.scene().cloud, pictured: this.pictures.has(this.hover.under?.row ?? -1), width: this.width, height: this.height }),
    });
    this.gestures = new Gestures(this.over, {
      camera: () => parent.scene().camera,
      change: parent.change, turned: parent.turned, clicked: parent.clicked, lassoed: parent.lassoed, zoom: parent.zoom, whole: parent.whole, say: parent.say,
      grab: (place, event) => parent.handles().grab(place, event),
      hover: (place) => this.hover.point(place),
      redraw: () => this.schedule(this.step > 1),
    });
    this.element = make("div", { className: "vptsp-space-stage" }, canvas, this.over, this.hover.ring, this.hover.card);
    this.sizes = new ResizeObserver(() => this.resize());
  }

  /** From now on it takes the room there is. */
  start() {
    this.points.choose();
    this.sizes.observe(this.element);
    this.resize();
  }

  /** Another painter is wanted. */
  choosePainter() {
    this.points.choose();
    this.schedule();
  }

  resize() {
    const [width, height] = sizeOf(this.over);
    const ratio = sharpness(this.over, 2);
    if (!width || !height || (width === this.width && height === this.height && ratio === this.ratio)) return;
    [this.width, this.height, this.ratio] = [width, height, ratio];
    this.points.resize(this.width, this.height, this.ratio);
    this.over.width = Math.round(this.width * this.ratio);
    this.over.height = Math.round(this.height * this.ratio);
    this.looksOld = true;
    this.draw(); // at once: a canvas that was resized is empty
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
    if (!this.width || this.closed) return;
    const scene = this.parent.scene();
    const { cloud, state } = scene;
    const { order, axes, focused } = this.parent.more();
    if (pointsToo) {
      this.pointsOld = false;
      this.pictures.old = true;
      cloud.place(scene.camera);
      const turned = this.gestures.drag?.turning && this.gestures.drag.moved;
      const least = this.points.drawnByGpu ? 1 : 2 ** Math.ceil(Math.log2(Math.max(1, cloud.shown / MOST_TURNED)));
      this.step = turned ? Math.max(this.step, least) : 1;
      const began = performance.now();
      this.points.paint(scene, order, this.looksOld, this.step);
      this.looksOld = false;
      const slow = performance.now() - began > SLOW;
      if (turned && slow && cloud.shown > this.step * FEWEST_TURNED) this.step *= 2; // of those drawn, half are in the next frame
      this.hover.place();
    }
    const context = penOf(this.over);
    context.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    context.clearRect(0, 0, this.width, this.height);
    this.parent.contours.draw(context, scene);
    const pictures = this.pictures.draw(context, scene, focused);
    drawNear(context, scene);
    const pointed = state.truth ? this.hover.under?.row ?? -1 : -1;
    if (pointed >= 0 && pointed !== focused) drawNear(context, { ...scene, near: this.parent.near(pointed) });
    this.parent.handles().drawBelow(context, scene);
    this.parent.noted(this.glyphs.draw(context, scene));
    drawFocus(context, focused, this.pictures.has(focused) ? this.pictures.side : 0, scene);
    if (state.labels) this.classNames.draw(context, scene, pictures, this.pictures.side); // over rings and lines, or they could not be read
    this.parent.handles().drawAbove(context, scene);
    if (cloud.solid) drawSolidAxes(context, axes, scene);
    else drawAxes(context, axes, scene);
    if (this.gestures.polygon) drawLasso(context, this.gestures.polygon, scene);
    if (scene.flying) {
      this.looksOld = true;
      this.schedule();
    }
  }

  // --- pointing ---------------------------------------------------------------------------------
  /** The image at a place of the screen; all of a picture is its image. */
  rowAt(x, y) {
    const pictured = this.pictures.at(x, y);
    return pictured >= 0 ? pictured : this.parent.scene().cloud.nearest(x, y, REACH);
  }

  /** More thumbnails have come, or others. */
  picturesCame() {
    this.pictures.old = true;
    this.schedule(false);
  }

  /** What is under the pointer: an image, or a proxy, whose whole class is drawn then. */
  seen(row, glyph) {
    this.setCursor(row >= 0 && !glyph, this.isHandle(glyph));
    if (this.parent.scene().state.truth) this.schedule(false);
    if (this.glyphs.pointed === (glyph?.name ?? null)) return;
    this.glyphs.pointed = glyph?.name ?? null;
    this.schedule(false);
  }

  setLasso(on) {
    this.gestures.lassoing = on;
    this.setCursor(false);
  }

  setCursor(overImage, overHandle = false) {
    this.over.style.cursor = this.gestures.lassoing ? "crosshair" : overHandle ? "move" : overImage ? "pointer" : "";
  }

  /** @param {Glyph | null} glyph */
  isHandle(glyph) {
    return Boolean(glyph) && !this.gestures.lassoing && this.parent.handles().under(/** @type {[number, number]} */ (glyph?.at)) >= 0;
  }

  close() {
    this.closed = true;
    this.sizes.disconnect();
    cancelAnimationFrame(this.frame);
    this.hover.close();
    this.pictures.close();
    this.points.close();
  }
}
