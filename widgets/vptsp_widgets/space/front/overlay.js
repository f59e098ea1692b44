// What is drawn over the points: pictures, names of the classes, axes, the focus, and the lasso.

import { clip } from "../../front/numbers.js";
import { short } from "../../front/text.js";
import { unpacked } from "./colours.js";
/** @import { Atlas } from "../../front/atlas.js" */
/** @import { Camera } from "./camera.js" */
/** @import { Cloud } from "./cloud.js" */
/** @import { Colours, Inks } from "./colours.js" */
/** @import { Looked } from "./classes_looked_at.js" */
/** @import { Near } from "./neighbours.js" */
/** @import { State } from "./state.js" */

/**
 * What a frame shows; `pictures` is null without thumbnails.
 * @typedef {{ cloud: Cloud, state: State, camera: Camera, inks: Inks, colours: Colours, pictures: Atlas | null,
 *   looked: Looked, near: Near | null, flying: boolean }} Scene
 */

/**
 * So far zoomed in that a few images are left, their pictures take the place of dots; answers whether they do.
 * @param {CanvasRenderingContext2D} context
 * @param {Scene} scene
 */
export function drawPictures(context, { cloud, state, camera, inks, colours, pictures }) {
  if (state.zoom < 1.5 || !pictures) return false;
  const { width, height } = camera;
  const rows = [];
  for (let row = 0; row < cloud.size && rows.length <= 60; row++) {
    const [x, y] = [cloud.sx[row], cloud.sy[row]];
    if (cloud.lit[row] === 2 && x > -24 && y > -24 && x < width + 24 && y < height + 24) rows.push(row);
  }
  const pages = new Set(rows.map((row) => pictures.place(row)?.page));
  if (rows.length > 60 || pages.size > 8) return false; // more pages would drive each other out
  for (const row of rows) {
    const [x, y] = [cloud.sx[row] - 22, cloud.sy[row] - 22];
    context.fillStyle = cloud.selected[row] ? inks.ink : unpacked(colours.rows[row]);
    const rim = cloud.selected[row] ? 4 : 2;
    context.fillRect(x - rim, y - rim, 44 + 2 * rim, 44 + 2 * rim);
    pictures.draw(context, row, x, y, 44);
  }
  return true;
}

/** Names of the classes in the middle of their images: the largest first, as many as there is room for. */
export class ClassNames {
  constructor() {
    this.widths = new Map(); // half of what a text takes, in pixels
  }

  /**
   * @param {CanvasRenderingContext2D} context
   * @param {Scene} scene
   */
  draw(context, { cloud, state, camera, inks }) {
    const { width, height } = camera;
    const most = Math.round(((width * height) / 22000) * clip(state.zoom, 1, 4));
    const taken = [];
    context.font = "600 12px system-ui, sans-serif";
    context.textAlign = "center";
    context.textBaseline = "middle";
    context.lineJoin = "round";
    const solo = state.colour === cloud.columns[0].name ? new Set(state.solo) : new Set();
    const first = cloud.classes.indexOf(state.find);
    let looked = 0;
    for (const code of first < 0 ? cloud.bySize : [first, ...cloud.bySize]) {
      const name = cloud.classes[code];
      if (taken.length >= most || looked > 500) break;
      if (!cloud.centres[code] || (solo.size && !solo.has(name)) || (first >= 0 && name !== state.find)) continue;
      const [x, y] = camera.screen(...cloud.centres[code]);
      if (x < 0 || y < 0 || x > width || y > height) continue;
      looked += 1;
      const text = short(name, 28);
      if (!this.widths.has(text)) this.widths.set(text, context.measureText(text).width / 2 + 4);
      const half = this.widths.get(text);
      const at = clip(x, half + 2, width - half - 2);
      if (taken.some(([other, line, wide]) => Math.abs(other - at) < wide + half && Math.abs(line - y) < 17)) continue;
      taken.push([at, y, half, text]);
    }
    context.lineWidth = 4;
    for (const [at, y, , text] of taken) {
      context.strokeStyle = inks.paper;
      context.strokeText(text, at, y);
      context.fillStyle = inks.ink;
      context.fillText(text, at, y);
    }
  }
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {any} parts
 * @param {Scene} scene
 */
export function drawAxes(context, [across, up], { camera, inks }) {
  context.font = "11px system-ui, sans-serif";
  context.textAlign = "right";
  context.textBaseline = "alphabetic";
  context.fillStyle = inks.soft;
  context.strokeStyle = inks.paper;
  context.lineWidth = 3;
  const write = (text, x, y) => {
    context.strokeText(text, x, y);
    context.fillText(text, x, y);
  };
  write(`${across} →`, camera.width - 8, camera.height - 8);
  context.save();
  context.translate(16, 8);
  context.rotate(-Math.PI / 2);
  write(`${up} →`, 0, 0);
  context.restore();
}

/**
 * A ring around the image focused, a frame where it is `pictured`.
 * @param {CanvasRenderingContext2D} context
 * @param {any} row
 * @param {any} pictured
 * @param {Scene} scene
 */
export function drawFocus(context, row, pictured, { cloud, inks }) {
  if (!(row >= 0 && row < cloud.size) || !cloud.drawable[row]) return;
  const [x, y] = [cloud.sx[row], cloud.sy[row]];
  for (const { colour, width } of [{ colour: inks.paper, width: 6 }, { colour: inks.accent, width: 3 }]) {
    context.beginPath();
    if (pictured && cloud.lit[row] === 2) context.rect(x - 28, y - 28, 56, 56);
    else context.arc(x, y, 11, 0, 7);
    context.strokeStyle = colour;
    context.lineWidth = width;
    context.stroke();
  }
}

/**
 * The line drawn so far, as screen points [x0, y0, x1, y1, ...].
 * @param {CanvasRenderingContext2D} context
 * @param {any} polygon
 * @param {Scene} scene
 */
export function drawLasso(context, polygon, { inks }) {
  context.beginPath();
  for (let at = 0; at < polygon.length; at += 2) context.lineTo(polygon[at], polygon[at + 1]);
  context.closePath();
  context.fillStyle = inks.accent;
  context.globalAlpha = 0.14;
  context.fill();
  context.globalAlpha = 1;
  context.strokeStyle = inks.accent;
  context.lineWidth = 1.5;
  context.stroke();
}
