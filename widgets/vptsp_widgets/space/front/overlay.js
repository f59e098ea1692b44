// What is drawn over the points: names of the classes, axes, the focus, and the lasso.

import { clip } from "../../front/numbers.js";
import { short } from "../../front/text.js";
import { matrixOf } from "./turning.js";
/** @import { Atlas } from "../../front/atlas.js" */
/** @import { Camera } from "./camera.js" */
/** @import { Cloud } from "./cloud.js" */
/** @import { Colours, Inks } from "./colours.js" */
/** @import { Looked } from "./classes_looked_at.js" */
/** @import { Placed } from "./pictures.js" */
/** @import { Near } from "./neighbours.js" */
/** @import { State } from "./state.js" */

/**
 * What a frame shows; `pictures` is null without thumbnails.
 * @typedef {{ cloud: Cloud, state: State, camera: Camera, inks: Inks, colours: Colours, pictures: Atlas | null,
 *   looked: Looked, near: Near | null, flying: boolean }} Scene
 */

/**
 * Names of the classes in the middle of their images, as many as there is room for: of those picked out alone, if any are,
 * that of the image focused first, and the largest.
 */
export class ClassNames {
  constructor() {
    this.widths = new Map(); // half of what a text takes, in pixels
  }

  /**
   * @param {CanvasRenderingContext2D} context
   * @param {Scene} scene
   * @param {Placed[]} pictures - on the map, which a name near them would be taken for that of; where some stand for their
   *   classes, these have their names below them, and no other class has one
   * @param {number} side - of a picture
   */
  draw(context, { cloud, state, camera, inks, looked: { looked: near, kept } }, pictures, side) {
    const { width, height } = camera;
    const most = Math.round(((width * height) / 22000) * clip(state.zoom, 1, 4));
    const taken = [];
    context.font = "600 12px system-ui, sans-serif";
    context.textAlign = "center";
    context.textBaseline = "middle";
    context.lineJoin = "round";
    const solo = state.colour === cloud.columns[0].name ? new Set(state.solo) : new Set();
    const first = cloud.classes.indexOf(state.find);
    const below = new Map(pictures.map(({ code, x, y }) => [code, [x, y + side / 2 + 9]]));
    below.delete(-1);
    let looked = 0;
    const isNear = (code) => near.has(cloud.classes[code]);
    for (const code of near.size ? [...cloud.bySize.filter(isNear), ...cloud.bySize.filter((code) => !isNear(code))] : cloud.bySize) {
      const name = cloud.classes[code];
      if (taken.length >= most || looked > 500) break;
      if ((below.size && !below.has(code)) || (kept && !kept.has(name))) continue;
      if (!cloud.centres[code] || (solo.size && !solo.has(name)) || (first >= 0 && name !== state.find)) continue;
      const [x, middle] = below.get(code) ?? camera.screen(...cloud.centres[code]);
      if (x < 0 || middle < 0 || x > width || middle > height + (below.size ? side : 0)) continue;
      const y = clip(middle, 9, height - 9); // whole, also at an edge
      looked += 1;
      const text = short(name, 28);
      if (!this.widths.has(text)) this.widths.set(text, context.measureText(text).width / 2 + 4);
      const half = this.widths.get(text);
      const at = clip(x, half + 2, width - half - 2);
      if (taken.some(([other, line, wide]) => Math.abs(other - at) < wide + half && Math.abs(line - y) < 17)) continue;
      const apart = below.size ? 7 : 15; // from a picture that is of another class, or may be
      if (pictures.some((one) => Math.abs(one.x - at) < side / 2 + half && Math.abs(one.y - y) < side / 2 + apart)) continue;
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
 * Arrows in the corner that point where the axes of a map in three dimensions do; those away from who looks are faint.
 * @param {CanvasRenderingContext2D} context
 * @param {string[]} names
 * @param {Scene} scene
 */
export function drawSolidAxes(context, names, { camera, inks }) {
  const matrix = matrixOf(camera.turn);
  const [left, top, length] = [78, camera.height - 62, 38];
  context.font = "11px system-ui, sans-serif";
  context.textBaseline = "middle";
  context.fillStyle = inks.soft;
  names.forEach((name, side) => {
    const [x, y, z] = [matrix[side], matrix[3 + side], matrix[6 + side]];
    context.globalAlpha = z < -0.2 ? 0.55 : 1;
    for (const { ink, width } of [{ ink: inks.paper, width: 5 }, { ink: inks.soft, width: 1.5 }]) {
      context.strokeStyle = ink;
      context.lineWidth = width;
      context.beginPath();
      context.moveTo(left, top);
      context.lineTo(left + length * x, top - length * y);
      context.stroke();
    }
    context.beginPath();
    context.arc(left + length * x, top - length * y, 2.5, 0, 7);
    context.fill();
    context.textAlign = x > 0.3 ? "left" : x < -0.3 ? "right" : "center";
    const [at, line] = [left + length * x + 7 * Math.sign(Math.round(3 * x)), top - length * y - (Math.abs(x) > 0.3 ? 11 * y : y < 0 ? -11 : 11)];
    const wide = context.measureText(name).width;
    const start = { left: at, right: at - wide, center: at - wide / 2 }[context.textAlign];
    context.strokeStyle = inks.paper;
    context.lineWidth = 3;
    context.textAlign = "left";
    context.strokeText(name, Math.max(4, start), line);
    context.fillText(name, Math.max(4, start), line);
  });
  context.globalAlpha = 1;
}

/**
 * A ring around the image focused, a frame where it is `pictured`.
 * @param {CanvasRenderingContext2D} context
 * @param {any} row
 * @param {number} pictured - the side of its picture; 0: it is a dot
 * @param {Scene} scene
 */
export function drawFocus(context, row, pictured, { cloud, inks }) {
  if (!(row >= 0 && row < cloud.size) || !cloud.drawable[row]) return;
  const [x, y] = [cloud.sx[row], cloud.sy[row]];
  for (const { colour, width } of [{ colour: inks.paper, width: 6 }, { colour: inks.accent, width: 3 }]) {
    context.beginPath();
    if (pictured) context.rect(x - pictured / 2 - 2, y - pictured / 2 - 2, pictured + 4, pictured + 4);
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
