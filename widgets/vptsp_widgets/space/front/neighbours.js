// The images nearest to the one in focus: lines that lead to them, green to its own class and red to others.

import { make } from "../../front/dom.js";
import { int32 } from "../../front/bytes.js";
import { ofAll } from "../../front/text.js";
/** @import { Model } from "../../front/model.js" */
/** @import { Scene } from "./overlay.js" */

/**
 * `right` is empty where no class is known; `relevant`, how many of its class there are to find, is known by the kernel.
 * @typedef {{ row: number, rows: number[], right: boolean[], relevant?: number }} Near
 */

/**
 * What the kernel found for an image, or what a page without one holds; null while nobody knows.
 * @param {Model} model
 * @param {number} row
 * @param {Int32Array} codes - the class of each image
 * @returns {Near | null}
 */
export function nearOf(model, row, codes) {
  if (row < 0) return null;
  const found = model.get("_near");
  if (found?.row === row) return found;
  const table = int32(model.get("_near_table"));
  if (!table.length) return null;
  const images = model.get("_points").byteLength / 8;
  const width = table.length / images;
  const rows = [...table.subarray(row * width, (row + 1) * width)].filter((other) => other >= 0);
  return { row, rows, right: model.get("_columns")[0].values.length > 1 ? rows.map((other) => codes[other] === codes[row]) : [] };
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {Scene} scene
 */
export function drawNear(context, { cloud, state, inks, near }) {
  if (!near || !state.neighbours || !cloud.drawable[near.row]) return;
  const [x, y] = [cloud.sx[near.row], cloud.sy[near.row]];
  context.lineCap = "round";
  near.rows.forEach((row, place) => {
    if (!cloud.drawable[row]) return;
    const right = near.right[place];
    const colour = right === undefined ? inks.accent : right ? inks.right : inks.wrong;
    const [dx, dy] = [cloud.sx[row] - x, cloud.sy[row] - y];
    const length = Math.hypot(dx, dy);
    for (const { ink, width } of [{ ink: inks.paper, width: 4 }, { ink: colour, width: 1.8 }]) {
      context.strokeStyle = ink;
      context.lineWidth = width;
      context.setLineDash(right === false && ink === colour ? [6, 5] : []); // apart without colours too
      context.beginPath();
      if (length > 22) {
        context.moveTo(x + (11 * dx) / length, y + (11 * dy) / length); // from the ring around the focus to that around it
        context.lineTo(x + dx - (7 * dx) / length, y + dy - (7 * dy) / length);
      }
      context.stroke();
      context.setLineDash([]);
      context.beginPath();
      context.arc(x + dx, y + dy, 7, 0, 7);
      context.stroke();
    }
  });
  context.lineCap = "butt";
}

/**
 * The lines in words, with a switch for them.
 * @param {Near | null} near
 * @param {boolean} drawn
 * @param {(drawn: boolean) => void} change
 */
export function aboutNear(near, drawn, change) {
  if (!near?.rows.length) return "";
  const right = near.right.filter(Boolean).length;
  const told = near.right.length
    ? [": ", make("span", { className: "vptsp-space-right" }, `✓ ${right} right${ofAll(near.relevant, near.rows.length)}`), ", ",
      make("span", { className: "vptsp-space-wrong" }, `✗ ${near.rows.length - right} wrong`)] : [];
  return make(
    "label", { className: "vptsp-space-near" },
    make("input", { type: "checkbox", checked: drawn, onchange: (event) => change(event.target.checked) }),
    make("span", {}, `Lines to the ${near.rows.length} nearest`, ...told));
}
