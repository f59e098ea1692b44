// What is drawn of proxies as handles: forces on an image, the images that a moved proxy is the mean of, signs that are meant.

import { drawSign } from "../../front/glyphs.js";
import { PROXIES } from "../../front/signs.js";
/** @import { Kind } from "../../front/signs.js" */
/** @import { Effect } from "./handles.js" */
/** @import { Scene } from "./overlay.js" */

const [THINNEST, THICKEST] = [1.2, 5]; // pixels of the weakest and of the strongest force

/**
 * Lines from an image to the proxies that pull it, unbroken with an arrow to the proxy, or push it, dashed with one to the image.
 * @param {CanvasRenderingContext2D} context
 * @param {number} row
 * @param {(Effect & { at: [number, number] })[]} effects - the strongest first
 * @param {Scene} scene
 */
export function drawForces(context, row, effects, { cloud, inks }) {
  if (!effects.length || !cloud.drawable[row]) return;
  const [x, y] = [cloud.sx[row], cloud.sy[row]];
  const most = Math.abs(effects[0].gradient);
  for (const { gradient, at } of [...effects].reverse()) {
    const length = Math.hypot(at[0] - x, at[1] - y);
    if (!(length > 24)) continue;
    const [dx, dy] = [(at[0] - x) / length, (at[1] - y) / length];
    const pulls = gradient < 0;
    const width = THINNEST + ((THICKEST - THINNEST) * Math.abs(gradient)) / most;
    const head = 6 + width;
    const middle = [x + dx * (length / 2), y + dy * (length / 2)];
    const turn = pulls ? 1 : -1; // where the arrow points
    for (const { ink, wider } of [{ ink: inks.paper, wider: 3 }, { ink: pulls ? inks.right : inks.wrong, wider: 0 }]) {
      context.strokeStyle = context.fillStyle = ink;
      context.lineWidth = width + wider;
      context.setLineDash(pulls || wider ? [] : [4 + width, 4 + width / 2]);
      context.beginPath();
      context.moveTo(x + 12 * dx, y + 12 * dy);
      context.lineTo(at[0] - 9 * dx, at[1] - 9 * dy);
      context.stroke();
      context.setLineDash([]);
      context.beginPath();
      context.moveTo(middle[0] + turn * dx * (head + wider), middle[1] + turn * dy * (head + wider));
      for (const side of [1, -1]) {
        context.lineTo(middle[0] - turn * dx * head - side * dy * (head * 0.7 + wider), middle[1] - turn * dy * head + side * dx * (head * 0.7 + wider));
      }
      context.closePath();
      context.fill();
    }
  }
}

/**
 * Thin lines from a moved proxy to the images that it is the mean of.
 * @param {CanvasRenderingContext2D} context
 * @param {[number, number]} at
 * @param {number[]} rows
 * @param {Scene} scene
 */
export function drawTethers(context, at, rows, { cloud, inks }) {
  context.strokeStyle = inks.accent;
  context.lineWidth = 1;
  context.globalAlpha = 0.75;
  for (const row of rows) {
    if (!cloud.drawable[row]) continue;
    context.beginPath();
    context.moveTo(...at);
    context.lineTo(cloud.sx[row], cloud.sy[row]);
    context.stroke();
    context.beginPath();
    context.arc(cloud.sx[row], cloud.sy[row], 5, 0, 7);
    context.stroke();
  }
  context.globalAlpha = 1;
}

/**
 * Signs above all others: the chosen one in a ring, those at the ends of forces with their rank in the table beside.
 * @param {CanvasRenderingContext2D} context
 * @param {Kind} kind
 * @param {{ at: [number, number], rank: number, chosen: boolean }[]} signs
 * @param {Scene} scene
 */
export function drawHandles(context, kind, signs, { inks }) {
  const colour = PROXIES[kind].colour[inks.dark ? "dark" : "light"];
  context.font = "600 11px system-ui, sans-serif";
  context.textAlign = "left";
  context.textBaseline = "middle";
  context.lineJoin = "round";
  for (const { at: [x, y], rank, chosen } of signs) {
    drawSign(context, kind, x, y, 7, colour, inks.paper);
    if (chosen) {
      for (const { ink, width } of [{ ink: inks.paper, width: 5 }, { ink: inks.accent, width: 2.5 }]) {
        context.strokeStyle = ink;
        context.lineWidth = width;
        context.beginPath();
        context.arc(x, y, 12, 0, 7);
        context.stroke();
      }
    }
    if (!rank) continue;
    context.lineJoin = "round";
    context.lineWidth = 4;
    context.strokeStyle = inks.paper;
    context.strokeText(String(rank), x + (chosen ? 16 : 10), y - 7);
    context.fillStyle = inks.ink;
    context.fillText(String(rank), x + (chosen ? 16 : 10), y - 7);
  }
}
