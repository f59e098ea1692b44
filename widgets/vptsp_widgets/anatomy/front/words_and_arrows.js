// Arrows and texts on a canvas, and how numbers are written.

export const percent = (share, digits = 1) => `${(100 * share).toFixed(digits)} %`;
export const signed = (value, digits = 1) => `${value < 0 ? "−" : "+"}${Math.abs(100 * value).toFixed(digits)}`;
export const cosine = (value, digits = 3) => value.toFixed(digits).replace(/^-(0\.?0*)$/, "$1").replace("-", "−");
export const degrees = (radians) => `${Math.round((radians * 180) / Math.PI)}°`;

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
