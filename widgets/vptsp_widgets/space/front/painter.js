// The points as pixels, blended by hand.

import { penOf } from "../../front/dom.js";
import { clip } from "../../front/numbers.js";
import { LEVELS } from "./turning.js";
/** @import { Cloud } from "./cloud.js" */
/** @import { Colours, Inks } from "./colours.js" */

const PAD = 16; // pixels around the image that points may spill into

/** @typedef {{ is: (row: number) => unknown, radius: number, alpha: number, colour?: number }} Pass */

/** The points as pixels. Blending 60,000 dots by hand takes a few milliseconds, less than any path would. */
export class Painter {
  /** @type {number} */ width;
  /** @type {number} */ height;
  /** @type {ImageData} */ image;
  /** @type {Uint32Array} */ pixels;
  /** @type {number} */ ratio;
  /** @type {number} */ radius;
  /** @type {number} */ alpha;

  /** @param {HTMLCanvasElement} canvas */
  constructor(canvas) {
    this.context = penOf(canvas);
    this.canvas = canvas;
  }

  resize(width, height, ratio) {
    this.canvas.width = Math.round(width * ratio);
    this.canvas.height = Math.round(height * ratio);
    this.width = this.canvas.width + 2 * PAD;
    this.height = this.canvas.height + 2 * PAD;
    this.image = new ImageData(this.width, this.height);
    this.pixels = new Uint32Array(this.image.data.buffer);
    this.ratio = ratio;
  }

  /**
   * Size and opacity of a dot, by how many share the part of the screen that has any.
   * @param {Cloud} cloud
   */
  look(cloud) {
    const cell = 12;
    const across = Math.ceil(this.width / this.ratio / cell);
    const taken = new Uint8Array(across * Math.ceil(this.height / this.ratio / cell + 1));
    let [points, cells] = [0, 0];
    for (let row = 0; row < cloud.size; row++) {
      const [x, y] = [cloud.sx[row], cloud.sy[row]];
      if (cloud.lit[row] !== 2 || !(x >= 0 && y >= 0 && x * this.ratio < this.canvas.width && y * this.ratio < this.canvas.height)) continue;
      points += 1;
      const at = Math.floor(y / cell) * across + Math.floor(x / cell);
      if (!taken[at]) cells += taken[at] = 1;
    }
    const room = (cells * cell * cell) / Math.max(1, points);
    const radius = clip(Math.sqrt((0.5 * room) / Math.PI), 1.15, 5);
    const covered = (Math.PI * radius * radius) / Math.max(1e-6, room);
    this.radius = Math.round(radius * 8) / 8;
    this.alpha = covered <= 0.6 ? 0.92 : Math.max(0.4, 0.92 * (0.6 / covered) ** 0.4);
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
   * A disc with the shares of its colour in each pixel, by how near it is in space, from 0 to 1: smaller and fainter far off.
   * @param {number} radius
   * @param {number} alpha - 1: of what is selected, and as strong everywhere
   * @param {number} [near]
   */
  shaded(radius, alpha, near) {
    const size = near === undefined ? 1 : 0.75 + 0.4 * near;
    const { offsets, covers, far } = this.disc(Math.min(PAD - 2, radius * size));
    const shade = alpha * (near === undefined || alpha === 1 ? 1 : 0.4 + 0.6 * near);
    return { offsets, shares: covers.map((cover) => Math.round(cover * shade)), pieces: offsets.length, far };
  }

  /**
   * @param {Cloud} cloud
   * @param {any} order
   * @param {Colours} look
   * @param {Inks["packed"]} inks
   * @param {number} step - of so many images one is drawn
   */
  paint(cloud, order, { rows: colours, rimmed, grey }, { paper, ink, faint }, step = 1) {
    this.pixels.fill(paper);
    const some = cloud.selected.includes(1);
    const several = some && cloud.selected.indexOf(1) !== cloud.selected.lastIndexOf(1); // one alone is ringed, and dims nothing
    const radius = this.radius * this.ratio;
    const plain = (row) => cloud.lit[row] === 2 && !cloud.selected[row];
    const alpha = this.alpha * (several ? 0.4 : 1);
    /** @type {Pass[]} */
    const passes = [{ is: (row) => cloud.lit[row] === 1, radius: 0.75 * radius, alpha: 0.22, colour: faint }];
    if (rimmed) passes.push({ is: plain, radius: radius + this.ratio, alpha, colour: faint });
    if (grey) { // what is looked at lies on top
      passes.push({ is: (row) => plain(row) && colours[row] === faint, radius, alpha: 0.7 * alpha });
      passes.push({ is: (row) => plain(row) && colours[row] !== faint, radius, alpha });
    } else passes.push({ is: plain, radius, alpha });
    if (some) {
      const chosen = (row) => cloud.lit[row] && cloud.selected[row];
      const wide = Math.min(PAD - 2, radius + 1.4 * this.ratio);
      passes.push({ is: chosen, radius: wide, alpha: 1, colour: ink });
      passes.push({ is: chosen, radius: wide - this.ratio, alpha: 1 });
    }
    for (const pass of passes) this.dots(cloud, order, colours, pass, step);
    this.context.putImageData(this.image, -PAD, -PAD);
  }

  /**
   * @param {Cloud} cloud
   * @param {Uint32Array} order
   * @param {Uint32Array} colours - a pixel for each row
   * @param {Pass} pass
   * @param {number} step
   */
  dots(cloud, order, colours, { is, radius, alpha, colour }, step) {
    const { pixels, ratio, width } = this;
    const { sx, sy } = cloud;
    const near = cloud.solid?.near;
    const discs = near ? Array.from({ length: LEVELS }, (_, level) => this.shaded(radius, alpha, level / (LEVELS - 1)))
      : [this.shaded(radius, alpha)];
    const margin = PAD - discs[discs.length - 1].far; // so that no pixel of a disc falls outside
    const [right, bottom] = [this.canvas.width + margin, this.canvas.height + margin];
    for (let turn = 0; turn < order.length; turn++) {
      const row = order[turn];
      if (step > 1 && row % step) continue;
      const x = Math.round(sx[row] * ratio);
      const y = Math.round(sy[row] * ratio);
      if (!(x >= -margin && y >= -margin && x < right && y < bottom) || !is(row)) continue;
      const own = colour ?? colours[row];
      const [redBlue, green] = [own & 0xff00ff, own & 0xff00];
      const middle = (y + PAD) * width + x + PAD;
      const { offsets, shares, pieces } = discs[near ? near[row] : 0];
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
}
