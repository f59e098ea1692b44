// The points as pixels, blended by hand.

import { penOf } from "../../front/dom.js";
import { clip } from "../../front/numbers.js";
import { PAD, shadeOf } from "./draw_list.js";
import { LEVELS } from "./turning.js";
/** @import { Camera } from "./camera.js" */
/** @import { Frame, Pass } from "./draw_list.js" */

const MANY = 20_000; // points from which on a frame may take too long
const SLOW = 8; // ms of a frame, of which many may fall into a second
const FEW = 20_000; // points drawn where nothing is known yet
const REST = 120; // ms without a move after which all is painted again

/** @typedef {{ key: unknown[], camera: Camera, canvas: OffscreenCanvas }} Whole - painted in full: what, from where */

/**
 * The points as pixels. Blending 60,000 dots by hand takes a few milliseconds, less than any path would. While the camera
 * moves over more than can be painted for every frame, what was painted last moves with it, and where that does not reach,
 * some of the points are drawn; all of them are once it rests.
 */
export class Painter {
  /** @type {number} */ width;
  /** @type {number} */ height;
  /** @type {ImageData} */ image;
  /** @type {Uint32Array} */ pixels;
  /** @type {Whole | null} */ whole = null;
  took = 0; // ms for all of what was painted last
  rested = false;
  timer = 0;

  // what is drawn, in the order of drawing: reading memory here and there would take longer than blending
  /** @type {unknown[]} */ gathered = [];
  xy = new Float32Array(0);
  colours = new Uint32Array(0);
  /** @type {Uint8Array | null} */ near = null;

  /**
   * @param {HTMLCanvasElement} canvas
   * @param {() => void} redraw - asks for a frame in which all is painted
   */
  constructor(canvas, redraw) {
    this.context = penOf(canvas);
    this.canvas = canvas;
    this.redraw = redraw;
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
    this.whole = null;
  }

  /** @param {Frame} frame */
  paint(frame) {
    const { list, cloud, colours, inks, camera } = frame;
    this.gather(frame);
    const key = [list.version, cloud, colours.rows, inks, cloud.solid?.seen];
    const known = this.whole?.key.every((part, place) => part === key[place]);
    clearTimeout(this.timer);
    if (this.whole && known && !this.rested && list.size > MANY && this.took > SLOW && covers(this.whole.camera, camera)) {
      this.hurry(frame, this.whole);
      this.timer = setTimeout(() => {
        this.rested = true;
        this.redraw();
      }, REST);
      return;
    }
    const began = performance.now();
    this.rested = false;
    this.blend(frame, 1);
    this.context.putImageData(this.image, -PAD, -PAD);
    this.took = performance.now() - began;
    this.whole = null;
    if (this.took <= SLOW || list.size <= MANY) return;
    const canvas = new OffscreenCanvas(this.canvas.width, this.canvas.height);
    /** @type {OffscreenCanvasRenderingContext2D} */ (canvas.getContext("2d")).putImageData(this.image, -PAD, -PAD);
    this.whole = { key, camera, canvas };
  }

  /**
   * Some of the points, and over them what was painted last, moved.
   * @param {Frame} frame
   * @param {Whole} whole
   */
  hurry(frame, { camera: from, canvas }) {
    const { camera, ratio, list } = frame;
    this.blend(frame, Math.ceil(list.size / FEW));
    this.context.putImageData(this.image, -PAD, -PAD);
    const grown = camera.scale / from.scale;
    const [left, top] = camera.screen(...from.place(0, 0));
    const at = (/** @type {number} */ place) => (grown === 1 ? Math.round(place * ratio) : place * ratio); // sharp where it is only moved
    this.context.drawImage(canvas, at(left), at(top), canvas.width * grown, canvas.height * grown);
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
   * @param {Frame} frame
   * @param {number} step - of so many points one is drawn
   */
  blend(frame, step) {
    this.pixels.fill(frame.inks.paper);
    for (const pass of frame.list.passes(frame)) this.dots(frame, pass, step);
  }

  /**
   * @param {Frame} frame
   * @param {Pass} pass
   * @param {number} step
   */
  dots({ camera, ratio }, pass, step) {
    const { pixels, width, xy, near } = this;
    const { start, end, colour } = pass;
    const discs = near ? Array.from({ length: LEVELS }, (_, level) => this.shaded(pass, level / (LEVELS - 1))) : [this.shaded(pass)];
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

  close() {
    clearTimeout(this.timer);
    this.whole = null;
  }
}

/** Whether what was seen from one camera shows at least a part of what another sees. @param {Camera} one @param {Camera} other */
function covers(one, other) {
  const [left, top] = other.screen(...one.place(0, 0));
  const [right, bottom] = other.screen(...one.place(one.width, one.height));
  const wide = Math.min(right, other.width) - Math.max(left, 0);
  const high = Math.min(bottom, other.height) - Math.max(top, 0);
  const grown = other.scale / one.scale;
  return wide > 0 && high > 0 && wide * high > 0.3 * other.width * other.height && grown < 3;
}
