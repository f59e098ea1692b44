// Colours: of the theme, and of the images by what a column says of them.

import { clip } from "../../front/numbers.js";
import { FAINT } from "../../front/signs.js";
/** @import { Cloud, Column } from "./cloud.js" */

/** @typedef {ReturnType<typeof themeInks>} Inks */
/** @typedef {ReturnType<typeof coloursBy>} Colours */

/**
 * The theme's colours where `root` stands, as CSS, and for painting by hand as pixels (`packed`).
 * @param {HTMLElement} root
 */
export function themeInks(root, dark) {
  const style = getComputedStyle(root);
  const pixel = /** @type {OffscreenCanvasRenderingContext2D} */ (
    new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true }));
  const packed = (colour) => {
    pixel.fillStyle = colour;
    pixel.fillRect(0, 0, 1, 1);
    return new Uint32Array(pixel.getImageData(0, 0, 1, 1).data.buffer)[0];
  };
  const [ink, paper] = [style.color, style.backgroundColor];
  return {
    dark, ink, paper,
    soft: style.getPropertyValue("--soft").trim() || ink,
    accent: style.getPropertyValue("--accent").trim(),
    right: style.getPropertyValue("--right").trim(),
    wrong: style.getPropertyValue("--wrong").trim(),
    packed: { paper: packed(paper), ink: packed(ink), faint: packed(FAINT[dark ? "dark" : "light"]) },
  };
}

/**
 * The images' colours by a column: `rows`, a pixel for each image, and `css(place)` of a place in the tables. `rimmed`: some
 * may be as light or dark as the page; `grey`: most are.
 *
 * `bytes` are the tables of both themes, first the light one: 256 steps for numbers, then one for each category.
 * @param {Column} column
 * @param {Cloud} cloud
 * @param {any} bytes
 * `looked` are the categories in colour where there are too many for all.
 * @param {Inks} inks
 * @param {Set<number>} looked
 */
export function coloursBy(column, cloud, bytes, { dark, packed }, looked) {
  const theme = dark ? bytes.length / 2 : 0;
  const pack = (place) => {
    const at = theme + 3 * place;
    return (0xff000000 | (bytes[at + 2] << 16) | (bytes[at + 1] << 8) | bytes[at]) >>> 0;
  };
  const named = column.colours;
  const css = (place) => named ? named[place - 256] : `rgb(${bytes[theme + 3 * place]} ${bytes[theme + 3 * place + 1]} ${bytes[theme + 3 * place + 2]})`;
  const rows = new Uint32Array(cloud.size).fill(packed.faint);
  const table = Array.from({ length: column.kind === "number" ? 256 : column.values.length }, (_, place) =>
    column.kind === "number" ? pack(place)
      : named ? packedHex(named[place]) : column.grey && !looked.has(place) ? packed.faint : pack(256 + place));
  const span = column.high - column.low || 1;
  for (let row = 0; row < cloud.size; row++) {
    const at = column.start + row;
    if (column.kind === "number") {
      const value = cloud.numbers[at];
      if (Number.isFinite(value)) rows[row] = table[clip(Math.floor((255.99 * (value - column.low)) / span), 0, 255)];
    } else if (cloud.codes[at] >= 0) rows[row] = table[cloud.codes[at]];
  }
  return { rows, css, rimmed: Boolean(named), grey: Boolean(column.grey) };
}

/** A pixel of `#rrggbb`. */
function packedHex(colour) {
  const [red, green, blue] = [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16));
  return (0xff000000 | (blue << 16) | (green << 8) | red) >>> 0;
}

/** CSS of a pixel. */
export const unpacked = (colour) => `rgb(${colour & 255} ${(colour >> 8) & 255} ${(colour >> 16) & 255})`;
