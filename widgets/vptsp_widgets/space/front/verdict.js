// Whether the nearest image is of the same class, as a sign in the corner of a picture: not by colour alone.

/** @import { Inks } from "./colours.js" */

const RADIUS = 7;

/**
 * A tick or a cross on a disc around (x, y).
 * @param {CanvasRenderingContext2D} context
 * @param {boolean} right
 * @param {Inks} inks
 */
export function glyph(context, x, y, right, inks) {
  context.beginPath();
  context.arc(x, y, RADIUS, 0, 7);
  context.fillStyle = inks.paper;
  context.fill();
  context.beginPath();
  if (right) {
    context.moveTo(x - 3.5, y + 0.2);
    context.lineTo(x - 1, y + 3);
    context.lineTo(x + 3.5, y - 3);
  } else {
    context.moveTo(x - 3, y - 3);
    context.lineTo(x + 3, y + 3);
    context.moveTo(x + 3, y - 3);
    context.lineTo(x - 3, y + 3);
  }
  context.strokeStyle = right ? inks.right : inks.wrong;
  context.lineWidth = 2;
  context.lineCap = "round";
  context.stroke();
  context.lineCap = "butt";
}
