// How many images are shown, of how many, and what was left out.

import { make } from "../../front/dom.js";
import { count } from "../../front/text.js";
import { images } from "./cloud.js";
/** @import { Cloud } from "./cloud.js" */
/** @import { State } from "./state.js" */

const LARGE = 200_000; // images from which on it matters what draws them

export class Counts {
  /** @type {string | undefined} */ note; // of the proxies drawn
  slow = ""; // of what draws large maps

  /**
   * @param {(changes: Partial<State>) => void} change
   * @param {() => void} mapAll - leads back from a map of some images alone
   */
  constructor(change, mapAll) {
    this.change = change;
    this.mapAll = mapAll;
    this.element = make("div", { className: "vptsp-space-counts" });
  }

  /**
   * @param {Cloud} cloud
   * @param {State} state
   */
  show(cloud, state) {
    const parts = [cloud.shown === cloud.size ? images(cloud.size) : `${count(cloud.shown)} of ${images(cloud.size)} shown`];
    if (cloud.alone) parts[0] = `a map of ${images(cloud.alone)} alone, of ${count(cloud.size)}`;
    else if (cloud.shown < cloud.total) parts[0] += ", sampled evenly by class";
    parts.push(...cloud.notes);
    if (this.note) parts.push(this.note);
    if (this.slow && cloud.shown > LARGE) parts.push(this.slow);
    const sampled = cloud.sample.length < cloud.total;
    const all = make("button", { type: "button", onclick: () => this.change({ all: !state.all }) }, state.all ? "Show the sample" : "Show all");
    const back = make("button", { type: "button", onclick: this.mapAll }, "Back to all images");
    this.element.replaceChildren(make("span", {}, parts.join(" · ")), ...(sampled ? [all] : []), ...(cloud.alone ? [back] : []));
  }
}
