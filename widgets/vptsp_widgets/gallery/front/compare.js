// Any two images in full size, with how similar they are and at which rank each finds the other.

import { make } from "../../front/dom.js";
import { count } from "../../front/text.js";
import { bdi, button } from "./elements.js";
import { pairWindow } from "./pair.js";
/** @import { Message, Model } from "../../front/model.js" */
/** @import { Images } from "./images.js" */
/** @import { Pictures } from "./pictures.js" */

/**
 * `open(rows)` shows two images. `ask` takes one of them as the query; `closed` hears that the window is.
 * @param {Model} model
 * @param {Images} images
 * @param {Pictures} pictures
 * @param {{ ask: (query: { row: number }) => void, closed: () => void }} acts
 */
export function compareTwo(model, images, pictures, { ask, closed }) {
  /** @type {number[]} */
  let rows = [];
  /** @type {{ similarity: number, ranks: (number | null)[] } | null} */
  let known = null;
  const verdict = make("span", { className: "vg-rank", "aria-live": "polite" });
  const window = pairWindow(images, pictures, {
    label: "two images in full size", roles: ["first", "second"], closed,
    bar: [verdict, ...[0, 1].map((at) => button(`Search with the ${at ? "second" : "first"}`, "", () => (window.element.close(), ask({ row: rows[at] }))))],
  });
  window.element.addEventListener("keydown", (event) => event.stopPropagation()); // the gallery has other uses for keys

  /** @param {Message} message */
  const receive = (message) => {
    if (message.kind !== "pair" || message.rows.join() !== rows.join()) return;
    known = { similarity: message.similarity, ranks: message.ranks };
    draw();
  };
  model.on("msg:custom", receive);

  function draw() {
    if (!window.element.open) return;
    const same = images.labels[rows[0]] === images.labels[rows[1]];
    verdict.textContent = (same ? "Of one class" : "Of two classes") + (known ? `, similarity ${known.similarity.toFixed(3)}` : "");
    rows.forEach((row, at) => {
      const rank = known?.ranks[at]; // of the other one, for this one
      const finds = rank ? ` finds the other at rank ${count(rank)}` : "";
      window.show(at, row, [bdi(images.nameOf(row)), make("span", { className: "vg-soft" }, finds)]);
    });
  }

  return {
    element: window.element, draw,
    /** @param {number[]} two */
    open(two) {
      [rows, known] = [two, null];
      if (pictures.live) model.send({ kind: "pair", rows });
      window.open();
      draw();
    },
    close: () => model.off("msg:custom", receive),
  };
}
