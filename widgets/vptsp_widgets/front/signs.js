// Made by front/generate_signs.py; what is said here is decided in vptsp/figures/signs_and_colours.py.

/** @typedef {"learned" | "semantic" | "fused"} Kind - of proxies */
/** @typedef {{ light: string, dark: string }} Colour - of one theme and of the other */
/**
 * @typedef {object} Sign
 * @property {string} title
 * @property {string} letter
 * @property {string} glyph - in text
 * @property {"circle" | "square" | "diamond"} shape
 * @property {boolean} filled - hollow signs have the page's colour inside
 * @property {Colour} colour
 */

/** @type {Record<Kind, Sign>} */
export const PROXIES = {
  learned: { title: "learned O", letter: "O", glyph: "○", shape: "circle", filled: false, colour: { light: "#b84a08", dark: "#fb9a4b" } },
  semantic: { title: "semantic G", letter: "G", glyph: "□", shape: "square", filled: false, colour: { light: "#8b31d6", dark: "#c79bfb" } },
  fused: { title: "fused q", letter: "q", glyph: "◆", shape: "diamond", filled: true, colour: { light: "#1d5fd6", dark: "#7fb1ff" } },
};

/** @type {Colour[]} */
export const SCORES = [ // lines, the main score first
  { light: "#1d5fd6", dark: "#7fb1ff" },
  { light: "#0e7a52", dark: "#4ade80" },
  { light: "#8a6100", dark: "#e0c264" },
  { light: "#6b7280", dark: "#a8b0ba" },
];

/** @type {Colour} */
export const FAINT = { light: "#9aa1a9", dark: "#7d858e" };
