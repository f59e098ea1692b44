// A field for a word with a button beside it: Enter or the button hands the word over.

import { make } from "../../front/dom.js";

/**
 * JupyterLab takes Enter in a cell's output for its own, so that a form would not be submitted by it.
 * @param {HTMLInputElement} field
 * @param {string} text - of the button
 * @param {(word: string) => void} act
 * @param {...Node} more
 */
export function wordForm(field, text, act, ...more) {
  const hand = (/** @type {Event} */ event) => {
    event.preventDefault();
    event.stopPropagation();
    act(field.value.trim());
  };
  field.addEventListener("keydown", (event) => event.key === "Enter" && !event.isComposing && hand(event));
  return make("form", { className: "vptsp-space-tag", onsubmit: hand }, field, make("button", { type: "submit" }, text), ...more);
}
