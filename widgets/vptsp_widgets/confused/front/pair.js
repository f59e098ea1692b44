// One pair of classes: what is said of it, its most similar images, and the images of both classes side by side.

import { make } from "../../front/dom.js";
import { count, short } from "../../front/text.js";
import { attributeTable } from "./attributes.js";
import { WORDS } from "./pairs.js";
import { sharedNegatives } from "./shared.js";
/** @import { Pair, Pairs } from "./pairs.js" */

/**
 * `draw` shows the pair chosen, `mark` the image in focus.
 * @param {Pairs} pairs
 * @param {{ thumb: (row: number, kind: number, size: number, against?: number) => HTMLElement, mark: (within: HTMLElement) => void }} thumbs
 */
export function chosenPair(pairs, thumbs) {
  const element = make("section", { className: "vc-shown", "aria-label": "the pair chosen" });
  const mark = () => thumbs.mark(element);

  function draw() {
    const pair = pairs.all[pairs.at];
    if (!pair) return element.replaceChildren(make("p", {}, "No two classes are confused."));
    const [one, other] = pairs.names(pair);
    const known = attributeTable(pair.attributes, [one, other]);
    element.replaceChildren(
      make("h3", {}, make("bdi", {}, one), make("span", {}, pair.mistakes ? " taken for " : " beside "), make("bdi", {}, other)),
      make("p", {}, facts(pair)),
      make("h4", {}, "Hard negatives that several images share"), sharedNegatives(pairs, pair, thumbs.thumb),
      make("h4", {}, "Most similar images of the two"), make("div", { className: "vc-links" }, ...pair.links.map(link)),
      make("div", { className: "vc-sides" }, gallery(pair, 0), gallery(pair, 1)),
      ...(known ? [known] : []),
    );
    mark();
  }

  /** @param {Pair} pair */
  function facts(pair) {
    const total = pair.toward[0] + pair.toward[1];
    const parts = [`${total} of ${count(pair.images[0] + pair.images[1])} images have their hard negative in the other class; ${pair.mistakes} of them are mistaken: it is nearer than every image of their own.`];
    if (pair.proxies !== null) parts.push(`Cosine of the two proxies: ${pair.proxies.toFixed(3)}.`);
    return parts.join(" ");
  }

  function link([one, other, cosine, kind]) {
    const word = kind ? make("span", { className: kind === 2 ? "vc-word vc-red" : "vc-word" }, WORDS[kind]) : null;
    return make(
      "div", { className: "vc-link", role: "group", "aria-label": `cosine ${cosine.toFixed(3)}${kind ? `, ${WORDS[kind]}` : ""}` },
      make("div", { className: "vc-two" }, thumbs.thumb(one, kind, 64, other), thumbs.thumb(other, kind, 64, one)), make("small", {}, cosine.toFixed(3), word),
    );
  }

  /** @param {Pair} pair */
  function gallery(pair, side) {
    const rows = pair.galleries[side];
    const [name, other] = side ? pairs.names(pair).reverse() : pairs.names(pair);
    const total = pair.images[side];
    const some = rows.length < total ? `; ${rows.length} of ${count(total)} shown` : "";
    const text = make("p", {}, `${pair.toward[side]} of ${count(total)} images have their hard negative in `, make("bdi", {}, short(other, 40)), some);
    const pictures = make("div", { className: "vc-thumbs" }, ...rows.map(([row, kind]) => thumbs.thumb(row, kind, 58)));
    return make("div", { className: "vc-side", role: "group", "aria-label": `images of ${name}` }, make("h4", {}, make("bdi", {}, name)), text, pictures);
  }

  return { element, draw, mark };
}
