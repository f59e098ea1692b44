// The bar above the picture: which run it is, and what there is to choose.

import { make } from "../../front/dom.js";
/** @import { Film } from "./film.js" */

const FRAMES = { pca: "PCA of the last epoch", aligned: "aligned UMAP" };

export class Controls {
  /** @param {{ setFrame: (name: string) => void, draw: () => void }} acts */
  constructor({ setFrame, draw }) {
    this.title = make("strong", { className: "vt-title" });
    this.frame = make("select", { "aria-label": "Frame", onchange: () => setFrame(this.frame.value) });
    this.frameLabel = make("label", {}, "Frame", this.frame);
    this.pictures = make("input", { type: "checkbox", onchange: draw });
    this.picturesLabel = make("label", {}, this.pictures, "Thumbnails");
  }

  /**
   * @param {Film} film
   * @param {boolean} pictured - whether there are thumbnails
   */
  load(film, pictured) {
    this.title.textContent = `Time machine of ${film.title}`;
    this.title.title = film.title;
    this.frame.replaceChildren(...film.frames.map(({ name }) => make("option", { value: name }, FRAMES[name])));
    this.frameLabel.hidden = film.frames.length < 2;
    this.picturesLabel.hidden = !pictured;
  }
}
