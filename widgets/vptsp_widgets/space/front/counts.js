// How many images are shown, of how many, and what was left out.

import { make } from "../../front/dom.js";
import { count } from "../../front/text.js";
import { images } from "./cloud.js";
/** @import { Cloud } from "./cloud.js" */
/** @import { State } from "./state.js" */

export class Counts {
  /** @type {string | undefined} */ note; // of the proxies drawn

  /** @param {(changes: Partial<State>) => void} change */
  constructor(change) {
    this.change = change;
    this.element = make("div", { className: "vptsp-space-counts" });
  }

  /**
   * @param {Cloud} cloud
   * @param {State} state
   */
  show(cloud, state) {
    const parts = [cloud.shown === cloud.size ? images(cloud.size) : `${count(cloud.shown)} of ${images(cloud.size)} shown`];
    if (cloud.shown < cloud.total) parts[0] += ", sampled evenly by class";
    parts.push(...cloud.notes);
    if (this.note) parts.push(this.note);
    const sampled = cloud.sample.length < cloud.total;
    const all = make("button", { type: "button", onclick: () => this.change({ all: !state.all }) }, state.all ? "Show the sample" : "Show all");
    this.element.replaceChildren(make("span", {}, parts.join(" · ")), ...(sampled ? [all] : []));
  }
}
