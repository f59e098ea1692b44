// Single images: a thumbnail in the frame of what it is to the other class, to look at.

import { Atlas } from "../../front/atlas.js";
import { make } from "../../front/dom.js";
import { short } from "../../front/text.js";
import { WORDS } from "./pairs.js";
/** @import { Pairs } from "./pairs.js" */

const FRAMES = ["", "vc-is-hard", "vc-is-mistake"];

/**
 * `thumb` makes one, `mark` shows within an element which image is in focus, and beside which.
 * @param {Pairs} pairs
 * @param {() => HTMLElement} root
 * @param {(row: number, against: number) => void} look
 */
export function thumbnails(pairs, root, look) {
  const atlas = new Atlas(pairs.model, () => atlas.refill(root()));

  /** `against` is the image that a click puts beside it: its hard negative, unless it stands beside another one here. */
  function thumb(row, kind, size, against = pairs.hardNegative(row)) {
    const name = pairs.nameOf(row);
    const alt = [name, WORDS[kind]].filter(Boolean).join(", ");
    const blank = () => make("span", { className: "vc-blank", style: { width: `${size}px`, height: `${size}px` } }, short(name, 20));
    const picture = pairs.about.thumbnails ? atlas.element(row, size, alt) : blank();
    const click = () => {
      look(row, against);
      mark(root(), row, against);
    };
    return make("button", { type: "button", className: `vc-thumb ${FRAMES[kind]}`, title: alt, "aria-label": alt, "data-row": row, onclick: click }, picture);
  }

  /** @param {HTMLElement} within */
  function mark(within, row = pairs.model.get("_focused"), against = pairs.model.get("_against")) {
    for (const button of within.querySelectorAll(".vc-thumb")) {
      const own = Number(button.getAttribute("data-row"));
      button.setAttribute("aria-current", String(own === row));
      button.classList.toggle("vc-is-against", own === against);
    }
  }

  return { thumb, mark, close: () => atlas.close() };
}
