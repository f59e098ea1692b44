// Which points are drawn, in which order, how large and how strong: the same for whatever paints them.

import { clip } from "../../front/numbers.js";
/** @import { Camera } from "./camera.js" */
/** @import { Cloud } from "./cloud.js" */
/** @import { Colours, Inks } from "./colours.js" */

export const PAD = 16; // pixels around the map that points may spill into
const ONE = 1; // as an alpha: of what is selected, and as strong everywhere

/** @typedef {{ radius: number, alpha: number }} Look - of a dot, its radius in CSS pixels */
/** @typedef {{ start: number, end: number, radius: number, alpha: number, colour?: number }} Pass - of a part of the list, in pixels */
/**
 * What a painter is given for a frame.
 * @typedef {{ list: DrawList, cloud: Cloud, camera: Camera, look: Look, colours: Colours, inks: Inks["packed"], ratio: number }} Frame
 */

/** Rows from back to front: first all that are faint, then all others, and on top those selected. */
export class DrawList {
  rows = new Uint32Array(0);
  version = 0; // another one for other rows
  /** @type {number[]} */ ends = [0, 0, 0, 0]; // of the faint, the grey, the others and the selected
  several = false; // whether more than one is selected, shown or not
  /** @type {unknown[]} */ key = [];

  get size() {
    return this.ends[3];
  }

  /**
   * Makes the list anew if anything that it depends on has changed.
   * @param {Cloud} cloud
   * @param {Uint32Array} order - rows from back to front
   * @param {Colours} colours
   * @param {number} faint - the pixel of what is grey
   * @param {number} step - of so many images one is drawn
   */
  update(cloud, order, { rows: colours, grey }, faint, step = 1) {
    const key = [cloud, cloud.marks, order, step, cloud.solid?.seen, grey && colours];
    if (key.every((part, place) => part === this.key[place])) return;
    this.key = key;
    this.version += 1;
    const { lit, selected, size } = cloud;
    const groups = new Uint8Array(size); // 0: not drawn; a selected one that is faint is drawn twice
    const counts = [0, 0, 0, 0];
    let chosen = 0;
    for (let row = 0; row < size; row++) {
      chosen += selected[row];
      if (!lit[row] || (step > 1 && row % step)) continue;
      const group = selected[row] ? 4 : lit[row] === 1 ? 1 : grey && colours[row] === faint ? 2 : 3;
      groups[row] = group;
      counts[group - 1] += 1;
      if (group === 4 && lit[row] === 1) counts[0] += 1;
    }
    this.several = chosen > 1;
    const starts = [0, counts[0], counts[0] + counts[1], counts[0] + counts[1] + counts[2]];
    this.ends = starts.map((start, group) => start + counts[group]);
    if (this.rows.length < this.size || this.rows.length > 2 * this.size) this.rows = new Uint32Array(this.size);
    const { rows } = this;
    for (let turn = 0; turn < order.length; turn++) {
      const row = order[turn];
      const group = groups[row];
      if (!group) continue;
      rows[starts[group - 1]++] = row;
      if (group === 4 && lit[row] === 1) rows[starts[0]++] = row;
    }
  }

  /**
   * How the list is drawn, part after part.
   * @param {Frame} frame
   * @returns {Pass[]}
   */
  passes({ look, colours: { rimmed }, inks: { ink, faint }, ratio }) {
    const [faintEnd, greyEnd, plainEnd, end] = this.ends;
    const radius = look.radius * ratio;
    const alpha = look.alpha * (this.several ? 0.4 : 1); // one alone is ringed, and dims nothing
    const wide = Math.min(PAD - 2, radius + 1.4 * ratio);
    const passes = [
      { start: 0, end: faintEnd, radius: 0.75 * radius, alpha: 0.22, colour: faint },
      ...(rimmed ? [{ start: faintEnd, end: plainEnd, radius: radius + ratio, alpha, colour: faint }] : []),
      { start: faintEnd, end: greyEnd, radius, alpha: 0.7 * alpha },
      { start: greyEnd, end: plainEnd, radius, alpha }, // what is looked at lies on top
      { start: plainEnd, end, radius: wide, alpha: ONE, colour: ink },
      { start: plainEnd, end, radius: wide - ratio, alpha: ONE },
    ];
    return passes.filter((pass) => pass.end > pass.start);
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
