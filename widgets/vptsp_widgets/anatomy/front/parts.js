// What every number of the view comes from: O, G and the images of all classes, fused at any alpha.

import { float32, int32 } from "../../front/bytes.js";
import { clip } from "../../front/numbers.js";
/** @import { Model } from "../../front/model.js" */

/** Proxies and images as numbers: fuses, classifies, retrieves. */
export class Parts {
  /** @param {Model} model */
  constructor(model) {
    this.facts = model.get("_facts");
    this.names = model.get("_class_names");
    this.prompts = model.get("_prompts") ?? []; // the guided prompt of each class, from 0
    this.rows = int32(model.get("_rows"));
    this.labels = int32(model.get("_labels"));
    this.dots = float32(model.get("_dots"));
    this.lengths = float32(model.get("_lengths"));
    this.rho = float32(model.get("_rho"));
    this.classes = this.names.length;
    this.images = this.labels.length;
    this.own = this.names.map(() => []);
    this.labels.forEach((label, image) => this.own[label].push(image));
    const places = float32(model.get("_places"));
    const [n, c] = [this.images, this.classes];
    const size = 2 * n + 4 * c + 2;
    this.frames = [0, 1].map((frame) => {
      const at = frame * size;
      return {
        images: places.subarray(at, at + 2 * n), learned: places.subarray(at + 2 * n, at + 2 * n + 2 * c),
        second: places.subarray(at + 2 * n + 2 * c, at + 2 * n + 4 * c), mean: places.subarray(at + size - 2, at + size),
      };
    });
    this.column = new Float64Array(n);
    this.best = new Float64Array(n);
    this.which = new Int32Array(n);
    this.cache = new Map();
  }

  /** |a O + (1 - a) G| of a class. */
  length(label, alpha) {
    const [oo, gg, og] = [0, 1, 2].map((part) => this.lengths[part * this.classes + label]);
    return Math.sqrt(Math.max(alpha * alpha * oo + 2 * alpha * (1 - alpha) * og + (1 - alpha) ** 2 * gg, 1e-30));
  }

  /** Cosines of a class's fused proxy with all images, into `into`. */
  similarities(label, alpha, into = new Float64Array(this.images)) {
    const n = this.images;
    const [o, g, scale] = [label * n, (this.classes + label) * n, 1 / this.length(label, alpha)];
    const [one, other] = [alpha * scale, (1 - alpha) * scale];
    for (let image = 0; image < n; image++) into[image] = one * this.dots[o + image] + other * this.dots[g + image];
    return into;
  }

  /** Accuracy, recall@1 and MAP@R, of all and by class; kept for each alpha asked for. */
  score(alpha) {
    const key = Math.round(alpha * 1e6);
    if (!this.cache.has(key)) {
      if (this.cache.size > 300) this.cache.clear();
      this.cache.set(key, this.compute(alpha));
    }
    return this.cache.get(key);
  }

  compute(alpha) {
    const { images, classes, labels, column, best, which } = this;
    best.fill(-Infinity);
    const precision = new Float64Array(classes).fill(NaN);
    let [found, asked, sum] = [0, 0, 0];
    for (let label = 0; label < classes; label++) {
      this.similarities(label, alpha, column);
      for (let image = 0; image < images; image++) if (column[image] > best[image]) [best[image], which[image]] = [column[image], label];
      if (!this.own[label].length) continue;
      const ranks = this.ranks(label, column);
      const r = ranks.length;
      let ap = 0;
      ranks.forEach((rank, place) => rank <= r && (ap += (place + 1) / rank));
      precision[label] = ap / r;
      asked += 1;
      sum += precision[label];
      found += Number(ranks[0] === 1);
    }
    const right = new Int32Array(classes);
    let all = 0;
    for (let image = 0; image < images; image++) {
      if (which[image] === labels[image]) {
        right[labels[image]] += 1;
        all += 1;
      }
    }
    return { accuracy: all / images, recall: found / asked, map: sum / asked, right, precision, rho: this.rhoAt(alpha) };
  }

  /** Ranks of a class's own images, ascending; of equally similar images the first comes first. */
  ranks(label, column) {
    const own = [...this.own[label]].sort((a, b) => column[b] - column[a] || a - b);
    const before = new Int32Array(own.length + 1);
    const last = own[own.length - 1];
    for (let image = 0; image < this.images; image++) {
      if (this.labels[image] === label || column[image] < column[last]) continue;
      let [low, high] = [0, own.length]; // the first own image that comes after this one
      while (low < high) {
        const middle = (low + high) >> 1;
        const ahead = column[own[middle]] - column[image] || image - own[middle];
        if (ahead > 0) low = middle + 1;
        else high = middle;
      }
      before[low] += 1;
    }
    let others = 0;
    return own.map((_, place) => place + 1 + (others += before[place]));
  }

  rhoAt(alpha) {
    if (!this.rho.length) return NaN;
    const at = alpha * (this.rho.length - 1);
    const low = Math.floor(at);
    const high = Math.min(low + 1, this.rho.length - 1);
    return this.rho[low] + (at - low) * (this.rho[high] - this.rho[low]);
  }

  /** The share of O in the lengths that are added up: what alpha amounts to. */
  weight(label, alpha) {
    const one = alpha * Math.sqrt(this.lengths[label]);
    const other = (1 - alpha) * Math.sqrt(this.lengths[this.classes + label]);
    return one / Math.max(one + other, 1e-30);
  }

  meanWeight(alpha) {
    let sum = 0;
    for (let label = 0; label < this.classes; label++) sum += this.weight(label, alpha);
    return sum / this.classes;
  }

  /** |O|, mean of all classes. */
  meanLength() {
    let sum = 0;
    for (let label = 0; label < this.classes; label++) sum += Math.sqrt(this.lengths[label]);
    return sum / this.classes;
  }

  /** Angle between O and G in radians. */
  angle(label) {
    const [oo, gg, og] = [0, 1, 2].map((part) => this.lengths[part * this.classes + label]);
    return Math.acos(clip(og / Math.sqrt(Math.max(oo * gg, 1e-30)), -1, 1));
  }

  /** Angle of q from O in radians, in the plane of O and G. */
  turn(label, alpha) {
    const [oo, og] = [this.lengths[label], this.lengths[2 * this.classes + label]];
    return Math.acos(clip((alpha * oo + (1 - alpha) * og) / (Math.sqrt(Math.max(oo, 1e-30)) * this.length(label, alpha)), -1, 1));
  }

  /** Where a frame shows a class's unit q. */
  placed(frame, label, alpha) {
    const { learned, second, mean } = this.frames[frame];
    const scale = 1 / this.length(label, alpha);
    return [0, 1].map((side) => (alpha * learned[2 * label + side] + (1 - alpha) * second[2 * label + side]) * scale - mean[side]);
  }

  /** An image in the plane of O and G: [towards O, square to it towards G], cosines both. */
  inPlane(label, image, angle = this.angle(label)) {
    const towards = this.dots[label * this.images + image] / Math.sqrt(Math.max(this.lengths[label], 1e-30));
    const other = this.dots[(this.classes + label) * this.images + image] / Math.sqrt(Math.max(this.lengths[this.classes + label], 1e-30));
    const sine = Math.sin(angle);
    return [towards, sine > 1e-6 ? (other - Math.cos(angle) * towards) / sine : 0];
  }
}

/** All images, the most similar first; of equally similar ones the first comes first. */
export function mostSimilarFirst(similarity) {
  return Array.from(similarity.keys()).sort((a, b) => similarity[b] - similarity[a] || a - b);
}
