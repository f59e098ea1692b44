// The signs of signs.js as drawings: on a canvas, and as paths of an SVG.

import { make, penOf } from "./dom.js";
import { PROXIES } from "./signs.js";
/** @import { Kind } from "./signs.js" */

// as wide as each other to the eye: the farthest points of each shape, where a sign's size is 1
const CORNERS = {
  square: [[-0.76, -0.76], [0.76, -0.76], [0.76, 0.76], [-0.76, 0.76]],
  diamond: [[0, -1.1], [1.1, 0], [0, 1.1], [-1.1, 0]],
};
const RADIUS = 0.84; // of the circle

/**
 * The sign of a kind of proxy, of `size` pixels from its middle, rimmed with the page's colour.
 * @param {CanvasRenderingContext2D} context
 * @param {Kind} kind
 */
export function drawSign(context, kind, x, y, size, colour, paper) {
  const { shape, filled } = PROXIES[kind];
  const line = Math.max(1.3, size * 0.3);
  context.beginPath();
  if (shape === "circle") context.arc(x, y, size * RADIUS, 0, 7);
  else for (const [dx, dy] of CORNERS[shape]) context.lineTo(x + dx * size, y + dy * size);
  context.closePath();
  context.lineJoin = "miter";
  context.strokeStyle = paper;
  context.lineWidth = filled ? 2.5 : line + 2;
  context.stroke();
  context.fillStyle = filled ? colour : paper;
  context.fill();
  if (filled) return;
  context.strokeStyle = colour;
  context.lineWidth = line;
  context.stroke();
}

/** A canvas of `side` pixels with a kind's sign, for a legend. @param {Kind} kind */
export function signElement(kind, colour, paper, side = 18) {
  const ratio = Math.max(2, Math.min(3, window.devicePixelRatio || 1)); // sharp also where a view is zoomed
  const canvas = make("canvas", { width: side * ratio, height: side * ratio, "aria-hidden": "true" });
  canvas.style.width = canvas.style.height = `${side}px`;
  const context = penOf(canvas);
  context.scale(ratio, ratio);
  drawSign(context, kind, side / 2, side / 2, side / 3, colour, paper);
  return canvas;
}

/** The path of a kind's sign about (0, 0), of `size` from its middle. @param {Kind} kind */
export function signPath(kind, size) {
  const { shape } = PROXIES[kind];
  if (shape !== "circle") return `M${CORNERS[shape].map(([x, y]) => `${(x * size).toFixed(2)} ${(y * size).toFixed(2)}`).join("L")}Z`;
  const radius = (RADIUS * size).toFixed(2);
  return `M0-${radius}A${radius} ${radius} 0 1 1 0 ${radius}A${radius} ${radius} 0 1 1 0-${radius}Z`;
}
