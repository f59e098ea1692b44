// The points as pixels, blended by hand.

import { penOf } from "../../front/dom.js";
import { sameItems } from "../../front/lists.js";
import { clip } from "../../front/numbers.js";
import { PAD, WASH, shadeOf } from "./draw_list.js";
import { LEVELS } from "./turning.js";
/** @import { Camera } from "./camera.js" */
/** @import { Frame, Pass } from "./draw_list.js" */

const MANY = 20_000; // points up to which all are painted at once
const FEW = 20_000; // points painted where nothing else is known
const QUICK = 8; // ms for all points, as often as there is a frame
const MOST_GROWN = 4; // times, up to which what was painted is shown larger
const SLICE = 20; // ms of painting, after which others have their turn
const AT_ONCE = 4096; // points between two looks at the clock
const ALL = 256; // as a share of a pixel
const REST = 120; // ms without a move after which all is painted again

/** @typedef {{ offsets: Int32Array, shares: Int32Array, whole: number, pieces: number, far: number }} Disc - the first `whole` cover all */
/** @typedef {Pass & { discs: Disc[] }} Stroke - a part of the list, and the discs of its levels of nearness */
/** @typedef {{ frame: Frame, key: unknown[], pixels: Uint32Array }} Below - all points below a selection, as they were painted */
/** @typedef {{ camera: Camera, canvas: OffscreenCanvas }} Whole - what was painted in full, and from where */

/**
 * The points as pixels. Blending 60,000 dots by hand takes a few milliseconds, less than any path would. More are painted
 * bit by bit, and so is what is seen of a first map. What lies below a selection is kept, and where another selection brings
 * other colours as well, it is seen on the points as they were until they are painted. While the camera moves, what was
 * painted last moves with it, and where that does not reach, some of the points are painted; all of them are once it rests.
 */
