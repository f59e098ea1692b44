// The bar above the map: what colours it, a class to find, and buttons.

import { make } from "../../front/dom.js";
import { Finder } from "./finder.js";
/** @import { Cloud } from "./cloud.js" */
/** @import { State } from "./state.js" */

const button = (/** @type {string} */ text, /** @type {string} */ label, /** @type {() => void} */ act) =>
  make("button", { type: "button", title: label, "aria-label": label, onclick: act }, text);

export class Bar {
  /**
   * @param {object} acts
   * @param {() => Cloud} acts.cloud
   * @param {() => State} acts.state
   * @param {(changes: Partial<State>) => void} acts.change
   * @param {(name: string) => void} acts.find
   * @param {() => void} acts.lasso
   * @param {() => void} acts.filter
   * @param {HTMLElement} acts.views - the button that shows the views kept
   * @param {HTMLElement} acts.turns - buttons that turn the map
   * @param {(factor: number) => void} acts.zoom
   * @param {() => void} acts.whole
   * @param {() => void} acts.help
   * @param {HTMLElement} acts.present - the button that begins presenting
   * @param {(text: string) => void} acts.say
   */
  constructor({ cloud, state, change, find, lasso, filter, views, turns, zoom, whole, help, present, say }) {
    this.title = make("strong", { className: "vptsp-space-title" });
    this.colour = make("select", { "aria-label": "Colour by", onchange: () => change({ colour: this.colour.value, solo: [] }) });
    this.finder = new Finder({ cloud, found: find, emptied: () => state().find && change({ find: "" }), say });
    this.lasso = button("Lasso", "Lasso: draw around images to select them (L, or hold Shift)", lasso);
    this.labels = make("input", { type: "checkbox", onchange: () => change({ labels: this.labels.checked }) });
    this.element = make(
      "div", { className: "vptsp-bar" },
      this.title,
      make("label", {}, "Colour by", this.colour),
      this.finder.element,
      this.lasso,
      button("Filter", "Filter by any column: ranges, categories, text", filter),
      views,
      make("label", {}, this.labels, "Class names"),
      turns,
      make("span", { className: "vptsp-space-zoom" },
        button("+", "Zoom in (+)", () => zoom(1.5)), button("−", "Zoom out (−)", () => zoom(1 / 1.5)),
        button("Whole map", "Show everything (0)", whole),
        button("?", "Keys and gestures (?)", help), present),
    );
  }

  /**
   * @param {string} title
   * @param {Cloud} cloud
   * @param {State} state
   */
  show(title, cloud, state) {
    this.title.textContent = title;
    this.colour.replaceChildren(...cloud.columns.map(({ name }) => make("option", { value: name }, name)));
    this.colour.value = state.colour;
    this.labels.checked = state.labels;
    this.finder.show(state.find);
  }

  showLasso(on) {
    this.lasso.setAttribute("aria-pressed", String(on));
  }
}
