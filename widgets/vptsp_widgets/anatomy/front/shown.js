// What all panels look at: the numbers, alpha, the class in focus, the theme; and how they change what is looked at.

import { Atlas } from "../../front/atlas.js";
import { bytesOf } from "../../front/bytes.js";
import { make } from "../../front/dom.js";
import { clip } from "../../front/numbers.js";
import { Parts } from "./parts.js";
/** @import { Model } from "../../front/model.js" */

export const STEPS = 100; // of alpha

export class Shown {
  /** @type {Parts} */ parts;

  /**
   * `root` is the view's element, `say` tells its status line.
   * @param {Model} model
   * @param {HTMLElement} root
   * @param {(text: string) => void} say
   */
  constructor(model, root, say) {
    this.model = model;
    this.root = root;
    this.say = say;
    this.live = model.live !== false;
    this.dark = false;
    this.atlas = new Atlas(model, () => this.atlas.refill(root));
    this.renew();
  }

  /** Another run has come. */
  renew() {
    this.parts = new Parts(this.model);
  }

  /** Whether there are semantic proxies; where not, all is about O alone. */
  get semantic() {
    return this.parts.facts.semantic;
  }

  get alpha() {
    return this.semantic ? this.model.get("alpha") : 1;
  }

  /** The class in focus. */
  get label() {
    return clip(this.model.get("_class"), 0, this.parts.classes - 1);
  }

  setAlpha(value) {
    this.put("alpha", value);
  }

  chooseClass(label) {
    this.put("_class", label);
    if (this.live) this.put("_selected", bytesOf(Int32Array.from(this.parts.own[label], (image) => this.parts.rows[image])));
  }

  chooseImage(image) {
    const { parts } = this;
    if (this.live) this.put("_focused", parts.rows[image]);
    else if (parts.labels[image] !== this.label) this.put("_class", parts.labels[image]);
    this.say(`${parts.names[parts.labels[image]]} is looked at`);
  }

  put(name, value) {
    this.model.set(name, value);
    this.model.save_changes();
  }

  /** Of something that has a colour for each theme. */
  colour(one) {
    return one[this.dark ? "dark" : "light"];
  }

  /** A colour of the style sheet. */
  ink(name) {
    return getComputedStyle(this.root).getPropertyValue(name).trim();
  }

  /** A canvas, or null where the run's images are not at hand. */
  thumbnail(image, size, alt) {
    return this.parts.facts.thumbnails ? this.atlas.element(this.parts.rows[image], size, alt) : null;
  }

  /** What a tip says of an image. */
  aboutImage(image, extra = "training image") {
    const { parts } = this;
    const text = make("div", {}, make("b", { dir: "auto" }, parts.names[parts.labels[image]]), make("div", {}, extra));
    const picture = this.thumbnail(image, 56, "");
    return picture ? [picture, text] : [text];
  }

  close() {
    this.atlas.close();
  }
}
