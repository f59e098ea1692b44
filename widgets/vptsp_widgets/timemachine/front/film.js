// The film: the model's content as arrays, and where its points are at a moment.

import { float32, int32 } from "../../front/bytes.js";
import { clip } from "../../front/numbers.js";
/** @import { Model } from "../../front/model.js" */

/**
 * What `_content` holds.
 * @typedef {object} Content
 * @property {string} title
 * @property {number[]} epochs
 * @property {string[]} kinds - of proxies
 * @property {{ name: string, axes: [string, string], note: string }[]} frames
 * @property {{ title: string, note: string, values: (number | null)[] }[]} curves - percent, null: not scored
 * @property {Record<string, number>} counts - of images and classes, shown and in all
 * @property {Record<string, number[]>} moved - degrees that each proxy turned, by kind
 * @property {boolean} training
 */

/** The content of the model as arrays. Points are images, then the proxies of each kind. */
export class Film {
  // what _content holds
  /** @type {string} */ title;
  /** @type {number[]} */ epochs;
  /** @type {string[]} */ kinds;
  /** @type {Content["frames"]} */ frames;
  /** @type {Content["curves"]} */ curves;
  /** @type {Content["counts"]} */ counts;
  /** @type {Content["moved"]} */ moved;
  /** @type {boolean} */ training;

  /** @param {Model} model */
  constructor(model) {
    Object.assign(this, /** @type {Content} */ (model.get("_content")));
    this.names = model.get("_names");
    this.ids = model.get("_ids");
    this.labels = int32(model.get("_labels"));
    this.places = float32(model.get("_places"));
    this.rows = int32(model.get("_rows"));
    this.times = this.epochs.length;
    this.images = this.ids.length;
    this.classes = this.labels.length - this.images; // with proxies
    this.points = this.images + this.kinds.length * this.classes;
    this.proxy = new Int32Array(this.names.length).fill(-1); // class -> its number among the proxies
    for (let number = 0; number < this.classes; number++) this.proxy[this.labels[this.images + number]] = number;
    /** @type {Map<number, number>} */
    this.imageOf = new Map();
    this.rows.forEach((row, image) => row >= 0 && this.imageOf.set(row, image));
    this.xy = new Float32Array(2 * this.points); // at the moment shown, in units of the frame
  }

  frameAt(name) {
    return Math.max(0, this.frames.findIndex((frame) => frame.name === name));
  }

  at(frame, time, point) {
    const from = 2 * ((frame * this.times + time) * this.points + point);
    return [this.places[from], this.places[from + 1]];
  }

  /** The number of the epoch that is nearest to a moment. */
  nearest(moment) {
    return clip(Math.round(moment), 0, this.times - 1);
  }

  /** Everything at a moment between two epochs. */
  moveTo(frame, moment) {
    const before = clip(Math.floor(moment), 0, this.times - 1);
    const after = Math.min(before + 1, this.times - 1);
    const share = moment - before;
    const size = 2 * this.points;
    const [one, other] = [before, after].map((time) => (frame * this.times + time) * size);
    for (let at = 0; at < size; at++) this.xy[at] = this.places[one + at] * (1 - share) + this.places[other + at] * share;
  }

  /** Corners of everything that is ever there, so that no epoch needs another scale. */
  extent(frame) {
    let [left, right, low, high] = [Infinity, -Infinity, Infinity, -Infinity];
    const size = 2 * this.points * this.times;
    for (let at = frame * size; at < (frame + 1) * size; at += 2) {
      left = Math.min(left, this.places[at]); right = Math.max(right, this.places[at]);
      low = Math.min(low, this.places[at + 1]); high = Math.max(high, this.places[at + 1]);
    }
    return [left, right, low, high];
  }

  /** {kind, number} of a proxy, or null for an image. */
  proxyOf(point) {
    if (point < this.images) return null;
    const turn = Math.floor((point - this.images) / this.classes);
    return { kind: this.kinds[turn], number: (point - this.images) % this.classes };
  }

  /** What the legend calls a point: the kind of a proxy, the split of an image. */
  kindOf(point) {
    return this.proxyOf(point)?.kind ?? (this.isTest(point) ? "test" : "train");
  }

  pointOf(turn, number) {
    return this.images + turn * this.classes + number;
  }

  classOf(point) {
    const proxy = this.proxyOf(point);
    return this.labels[proxy ? this.images + proxy.number : point];
  }

  isTest(image) {
    return image >= this.counts.train;
  }
}