export class Painter {
  /** @type {number} */ width;
  /** @type {number} */ height;
  /** @type {ImageData} */ image;
  /** @type {Uint32Array} */ pixels;
  /** @type {Below | null} */ below = null;
  /** @type {Whole | null} */ whole = null;
  /** @type {Camera | null} */ done = null; // from where all of what `pixels` hold was painted
  /** @type {Frame | null} */ wanted = null; // the last one
  /** @type {unknown[]} */ key = []; // all that it shows below a selection, but for the camera
  picked = 0; // the selection that it shows
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
    const same = sameItems(key, this.key);
    const still = this.wanted && sameSight(this.wanted, frame);
    if (same && still && this.picked === list.picked) return; // it is there, or will be
    if (!same) this.took = Infinity;
    if (this.picked !== list.picked) this.whole = this.done = null; // a picture of another selection is none to be moved
    const moved = same && !still && this.took > QUICK && list.size > MANY;
    const shown = this.wanted !== null;
    clearTimeout(this.timer);
    [this.wanted, this.key, this.picked] = [frame, key, list.picked];
    this.gather(frame);
    if (moved) {
      this.hurry(frame);
      this.timer = setTimeout(() => this.work(this.begin(frame), false), REST);
    } else if (this.fits(frame)) this.renewAbove(frame);
    else this.work(this.begin(frame), !shown);
  }

  /**
   * Whether a selection can be shown at once on what is kept of the points below: as they are, or, where painting them takes
   * longer, in the colours they had.
   * @param {Frame} frame
   */
  fits(frame) {
    const { below, key } = this;
    const { list } = frame;
    if (below === null || !sameSight(below.frame, frame) || list.size - list.below > MANY) return false;
    const [, cloud, , inks, seen] = below.key;
    return sameItems(below.key, key) || (list.size > MANY && cloud === key[1] && inks === key[3] && seen === key[4]);
  }

  /** Another selection on the points as they were; if these are other ones as well, they come next. @param {Frame} frame */
  renewAbove(frame) {
    const below = /** @type {Below} */ (this.below);
    const fresh = sameItems(below.key, this.key);
    const { above, washed } = this.strokes(frame);
    this.pixels.set(below.pixels);
    if (washed) this.wash(frame);
    this.all(frame, above, 1);
    this.context.putImageData(this.image, -PAD, -PAD);
    this.done = fresh ? frame.camera : null;
    this.whole = null;
    if (!fresh) this.timer = setTimeout(() => this.work(this.begin(frame), false));
  }

  /**
   * Where painting all of a frame stands: before its first point.
   * @param {Frame} frame
   */
  begin(frame) {
    this.pixels.fill(frame.inks.paper);
    this.done = null;
    const { below, above, washed } = this.strokes(frame);
    return { frame, strokes: [...below, ...above], below: below.length, washed, stroke: 0, turn: 0, took: 0, next: 0, key: this.key };
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
      if (task.stroke === task.below && task.turn === 0) this.keepBelow(task);
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
    if (done && task.below === strokes.length) this.keepBelow(task);
    if (done || (first && task.took >= task.next)) {
      this.context.putImageData(this.image, -PAD, -PAD);
      task.next = 2 * task.took; // showing it takes its time as well
    }
    if (!done) {
      this.timer = setTimeout(() => this.work(task, first));
      return;
    }
    this.took = task.took;
    this.whole = null;
    this.done = frame.camera;
  }

  /**
   * All points below a selection are painted: they are kept, and washed out below one of several images.
   * @param {ReturnType<Painter["begin"]>} task
   */
  keepBelow({ frame, key, washed }) {
    const pixels = this.below?.pixels.length === this.pixels.length ? this.below.pixels : new Uint32Array(this.pixels.length);
    pixels.set(this.pixels);
    this.below = { frame, key, pixels };
    if (washed) this.wash(frame);
  }

  /**
   * Some of the points, and over them what was painted last, moved.
   * @param {Frame} frame
   */
  hurry(frame) {
    const { camera, ratio, list, inks } = frame;
    if (this.done) this.keepWhole(this.done);
    this.pixels.fill(inks.paper);
    const step = Math.ceil(list.size / FEW);
    const { below, above, washed } = this.strokes(frame);
    this.all(frame, below, step);
    if (washed) this.wash(frame);
    this.all(frame, above, step);
    this.context.putImageData(this.image, -PAD, -PAD);
    if (!this.whole) return;
    const { camera: from, canvas } = this.whole;
    const grown = camera.scale / from.scale;
    const [left, top] = camera.screen(...from.place(0, 0));
    const at = (/** @type {number} */ place) => (grown === 1 ? Math.round(place * ratio) : place * ratio); // sharp where it is only moved
    if (grown < MOST_GROWN) this.context.drawImage(canvas, at(left), at(top), canvas.width * grown, canvas.height * grown);
  }

  /** What is painted, as a picture that can be moved. @param {Camera} camera */
  keepWhole(camera) {
    const canvas = new OffscreenCanvas(this.canvas.width, this.canvas.height);
    /** @type {OffscreenCanvasRenderingContext2D} */ (canvas.getContext("2d")).putImageData(this.image, -PAD, -PAD);
    this.whole = { camera, canvas };
    this.done = null;
  }

  /**
   * Places and colours in the order of the list.
   * @param {Frame} frame
   */
  gather({ list, cloud, colours }) {
    const { size, below } = list;
    const { solid } = cloud;
    const key = [list.version, cloud, colours.rows, solid?.seen, list.picked];
    if (sameItems(key, this.gathered)) return;
    const fresh = sameItems(key.slice(0, -1), this.gathered.slice(0, -1)); // only others are selected
    const room = this.colours.length < size || this.colours.length > 3 * size;
    if (room) {
      this.xy = new Float32Array(2 * size);
      this.colours = new Uint32Array(size);
    }
    if (solid && this.near?.length !== this.colours.length) this.near = new Uint8Array(this.colours.length);
    if (!solid) this.near = null;
    this.take(list.rows, cloud, colours.rows, fresh && !room ? below : 0, size);
    this.gathered = key;
  }

  /**
   * @param {Uint32Array} rows
   * @param {Frame["cloud"]} cloud
   * @param {Uint32Array} colours
   * @param {number} start - in the list
   * @param {number} end
   */
  take(rows, { xy, solid }, colours, start, end) {
    for (let turn = start; turn < end; turn++) {
      const row = rows[turn];
      this.xy[2 * turn] = xy[2 * row];
      this.xy[2 * turn + 1] = xy[2 * row + 1];
      this.colours[turn] = colours[row];
      if (solid && this.near) this.near[turn] = solid.near[row];
    }
  }

  /** The page's colour over all that is painted. @param {Frame} frame */
  wash({ inks: { paper } }) {
    const { pixels } = this;
    const share = Math.round(ALL * WASH);
    const [redBlue, green] = [Math.imul(paper & 0xff00ff, share), Math.imul(paper & 0xff00, share)];
    for (let at = 0; at < pixels.length; at++) {
      const under = pixels[at];
      if (under === paper) continue;
      const rb = (Math.imul(under & 0xff00ff, ALL - share) + redBlue) >>> 8;
      const g = (Math.imul(under & 0xff00, ALL - share) + green) >>> 8;
      pixels[at] = 0xff000000 | (rb & 0xff00ff) | (g & 0xff00);
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
          covers.push(Math.round(ALL * cover));
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
    const pieces = [...offsets].map((offset, place) => ({ offset, share: Math.round(covers[place] * alpha) }));
    pieces.sort((one, other) => Number(other.share === ALL) - Number(one.share === ALL));
    const whole = pieces.filter(({ share }) => share === ALL).length;
    return { offsets: Int32Array.from(pieces, ({ offset }) => offset), shares: Int32Array.from(pieces, ({ share }) => share), whole, pieces: pieces.length, far };
  }

  /**
   * The parts of the list, each with its discs.
   * @param {Frame} frame
   */
  strokes(frame) {
    const levels = this.near ? Array.from({ length: LEVELS }, (_, level) => level / (LEVELS - 1)) : [undefined];
    const shaded = (/** @type {Pass} */ pass) => /** @type {Stroke} */ ({ ...pass, discs: levels.map((near) => this.shaded(pass, near)) });
    const { below, washed, above } = frame.list.passes(frame);
    return { below: below.map(shaded), washed, above: above.map(shaded) };
  }

  /** Whole parts at once. @param {Frame} frame @param {Stroke[]} strokes @param {number} step */
  all(frame, strokes, step) {
    for (const stroke of strokes) this.dots(frame, stroke, stroke.start, stroke.end, step);
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
      const { offsets, shares, whole, pieces } = discs[near ? near[turn] : 0];
      for (let piece = 0; piece < whole; piece++) pixels[middle + offsets[piece]] = own;
      for (let piece = whole; piece < pieces; piece++) {
        const at = middle + offsets[piece];
        const share = shares[piece];
        const under = pixels[at];
        const rb = (Math.imul(under & 0xff00ff, ALL - share) + Math.imul(redBlue, share)) >>> 8;
        const g = (Math.imul(under & 0xff00, ALL - share) + Math.imul(green, share)) >>> 8;
        pixels[at] = 0xff000000 | (rb & 0xff00ff) | (g & 0xff00);
      }
    }
  }

  /** Nothing is wanted of it any longer. */
  stop() {
    clearTimeout(this.timer);
    this.whole = this.below = this.wanted = this.done = null;
    this.key = [];
  }
}

/** Whether two frames show the map from one place, with dots of one size. @param {Frame} one @param {Frame} other */
function sameSight({ camera: one, look }, { camera: other, look: size }) {
  return one.x === other.x && one.y === other.y && one.scale === other.scale && look.radius === size.radius && look.alpha === size.alpha;
}
