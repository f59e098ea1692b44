// Images that stand in the way of several of the other class: one cause for many mistakes.

import { make } from "../../front/dom.js";
import { count, short } from "../../front/text.js";
/** @import { Pair, Pairs } from "./pairs.js" */

/**
 * Each shared hard negative, and the images whose hard negative it is.
 * @param {Pairs} pairs
 * @param {Pair} pair
 * @param {(row: number, kind: number, size: number, against?: number) => HTMLElement} thumb
 */
export function sharedNegatives(pairs, pair, thumb) {
  if (!pair.shared.length) return make("p", {}, "No image is the hard negative of several images of the other class.");
  const groups = pair.shared.map(([hub, number, mistakes, of]) => {
    const [own, other] = [pairs.nameOf(hub), pairs.nameOf(of[0][0])];
    const mistaken = mistakes ? `, ${count(mistakes)} of them mistaken` : "";
    const said = `hard negative of ${count(number)} images of ${other}${mistaken}`;
    const some = of.length < number ? `, ${count(of.length)} shown` : "";
    return make(
      "div", { className: "vc-hub", role: "group", "aria-label": `an image of ${own}, ${said}` },
      thumb(hub, 0, 64),
      make("div", {},
        make("small", {}, make("bdi", {}, short(own, 28)), ": hard negative of ", `${count(number)} of `, make("bdi", {}, short(other, 28)), mistaken, some),
        make("div", { className: "vc-thumbs" }, ...of.map(([row, kind]) => thumb(row, kind, 48, hub)))),
    );
  });
  return make("div", { className: "vc-hubs" }, ...groups);
}
