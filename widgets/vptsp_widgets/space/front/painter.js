// The points as pixels, blended by hand.

import { penOf } from "../../front/dom.js";
import { clip } from "../../front/numbers.js";
import { PAD, shadeOf } from "./draw_list.js";
import { LEVELS } from "./turning.js";
/** @import { Camera } from "./camera.js" */
/** @import { Frame, Pass } from "./draw_list.js" */

const MANY = 20_000; // points up to which all are painted at once
const FEW = 20_000; // points painted where nothing else is known
const QUICK = 8; // ms for all points, as often as there is a frame
const MOST_GROWN = 4; // times, up to which what was painted is shown larger
const SLICE = 20; // ms of painting, after which others have their turn
const AT_ONCE = 4096; // points between two looks at the clock
const REST = 120; // ms without a move after which all is painted again

/** @typedef {{ offsets: Int32Array, shares: Int32Array, pieces: number, far: number }} Disc */
/** @typedef {Pass & { discs: Disc[] }} Stroke - a part of the list, and the discs of its levels of nearness */
/** @typedef {{ camera: Camera, canvas: OffscreenCanvas }} Whole - what was painted in full, and from where */

/**
 * The points as pixels. Blending 60,000 dots by hand takes a few milliseconds, less than any path would. More are painted
 * bit by bit, and so is what is seen of a first map. While the camera moves, what was painted last moves with it, and where
 * that does not reach, some of the points are painted; all of them are once it rests.
 */
export class Painter {
  /** @type {number} */ width;
  /** @type {number} */ height;
  /** @type {ImageData} */ image;
  /** @type {Uint32Array} */ pixels;
  /** @type {Whole | null} */ whole = null;
  /** @type {Frame | null} */ wanted = null; // the last one
  /** @type {unknown[]} */ key = []; // all that it shows, but for the camera
  took = Infinity; // ms for all of the points
  timer = 0; // until more is painted

  // what is drawn, in the order of drawing: reading memory here and there would take longer than blending
  /** @type {unknown[]} */ gathered = [];
  xy = new Float32Array(0);
  colours = new Uint32Array(0);
  /** @type {Uint8Array | null} */ near = null;

  /** @param {HTMLCanvasElement} canvas */
  constructor(canvas) {
    this.context = penOf(canvas);
    this.canvas = canvas;
  }

  /** How the points are drawn, in words. */
  get about() {
    return "the processor, on a plain canvas";
  }

  resize() {
    this.width = this.canvas.width + 2 * PAD;
    this.height = this.canvas.height + 2 * PAD;
    this.image = new ImageData(this.width, this.height);
    this.pixels = new Uint32Array(this.image.data.buffer);
    this.stop();
  }

  /** @param {Frame} frame */
  paint(frame) {
    const { list, cloud, colours, inks } = frame;
    const key = [list.version, cloud, colours.rows, inks, cloud.solid?.seen];
    const same = key.every((part, place) => part === this.key[place]);
    if (same && this.wanted && sameSight(this.wanted, frame)) return; // it is there, or will be
    if (!same) this.took = Infinity;
    const moved = same && this.took > QUICK && list.size > MANY;
    const shown = this.wanted !== null;
    clearTimeout(this.timer);
    [this.wanted, this.key] = [frame, key];
    this.gather(frame);
    if (moved) {
      this.hurry(frame);
      this.timer = setTimeout(() => this.work(this.begin(frame), false), REST);
    } else this.work(this.begin(frame), !shown);
  }

  /**
   * Where painting all of a frame stands: before its first point.
   * @param {Frame} frame
   */
  begin(frame) {
    this.pixels.fill(frame.inks.paper);
    return { frame, strokes: this.strokes(frame), stroke: 0, turn: 0, took: 0 };
  }

  /**
   * Paints as much as there is time for, the rest later.
   * @param {ReturnType<Painter["begin"]>} task
   * @param {boolean} first - nothing is there yet, so that some of the points are better than none
   */
  work(task, first) {
    const { frame, strokes } = task;
    const began = performance.now();
    const all = frame.list.size <= MANY;
    let spent = 0;
    while (task.stroke < strokes.length && (all || spent < SLICE)) {
      const stroke = strokes[task.stroke];
      const start = Math.max(task.turn, stroke.start);
      const end = Math.min(stroke.end, start + AT_ONCE);
      this.dots(frame, stroke, start, end, 1);
      task.turn = end;
      if (end === stroke.end) [task.stroke, task.turn] = [task.stroke + 1, 0];
      spent = performance.now() - began;
    }
    task.took += spent;
    const done = task.stroke === strokes.length;
    if (done || first) this.context.putImageData(this.image, -PAD, -PAD);
    if (!done) {
      this.timer = setTimeout(() => this.work(task, first));
      return;
    }
    this.took = task.took;
    this.whole = null;
    if (all || this.took <= QUICK) return;
    const canvas = new OffscreenCanvas(this.canvas.width, this.canvas.height);
    /** @type {OffscreenCanvasRenderingContext2D} */ (canvas.getContext("2d")).putImageData(this.image, -PAD, -PAD);
    this.whole = { camera: frame.camera, canvas };
  }

