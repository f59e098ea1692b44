// The images nearest to O, to G and to q of the class in focus.

import { make } from "../../front/dom.js";
import { PROXIES } from "../../front/signs.js";
import { short } from "../../front/text.js";
import { debounced } from "../../front/timing.js";
import { mostSimilarFirst } from "./parts.js";
import { cosine } from "./words_and_arrows.js";
/** @import { Shown } from "./shown.js" */
/** @import { Kind } from "../../front/signs.js" */

const NEAREST = 10; // thumbnails of a strip

/**
 * The panel: `box` with a strip for each; `draw` shows them anew, `drawLater` once no more changes come.
 * @param {Shown} shown
 */
export function nearestStrips(shown) {
  const box = make("div", { className: "va-strips" });

  /** @param {Kind} kind */
  function strip(kind, alpha) {
    const { parts, label } = shown;
    const r = parts.own[label].length;
    const similarity = parts.similarities(label, alpha);
    const ranked = mostSimilarFirst(similarity);
    const right = ranked.slice(0, r).filter((image) => parts.labels[image] === label).length;
    const sign = make("b", {}, PROXIES[kind].letter);
    sign.style.color = shown.colour(PROXIES[kind].colour);
    const cells = ranked.slice(0, NEAREST).map((image) => {
      const own = parts.labels[image] === label;
      const alt = `${parts.names[parts.labels[image]]}, ${own ? "the class" : "another class"}, cosine ${cosine(similarity[image])}`;
      return make(
        "button", { type: "button", className: `va-thumb ${own ? "va-yes" : "va-no"}`, title: alt, "aria-label": alt, onclick: () => shown.chooseImage(image) },
        shown.thumbnail(image, 54, alt) ?? make("span", { className: "va-blank" }, short(parts.names[parts.labels[image]], 18)), make("small", {}, `${own ? "✓" : "✗"} ${cosine(similarity[image], 2)}`),
      );
    });
    const text = make("div", { className: "va-strip-text" }, make("div", {}, "nearest to ", sign), make("small", {}, `${right} of the first ${r} right`));
    return make("div", { className: "va-strip", role: "group", "aria-label": `images nearest to ${PROXIES[kind].title}` }, text, make("div", { className: "va-thumbs" }, ...cells));
  }

  function draw() {
    const kinds = shown.semantic ? [["learned", 1], ["semantic", 0], ["fused", shown.alpha]] : [["learned", 1]];
    box.replaceChildren(...kinds.map(([kind, alpha]) => strip(kind, alpha)));
  }

  return { box, draw, drawLater: debounced(draw, 60) };
}
