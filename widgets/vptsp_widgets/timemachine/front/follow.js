// A run that still trains is followed: while the box is ticked, the kernel is asked for new epochs every few seconds.

import { make } from "../../front/dom.js";
/** @import { Model } from "../../front/model.js" */
/** @import { Film } from "./film.js" */

export class Follower {
  asked = false;
  /** @type {number | undefined} */ timer;

  /** @param {Model} model */
  constructor(model) {
    this.model = model;
    this.box = make("input", { type: "checkbox", onchange: () => this.start() });
    this.element = make("label", { title: "look for new epochs every few seconds" }, this.box, "Follow training");
    this.answered = (message) => message.kind === "refreshed" && (this.asked = false);
    model.on("msg:custom", this.answered);
  }

  /**
   * Only a kernel can look, and only a training run has something to look for.
   * @param {Film} film
   */
  load(film) {
    this.element.hidden = this.model.live === false || !film.training;
    if (this.element.hidden && this.box.checked) {
      this.box.checked = false;
      this.start();
    }
  }

  start() {
    clearInterval(this.timer);
    const ask = () => {
      if (!this.asked) this.model.send({ kind: "refresh" });
      this.asked = true; // until the kernel has answered
    };
    if (this.box.checked) this.timer = setInterval(ask, 4000);
  }

  close() {
    clearInterval(this.timer);
    this.model.off("msg:custom", this.answered);
  }
}
