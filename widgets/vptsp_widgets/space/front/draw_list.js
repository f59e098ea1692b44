// Which points are drawn, in which order, how large and how strong: the same for whatever paints them.

import { sameItems } from "../../front/lists.js";
import { clip } from "../../front/numbers.js";
/** @import { Camera } from "./camera.js" */
/** @import { Cloud } from "./cloud.js" */
/** @import { Colours, Inks } from "./colours.js" */

export const PAD = 16; // pixels around the map that points may spill into
const ONE = 1; // as an alpha: of what is selected, and as strong everywhere
export const WASH = 0.6; // of the page's colour over all points, below those selected: one wash dims crowds like lone points

/** @typedef {{ radius: number, alpha: number }} Look - of a dot, its radius in CSS pixels */
/** @typedef {{ start: number, end: number, radius: number, alpha: number, colour?: number }} Pass - of a part of the list, in pixels */
/**
 * How a list is drawn: what lies below a selection, whether that is washed out, and what is selected.
 * @typedef {{ below: Pass[], washed: boolean, above: Pass[] }} Passes
 */
/**
 * What a painter is given for a frame.
 * @typedef {{ list: DrawList, cloud: Cloud, camera: Camera, look: Look, colours: Colours, inks: Inks["packed"], ratio: number }} Frame
 */

/** Rows from back to front: first all that are faint, then all others, and on top once more those selected. */
export class DrawList {
  rows = new Uint32Array(0);
  version = 0; // another one for other rows below
  picked = 0; // another one for other rows on top
  /** @type {number[]} */ ends = [0, 0, 0, 0]; // of the faint, the grey, the others and the selected
  several = false; // whether more than one is selected, shown or not
  /** @type {unknown[]} */ key = [];
  /** @type {unknown[]} */ keyOfPicked = [];

  get size() {
    return this.ends[3];
  }

  /** How many lie below. */
  get below() {
    return this.ends[2];
  }

  /**
   * Makes those parts of the list anew of which anything that they depend on has changed.
   * @param {Cloud} cloud
   * @param {Uint32Array} order - rows from back to front
   * @param {Colours} colours
   * @param {number} faint - the pixel of what is grey
   * @param {number} step - of so many images one is drawn
   */
  update(cloud, order, { rows: colours, grey }, faint, step = 1) {
    const key = [cloud, cloud.lights, order, step, cloud.solid?.seen, grey && colours];
    if (!sameItems(key, this.key)) {
      this.key = key;
      this.version += 1;
      this.takeAll(cloud, order, grey ? colours : null, faint, step);
    }
    const keyOfPicked = [this.version, cloud.picks];
    if (sameItems(keyOfPicked, this.keyOfPicked)) return;
    this.keyOfPicked = keyOfPicked;
    this.picked += 1;
    this.takePicked(cloud, order, step);
  }

  /**
   * @param {Cloud} cloud
   * @param {Uint32Array} order
   * @param {Uint32Array | null} colours - where some are grey
   * @param {number} faint
   * @param {number} step
   */
  takeAll({ lit, size }, order, colours, faint, step) {
    const groups = new Uint8Array(size); // 0: not drawn
    const counts = [0, 0, 0];
    for (let row = 0; row < size; row++) {
      if (!lit[row] || (step > 1 && row % step)) continue;
      const group = lit[row] === 1 ? 1 : colours?.[row] === faint ? 2 : 3;
      groups[row] = group;
      counts[group - 1] += 1;
    }
    const starts = [0, counts[0], counts[0] + counts[1]];
    const [faintEnd, greyEnd, end] = starts.map((start, group) => start + counts[group]);
    this.ends = [faintEnd, greyEnd, end, end];
    if (this.rows.length < end || this.rows.length > 3 * end) this.rows = new Uint32Array(end);
    const { rows } = this;
    for (let turn = 0; turn < order.length; turn++) {
      const group = groups[order[turn]];
      if (group) rows[starts[group - 1]++] = order[turn];
    }
  }

