// Single images: a thumbnail in the frame of what it is to the other class, to look at.

import { Atlas } from "../../front/atlas.js";
import { make } from "../../front/dom.js";
import { short } from "../../front/text.js";
import { WORDS } from "./pairs.js";
/** @import { Pairs } from "./pairs.js" */

const FRAMES = ["", "vc-is-hard", "vc-is-mistake"];

/**
 * `thumb` makes one, `mark` shows within an element which image is in focus.
 * @param {Pairs} pairs
 * @param {() => HTMLElement} root
 * @param {(text: string) => void} say
 */
export function thumbnails(pairs, root, say) {
  const atlas = new Atlas(pairs.model, () => atlas.refill(root()));

  function thumb(row, kind, size) {
    const name = pairs.nameOf(row);
    const alt = [name, WORDS[kind]].filter(Boolean).join(", ");
    const blank = () => make("span", { className: "vc-blank", style: { width: `${size}px`, height: `${size}px` } }, short(name, 20));
    const picture = pairs.about.thumbnails ? atlas.element(row, size, alt) : blank();
    const look = () => {
      pairs.look(row);
      say(`an image of ${name} is looked at`);
      mark(root(), row);
    };
    return make("button", { type: "button", className: `vc-thumb ${FRAMES[kind]}`, title: alt, "aria-label": alt, "data-row": row, onclick: look }, picture);
  }

  /** @param {HTMLElement} within */
  function mark(within, row = pairs.model.get("_focused")) {
    for (const button of within.querySelectorAll(".vc-thumb")) button.setAttribute("aria-current", String(Number(button.getAttribute("data-row")) === row));
  }

  return { thumb, mark, close: () => atlas.close() };
}
