// One image in words and picture: what the card beside the pointer and the panel of the image focused say of it.

import { make } from "../../front/dom.js";
import { aboutNear } from "./neighbours.js";
/** @import { Model } from "../../front/model.js" */
/** @import { Scene } from "./overlay.js" */
/** @import { State } from "./state.js" */

const TRUTH = ["map trustworthiness", "map continuity"]; // names of columns begin so

/**
 * Thumbnail and text of an image; `pictures` is the atlas, or null without thumbnails.
 * @param {any} row
 * @param {any} size
 * @param {Scene} scene
 */
export function aboutImage(row, size, { cloud, state, pictures }) {
  const name = cloud.className(row);
  const { colour } = state;
  return [
    ...(pictures ? [pictures.element(row, size, `${name} (${cloud.id(row)})`)] : []),
    make("div", {},
      make("b", { dir: "auto" }, name),
      make("div", { className: "vptsp-space-id", dir: "auto" }, cloud.id(row)),
      colour === cloud.columns[0].name ? null : make("div", { dir: "auto" }, `${colour}: ${cloud.text(colour, row)}`),
      ...(state.truth ? truthOf(cloud, row, colour) : [])),
  ];
}

/** How far the map can be trusted at an image, as far as it is known; not what the map is coloured by, which stands there. */
function truthOf(cloud, row, colour) {
  const names = cloud.columns.map(({ name }) => name).filter((name) => TRUTH.some((word) => name.startsWith(word)) && name !== colour);
  return names.map((name) => make("div", { className: "vptsp-space-id" }, `${name}: ${cloud.text(name, row)}`));
}

/** The panel of the image focused, with all that is known of it. */
export class FocusPanel {
  /**
   * @param {(changes: Partial<State>) => void} change
   * @param {Model} model
   */
  constructor(change, model) {
    this.change = change;
    this.model = model;
    this.element = make("div", { className: "vptsp-space-looked" });
    this.open = false; // whether all columns are listed
  }

  /** @param {Scene} scene */
  show(row, scene) {
    const { cloud } = scene;
    if (!(row >= 0 && row < cloud.size)) {
      this.element.replaceChildren(make("h4", {}, "Focus"), make("p", { className: "vptsp-space-hint" }, "Click an image, or use the arrow keys."), this.truth(scene));
      return;
    }
    const known = cloud.columns.slice(1).map(({ name }) =>
      make("tr", {}, make("th", { scope: "row", dir: "auto" }, name), make("td", { dir: "auto" }, cloud.text(name, row))));
    this.element.replaceChildren(
      make("h4", {}, "Focus"),
      make("div", { className: "vptsp-space-about" }, ...aboutImage(row, 72, scene)),
      aboutNear(scene.near, scene.state.neighbours, (neighbours) => this.change({ neighbours })),
      this.truth(scene),
      known.length ? make("details", { open: this.open, ontoggle: (event) => (this.open = event.target.open) },
        make("summary", {}, "All columns"), make("table", {}, ...known)) : "",
    );
  }

  /** A switch: what the image pointed at is near to in truth, and how far the map can be trusted there. @param {Scene} scene */
  truth({ state, cloud }) {
    const live = this.model.live !== false;
    if (!live && !this.model.get("_near_table")?.byteLength) return "";
    const box = make("input", { type: "checkbox", checked: state.truth, onchange: () => this.change({ truth: box.checked }) });
    const title = "Lines from the image pointed at to those nearest in truth, and columns that say how far the map can be trusted";
    const see = cloud.columns.find(({ name }) => name.startsWith(TRUTH[0]) && name !== state.colour);
    const show = see && state.truth
      ? make("button", { type: "button", onclick: () => this.change({ colour: see.name, solo: [] }) }, "Colour by trust") : "";
    return make("div", { className: "vptsp-space-truth" }, make("label", { className: "vptsp-space-near", title }, box, "True neighbours when pointing"), show);
  }
}
