// One image in words and picture: what the card beside the pointer and the panel of the image focused say of it.

import { make } from "../../front/dom.js";
import { aboutNear } from "./neighbours.js";
/** @import { Scene } from "./overlay.js" */
/** @import { State } from "./state.js" */

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
      colour === cloud.columns[0].name ? null : make("div", { dir: "auto" }, `${colour}: ${cloud.text(colour, row)}`)),
  ];
}

/** The panel of the image focused, with all that is known of it. */
export class FocusPanel {
  /** @param {(changes: Partial<State>) => void} change */
  constructor(change) {
    this.change = change;
    this.element = make("div", { className: "vptsp-space-looked" });
    this.open = false; // whether all columns are listed
  }

  /** @param {Scene} scene */
  show(row, scene) {
    const { cloud } = scene;
    if (!(row >= 0 && row < cloud.size)) {
      this.element.replaceChildren(make("h4", {}, "Focus"), make("p", { className: "vptsp-space-hint" }, "Click an image, or use the arrow keys."));
      return;
    }
    const known = cloud.columns.slice(1).map(({ name }) =>
      make("tr", {}, make("th", { scope: "row", dir: "auto" }, name), make("td", { dir: "auto" }, cloud.text(name, row))));
    this.element.replaceChildren(
      make("h4", {}, "Focus"),
      make("div", { className: "vptsp-space-about" }, ...aboutImage(row, 72, scene)),
      aboutNear(scene.near, scene.state.neighbours, (neighbours) => this.change({ neighbours })),
      known.length ? make("details", { open: this.open, ontoggle: (event) => (this.open = event.target.open) },
        make("summary", {}, "All columns"), make("table", {}, ...known)) : "",
    );
  }
}
