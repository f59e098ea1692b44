// The stage: the picture of the points, its scale, and which point is under the pointer.

import { make, penOf } from "../../front/dom.js";
import { placeIn, sharpness } from "../../front/pixels.js";
import { Card } from "./about.js";
import { Painter } from "./painter.js";
/** @import { Atlas } from "../../front/atlas.js" */
/** @import { Choice } from "./choice.js" */
/** @import { Film } from "./film.js" */
/** @import { Looks } from "./looks.js" */

const REACH = 11; // pixels within which the pointer catches a point

/**
 * What to draw: a frame of the film at a moment, which runs from 0 to the number of the last epoch.
 * @typedef {{ film: Film, frame: number, moment: number, hovered: number, choice: Choice, looks: Looks,
 *   atlas: Atlas | null, pictures: boolean }} Scene
 */

/** From units of a frame to pixels of the picture: one scale for all epochs. */
export class Scale {
  /**
   * @param {number} width
   * @param {number} height
   * @param {number[]} extent
   */
  constructor(width, height, [left, right, low, high]) {
    this.width = width;
    this.height = height;
    const room = 26;
    this.factor = Math.min((width - 2 * room) / Math.max(right - left, 1e-9), (height - 2 * room) / Math.max(high - low, 1e-9));
    if (!(this.factor > 0 && this.factor < 1e9)) this.factor = 1;
    this.middle = [(left + right) / 2, (low + high) / 2];
  }

  /** @returns {[number, number]} */
  screen(x, y) {
    return [this.width / 2 + (x - this.middle[0]) * this.factor, this.height / 2 - (y - this.middle[1]) * this.factor];
  }

  /**
   * Where a point is at the moment shown.
   * @param {Film} film
   */
  at(film, point) {
    return this.screen(film.xy[2 * point], film.xy[2 * point + 1]);
  }
}

/** `handlers` are those of the canvas for pointer and keys. What to draw comes as a scene, made anew for each call. */
export class Stage {
  /** @type {number[]} */ extent;
  /** @type {number} */ ratio;
  /** @type {Scale} */ scale;

  constructor(handlers) {
    this.canvas = make("canvas", { className: "vt-canvas", tabIndex: 0, role: "application", "aria-roledescription": "replay of a run", ...handlers });
    this.big = make("div", { className: "vt-big", "aria-hidden": "true" });
    this.across = make("div", { className: "vt-across" });
    this.up = make("div", { className: "vt-up" });
    this.card = new Card();
    this.element = make("div", { className: "vt-stage" }, this.big, this.canvas, this.card.element);
    this.framed = make("div", { className: "vt-framed" }, this.up, this.element);
  }

  setFrame(axes, extent) {
    [this.across.textContent, this.up.textContent] = axes;
    this.extent = extent;
  }

  /** Takes the room there is. */
  fit() {
    const [width, height] = [this.element.clientWidth, this.element.clientHeight];
    this.ratio = sharpness(this.element);
    if (width && height) {
      this.canvas.width = Math.round(width * this.ratio);
      this.canvas.height = Math.round(height * this.ratio);
    }
    this.scale = new Scale(width, height, this.extent);
  }

  /** @param {Scene} scene */
  draw(scene) {
    if (!this.scale?.width) return;
    scene.film.moveTo(scene.frame, scene.moment);
    const context = penOf(this.canvas);
    context.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    context.clearRect(0, 0, this.scale.width, this.scale.height);
    new Painter(context, scene, this.scale).paint();
    this.card.show(scene, this.scale);
  }

  /**
   * The point under the pointer, or -1; of points equally near, the one drawn on top.
   * @param {any} event
   * @param {Scene} scene
   */
  under(event, { film, choice, atlas, pictures }) {
    const [x, y] = placeIn(this.canvas, event);
    const wide = pictures && atlas ? 14 : REACH;
    let [best, found] = [Infinity, -1];
    for (let point = 0; point < film.points; point++) {
      if (!choice.isShown(point)) continue;
      const [left, top] = this.scale.at(film, point);
      const trailed = choice.trails.includes(film.classOf(point)) ? 4 : 0;
      const away = Math.hypot(left - x, top - y);
      if (away <= (point < film.images ? wide : REACH) + trailed / 4 && away - trailed <= best) [best, found] = [away - trailed, point];
    }
    return found;
  }

  /** Whether the pointer has caught a point. */
  showCatch(caught) {
    this.canvas.style.cursor = caught ? "pointer" : "default";
  }

  /**
   * The number of the epoch, behind the points and for those who do not see them.
   * @param {Film} film
   */
  showTime(film, time) {
    const epoch = film.epochs[time];
    const first = film.epochs[0] === 0 && time === 0;
    this.big.replaceChildren(make("b", {}, String(epoch)), make("span", {}, first ? "before training" : film.times < 2 ? "the only epoch so far" : "epoch"));
    const parts = film.curves.map(({ title, values }) => ({ title, value: values[time] })).filter(({ value }) => value !== null);
    this.canvas.setAttribute("aria-label", `Epoch ${epoch} of ${film.epochs.at(-1)}. ${parts.map(({ title, value }) => `${title} ${value?.toFixed(1)} %`).join(", ")}`);
  }
}
