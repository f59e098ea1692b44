// How O, G and q are told apart: colours and signs on a canvas; and how numbers are written.

/** @typedef {"learned" | "semantic" | "fused"} Kind */

export const LOOK = {
  learned: { sign: "O", title: "learned", light: "#b84a08", dark: "#fb9a4b" },
  semantic: { sign: "G", title: "semantic", light: "#8b31d6", dark: "#c79bfb" },
  fused: { sign: "q", title: "fused", light: "#1d5fd6", dark: "#7fb1ff" },
};
export const percent = (share, digits = 1) => `${(100 * share).toFixed(digits)} %`;
export const signed = (value, digits = 1) => `${value < 0 ? "−" : "+"}${Math.abs(100 * value).toFixed(digits)}`;
export const cosine = (value, digits = 3) => value.toFixed(digits).replace(/^-(0\.?0*)$/, "$1").replace("-", "−");
export const degrees = (radians) => `${Math.round((radians * 180) / Math.PI)}°`;

/**
 * The sign of a kind of proxy: a ring for O, a diamond for G, a star for q, rimmed with the page's colour.
 * @param {CanvasRenderingContext2D} context
 * @param {Kind} kind
 */
export function mark(context, kind, /** @type {number[]} */ [x, y], size, colour, paper) {
  if (kind === "fused") {
    star(context, x, y, size);
    context.lineWidth = 2.5;
    context.strokeStyle = paper;
    context.stroke();
    context.fillStyle = colour;
    context.fill();
    return;
  }
  context.beginPath();
  if (kind === "learned") context.arc(x, y, size * 0.8, 0, 7);
  else for (const [dx, dy] of [[0, -1], [1, 0], [0, 1], [-1, 0]]) context.lineTo(x + dx * size, y + dy * size);
  context.closePath();
  context.fillStyle = kind === "learned" ? paper : colour;
  context.fill();
  context.lineWidth = kind === "learned" ? 1.8 : 0.8;
  context.strokeStyle = kind === "learned" ? colour : paper;
  context.stroke();
}

/** @param {CanvasRenderingContext2D} context */
function star(context, x, y, size) {
  context.beginPath();
  for (let corner = 0; corner < 10; corner++) {
    const [reach, turn] = [corner % 2 ? 0.5 : 1.15, (corner / 10) * 2 * Math.PI - Math.PI / 2];
    context.lineTo(x + Math.cos(turn) * size * reach, y + Math.sin(turn) * size * reach);
  }
  context.closePath();
}

/** @param {CanvasRenderingContext2D} context */
export function arrow(context, x0, y0, x1, y1, head = 9) {
  const length = Math.hypot(x1 - x0, y1 - y0);
  if (length < 1) return;
  const [dx, dy] = [(x1 - x0) / length, (y1 - y0) / length];
  context.beginPath();
  context.moveTo(x0, y0);
  context.lineTo(x1 - dx * head * 0.8, y1 - dy * head * 0.8);
  context.stroke();
  context.beginPath();
  context.moveTo(x1, y1);
  context.lineTo(x1 - dx * head - dy * head * 0.42, y1 - dy * head + dx * head * 0.42);
  context.lineTo(x1 - dx * head + dy * head * 0.42, y1 - dy * head - dx * head * 0.42);
  context.fill();
}

/**
 * Text with a rim of the page's colour, so that it reads on anything.
 * @param {CanvasRenderingContext2D} context
 */
export function write(context, text, x, y, colour, paper) {
  context.lineJoin = "round";
  context.lineWidth = 4;
  context.strokeStyle = paper;
  context.strokeText(text, x, y);
  context.fillStyle = colour;
  context.fillText(text, x, y);
}
