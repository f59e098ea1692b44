// Small elements: a name as one line of text, and a button.

import { make } from "../../front/dom.js";

/** A name as one line of text; the isolates keep right-to-left names from turning what stands beside them. */
export const oneLine = (name) => String(name).replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, " ").trim() || "(no name)";
export const isolated = (name) => `\u2068${oneLine(name)}\u2069`;
export const bdi = (name) => make("bdi", {}, oneLine(name));

export function button(text, title, act) {
  return make("button", { type: "button", title, onclick: act }, text);
}
