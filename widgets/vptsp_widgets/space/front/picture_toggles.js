// The switches of the pictures on the map, or why there are none.

import { make } from "../../front/dom.js";
/** @import { Cloud } from "./cloud.js" */
/** @import { State } from "./state.js" */

export class PictureToggles {
  /** @param {(changes: Partial<State>) => void} change */
  constructor(change) {
    this.near = make("input", { type: "checkbox", onchange: () => change({ pictures: this.near.checked }) });
    this.examples = make("input", { type: "checkbox", onchange: () => change({ examples: this.examples.checked }) });
    const title = "the image nearest to the mean of its class, of the largest classes first, where there is room (R)";
    this.ofEach = make("label", { title }, this.examples, "One image of each class");
    this.why = make("p", { className: "vptsp-space-hint" });
    this.switches = make("div", { className: "vptsp-space-signs" },
      make("label", { title: "as many as have room without covering each other (P)" }, this.near, "Images when zoomed in"), this.ofEach);
    this.element = make("div", {}, make("h4", {}, "Pictures"), this.switches, this.why);
  }

  /**
   * @param {Cloud} cloud
   * @param {State} state
   * @param {boolean} pictured - whether there are thumbnails
   */
  show(cloud, state, pictured) {
    this.near.checked = state.pictures;
    this.examples.checked = state.examples;
    this.switches.hidden = !pictured;
    this.ofEach.hidden = !cloud.examples.length;
    this.why.textContent = pictured ? "" : cloud.notes.find((note) => note.startsWith("no thumbnails")) ?? "There are no thumbnails.";
  }
}
