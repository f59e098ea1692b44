// What is told of a single point: the card beside the pointer, and the panel of the image looked at.

import { make } from "../../front/dom.js";
import { PROXIES } from "../../front/signs.js";
import { clip } from "../../front/numbers.js";
/** @import { Atlas } from "../../front/atlas.js" */
/** @import { Film } from "./film.js" */
/** @import { Scale, Scene } from "./stage.js" */

export class Card {
  /** @type {number | undefined} */ point;
  /** @type {Film | undefined} */ film;

  constructor() {
    this.element = make("div", { className: "vt-card", hidden: true });
  }

  hide() {
    this.element.hidden = true;
  }

  /**
   * Beside the point that the scene says is hovered, and within the picture.
   * @param {Scene} scene
   * @param {Scale} scale
   */
  show({ film, hovered, choice, atlas }, scale) {
    const card = this.element;
    card.hidden = hovered < 0 || !choice.isShown(hovered);
    if (card.hidden) return;
    if (this.point !== hovered || this.film !== film) {
      const proxy = film.proxyOf(hovered);
      const name = film.names[film.classOf(hovered)];
      const what = proxy ? `${PROXIES[proxy.kind].title} · click for trails` : `${film.isTest(hovered) ? "test" : "train"} image ${film.ids[hovered]}`;
      const picture = !proxy && atlas?.place(hovered) ? [atlas.element(hovered, 48, name)] : [];
      card.replaceChildren(...picture, make("div", {}, make("b", {}, name), make("small", {}, what)));
      this.point = hovered;
      this.film = film;
    }
    const [x, y] = scale.at(film, hovered);
    const [wide, high] = [card.offsetWidth, card.offsetHeight];
    const left = x + 16 + wide > scale.width ? x - 16 - wide : x + 16;
    card.style.transform = `translate(${clip(left, 4, Math.max(4, scale.width - wide - 4))}px, ${clip(y - high / 2, 4, Math.max(4, scale.height - high - 4))}px)`;
  }
}

/**
 * The panel of the image looked at.
 * @param {HTMLElement} panel
 * @param {Film} film
 * @param {Atlas | null} atlas
 */
export function showLooked(panel, film, focused, atlas) {
  panel.hidden = focused < 0;
  if (focused < 0) return;
  const name = film.names[film.labels[focused]];
  const picture = atlas?.place(focused) ? [atlas.element(focused, 48, name)] : [];
  const split = film.isTest(focused) ? "test" : "train";
  panel.replaceChildren(make("h4", {}, "Looked at"), make("div", { className: "vt-about" }, ...picture, make("div", {}, make("b", {}, name), make("small", {}, `${split} image ${film.ids[focused]}`))));
}