  /**
   * @param {Cloud} cloud
   * @param {Uint32Array} order
   * @param {number} step
   */
  takePicked({ lit, selected, picked: { length: chosen } }, order, step) {
    this.several = chosen > 1;
    const { below } = this;
    if (this.rows.length < below + chosen) {
      const rows = new Uint32Array(below + chosen);
      rows.set(this.rows.subarray(0, below));
      this.rows = rows;
    }
    const { rows } = this;
    let end = below;
    for (let turn = 0; chosen && turn < order.length; turn++) {
      const row = order[turn];
      if (selected[row] && lit[row] && (step === 1 || row % step === 0)) rows[end++] = row;
    }
    this.ends[3] = end;
  }

  /**
   * How the list is drawn, part after part.
   * @param {Frame} frame
   * @returns {Passes}
   */
  passes({ look: { radius: size, alpha }, colours: { rimmed }, inks: { ink, faint }, ratio }) {
    const [faintEnd, greyEnd, plainEnd, end] = this.ends;
    const radius = size * ratio;
    const wide = Math.min(PAD - 2, radius + 1.4 * ratio);
    const some = (/** @type {Pass} */ pass) => pass.end > pass.start;
    return {
      below: [
        { start: 0, end: faintEnd, radius: 0.75 * radius, alpha: 0.22, colour: faint },
        ...(rimmed ? [{ start: faintEnd, end: plainEnd, radius: radius + ratio, alpha, colour: faint }] : []),
        { start: faintEnd, end: greyEnd, radius, alpha: 0.7 * alpha },
        { start: greyEnd, end: plainEnd, radius, alpha }, // what is looked at lies on top
      ].filter(some),
      washed: this.several, // one alone is ringed, and dims nothing
      above: [
        { start: plainEnd, end, radius: wide, alpha: ONE, colour: ink },
        { start: plainEnd, end, radius: wide - ratio, alpha: ONE },
      ].filter(some),
    };
  }
}

/**
 * Radius in pixels and alpha of a dot, by how near it is in space, from 0 to 1: smaller and fainter far off.
 * @param {Pass} pass
 * @param {number} [near] - none: of a map in two dimensions
 */
export function shadeOf({ radius, alpha }, near) {
  if (near === undefined) return { radius: Math.min(PAD - 2, radius), alpha };
  return { radius: Math.min(PAD - 2, radius * (0.75 + 0.4 * near)), alpha: alpha * (alpha === ONE ? 1 : 0.4 + 0.6 * near) };
}

/**
 * Size and opacity of a dot, by how many share the part of the screen that has any.
 * @param {Cloud} cloud
 * @param {number} width - of the map, in CSS pixels
 * @param {number} height
 * @returns {Look}
 */
export function lookOf({ size, lit, sx, sy }, width, height) {
  const cell = 12;
  const across = Math.ceil(width / cell);
  const taken = new Uint8Array(across * Math.ceil(height / cell));
  let [points, cells] = [0, 0];
  for (let row = 0; row < size; row++) {
    if (lit[row] !== 2) continue;
    const x = sx[row];
    const y = sy[row];
    if (!(x >= 0 && y >= 0 && x < width && y < height)) continue;
    points += 1;
    const at = Math.floor(y / cell) * across + Math.floor(x / cell);
    if (!taken[at]) cells += taken[at] = 1;
  }
  const room = (cells * cell * cell) / Math.max(1, points);
  const radius = clip(Math.sqrt((0.5 * room) / Math.PI), 1.15, 5);
  const covered = (Math.PI * radius * radius) / Math.max(1e-6, room);
  return {
    radius: Math.round(radius * 8) / 8,
    alpha: covered <= 0.6 ? 0.92 : Math.max(0.4, 0.92 * (0.6 / covered) ** 0.4),
  };
}