  /**
   * Some of the points, and over them what was painted last, moved.
   * @param {Frame} frame
   */
  hurry(frame) {
    const { camera, ratio, list, inks } = frame;
    this.pixels.fill(inks.paper);
    const step = Math.ceil(list.size / FEW);
    for (const stroke of this.strokes(frame)) this.dots(frame, stroke, stroke.start, stroke.end, step);
    this.context.putImageData(this.image, -PAD, -PAD);
    if (!this.whole) return;
    const { camera: from, canvas } = this.whole;
    const grown = camera.scale / from.scale;
    const [left, top] = camera.screen(...from.place(0, 0));
    const at = (/** @type {number} */ place) => (grown === 1 ? Math.round(place * ratio) : place * ratio); // sharp where it is only moved
    if (grown < MOST_GROWN) this.context.drawImage(canvas, at(left), at(top), canvas.width * grown, canvas.height * grown);
  }

  /**
   * Places and colours in the order of the list.
   * @param {Frame} frame
   */
  gather({ list, cloud, colours }) {
    const { rows, size } = list;
    const { xy, solid } = cloud;
    const key = [list.version, cloud, colours.rows, solid?.seen];
    if (key.every((part, place) => part === this.gathered[place])) return;
    this.gathered = key;
    if (this.colours.length < size || this.colours.length > 2 * size) {
      this.xy = new Float32Array(2 * size);
      this.colours = new Uint32Array(size);
    }
    if (solid && this.near?.length !== this.colours.length) this.near = new Uint8Array(this.colours.length);
    if (!solid) this.near = null;
    for (let turn = 0; turn < size; turn++) {
      const row = rows[turn];
      this.xy[2 * turn] = xy[2 * row];
      this.xy[2 * turn + 1] = xy[2 * row + 1];
      this.colours[turn] = colours.rows[row];
      if (solid && this.near) this.near[turn] = solid.near[row];
    }
  }

  /** Offsets and coverage (0..256) of the pixels of a disc. */
  disc(radius) {
    const far = Math.ceil(radius);
    /** @type {number[]} */
    const offsets = [];
    /** @type {number[]} */
    const covers = [];
    for (let y = -far; y <= far; y++) {
      for (let x = -far; x <= far; x++) {
        const cover = clip(radius + 0.5 - Math.hypot(x, y), 0, 1);
        if (cover > 0.02) {
          offsets.push(y * this.width + x);
          covers.push(Math.round(256 * cover));
        }
      }
    }
    return { offsets: Int32Array.from(offsets), covers: Int32Array.from(covers), far };
  }

  /**
   * A disc with the shares of its colour in each pixel.
   * @param {Pass} pass
   * @param {number} [near]
   */
  shaded(pass, near) {
    const { radius, alpha } = shadeOf(pass, near);
    const { offsets, covers, far } = this.disc(radius);
    return { offsets, shares: covers.map((cover) => Math.round(cover * alpha)), pieces: offsets.length, far };
  }

  /**
   * The parts of the list, each with its discs.
   * @param {Frame} frame
   * @returns {Stroke[]}
   */
  strokes(frame) {
    const levels = this.near ? Array.from({ length: LEVELS }, (_, level) => level / (LEVELS - 1)) : [undefined];
    return frame.list.passes(frame).map((pass) => ({ ...pass, discs: levels.map((near) => this.shaded(pass, near)) }));
  }

  /**
   * @param {Frame} frame
   * @param {Stroke} stroke
   * @param {number} start - in the list
   * @param {number} end
   * @param {number} step - of so many points one is drawn
   */
  dots({ camera, ratio }, { discs, colour }, start, end, step) {
    const { pixels, width, xy, near } = this;
    const margin = PAD - discs[discs.length - 1].far; // so that no pixel of a disc falls outside
    const [right, bottom] = [this.canvas.width + margin, this.canvas.height + margin];
    const { scale } = camera;
    const [left, top] = [camera.width / 2 - camera.x * scale, camera.height / 2 + camera.y * scale];
    for (let turn = start; turn < end; turn += step) {
      const x = Math.round((xy[2 * turn] * scale + left) * ratio);
      const y = Math.round((top - xy[2 * turn + 1] * scale) * ratio);
      if (!(x >= -margin && y >= -margin && x < right && y < bottom)) continue;
      const own = colour ?? this.colours[turn];
      const redBlue = own & 0xff00ff;
      const green = own & 0xff00;
      const middle = (y + PAD) * width + x + PAD;
      const { offsets, shares, pieces } = discs[near ? near[turn] : 0];
      for (let piece = 0; piece < pieces; piece++) {
        const at = middle + offsets[piece];
        const share = shares[piece];
        const under = pixels[at];
        const rb = (Math.imul(under & 0xff00ff, 256 - share) + Math.imul(redBlue, share)) >>> 8;
        const g = (Math.imul(under & 0xff00, 256 - share) + Math.imul(green, share)) >>> 8;
        pixels[at] = 0xff000000 | (rb & 0xff00ff) | (g & 0xff00);
      }
    }
  }

  /** Nothing is wanted of it any longer. */
  stop() {
    clearTimeout(this.timer);
    this.whole = this.wanted = null;
    this.key = [];
  }
}

/** Whether two frames show the map from one place, with dots of one size. @param {Frame} one @param {Frame} other */
function sameSight({ camera: one, look }, { camera: other, look: size }) {
  return one.x === other.x && one.y === other.y && one.scale === other.scale && look.radius === size.radius && look.alpha === size.alpha;
}
