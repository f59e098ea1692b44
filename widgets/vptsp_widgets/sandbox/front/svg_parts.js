// Parts of the drawing: SVG elements, glyphs and letters of the points, lines, arrows, and numbers as they are written.

import { svg } from "../../front/dom.js";
import { signPath } from "../../front/glyphs.js";
import { PROXIES } from "../../front/signs.js";
/** @import { Kind } from "../../front/signs.js" */

export const LETTERS = "ABCDEFGH";
export const DISC = "M0-9A9 9 0 1 1 0 9A9 9 0 1 1 0-9Z";

/** Path and openness of a proxy's sign. @param {Kind} kind */
export const proxySign = (kind) => ({ path: signPath(kind, 13), open: !PROXIES[kind].filled });

export const coloured = (c) => `--c: var(--c${c})`;

/** A glyph with a letter on it; `halo` is the radius of a disc under both, if there is one. */
export function glyphElement(path, open, letter, attributes, halo = 0) {
  return svg("g", { class: `vptsp-sb-point${open ? " vptsp-sb-open" : ""}`, ...attributes },
    ...(halo ? [svg("circle", { r: halo, class: "vptsp-sb-halo" })] : []),
    svg("path", { d: path, class: "vptsp-sb-glyph" }),
    svg("text", { y: 0.5 }, letter));
}

/** A line between two places on the screen, in the colour of a class. */
export function lineElement(from, to, name, c, behind) {
  return svg("path", {
    d: `M${from.x.toFixed(2)} ${from.y.toFixed(2)}L${to.x.toFixed(2)} ${to.y.toFixed(2)}`,
    class: `${name}${behind ? " vptsp-sb-behind" : ""}`, style: coloured(c),
  });
}

/** The line and head of an arrow on the screen; without a head where there is no room for one. */
export function arrowPath(x, y, dx, dy) {
  const length = Math.hypot(dx, dy);
  const head = Math.min(9, 0.6 * length);
  const [ux, uy] = [dx / length, dy / length];
  const [bx, by] = [x + dx - head * ux, y + dy - head * uy];
  const side = 0.45 * head;
  const at = (...values) => values.map((value) => value.toFixed(2)).join(" ");
  return `M${at(x, y)}L${at(bx, by)}M${at(x + dx, y + dy)}L${at(bx - side * uy, by + side * ux)}L${at(bx + side * uy, by - side * ux)}Z`;
}

export const digits = (value, count = 3) => {
  const text = Math.abs(value) < 1e-4 && value !== 0 ? value.toExponential(1) : String(Number(value.toPrecision(count)));
  return text.replace("-", "−");
};
export const percent = (share) => `${share > 0 && share < 0.005 ? "<1" : Math.round(100 * share)} %`;
