// The points of the map, painted by the graphics processor where there is one, else by hand; chosen here, and told.

import { DrawList, lookOf } from "./draw_list.js";
import { GpuPainter } from "./gpu_painter.js";
import { Painter } from "./painter.js";
/** @import { Look } from "./draw_list.js" */
/** @import { Scene } from "./overlay.js" */

/** @typedef {"auto" | "webgl" | "canvas"} Wanted */

export class Points {
  ratio = 1;
  /** @type {Look} */ look = { radius: 1, alpha: 1 };
  /** @type {GpuPainter | null} */ gpu = null;
  list = new DrawList();

  /**
   * @param {HTMLCanvasElement} canvas
   * @param {{ wanted: () => Wanted, redraw: () => void, told: () => void }} parent - `told`: another painter draws now
   */
  constructor(canvas, { wanted, redraw, told }) {
    this.canvas = canvas;
    this.byHand = new Painter(canvas);
    this.wanted = wanted;
    this.redraw = redraw;
    this.told = told;
  }

  /** Takes the painter that is wanted, as far as there is one. */
  choose() {
    this.gpu?.close();
    this.gpu = null;
    const wanted = this.wanted();
    if (wanted !== "canvas") {
      this.gpu = GpuPainter.of(this.canvas, wanted === "webgl", (here) => {
        this.byHand.stop();
        if (here) this.gpu?.resize();
        this.redraw(); // at once by the other one: what was lost is not to be missed
        this.told();
      });
    }
    this.gpu?.resize();
    this.byHand.stop();
    this.told();
  }

  /** Whether the graphics processor draws. */
  get drawnByGpu() {
    return Boolean(this.gpu?.ready);
  }

  get painter() {
    return this.gpu?.ready ? this.gpu : this.byHand;
  }

  /** How the points are drawn, in words. */
  get about() {
    if (this.drawnByGpu || this.wanted() === "canvas") return this.painter.about;
    return `${this.byHand.about}: this browser offers no WebGL2 ${this.wanted() === "auto" ? "by a graphics processor" : "at all"} now`;
  }

  resize(width, height, ratio) {
    this.canvas.width = Math.round(width * ratio);
    this.canvas.height = Math.round(height * ratio);
    this.ratio = ratio;
    this.byHand.resize();
    this.gpu?.resize();
  }

  /**
   * @param {Scene} scene
   * @param {Uint32Array} order - rows from back to front
   * @param {boolean} looksOld - whether dots may have another size
   * @param {number} step - of so many images one is drawn
   */
  paint({ cloud, camera, colours, inks: { packed: inks } }, order, looksOld, step) {
    if (looksOld) this.look = lookOf(cloud, camera.width, camera.height);
    this.list.update(cloud, cloud.solid?.order ?? order, colours, inks.faint, step);
    this.painter.paint({ list: this.list, cloud, camera, look: this.look, colours, inks, ratio: this.ratio });
  }

  close() {
    this.gpu?.close();
    this.gpu = null;
    this.byHand.stop();
  }
}
