// Two images in full size, side by side, in a window over the page.

import { make } from "../../front/dom.js";
import { bdi, button, oneLine } from "./elements.js";
/** @import { Images } from "./images.js" */
/** @import { Pictures } from "./pictures.js" */

const SMALL = 320; // pixels of a thumbnail in place of a picture

/**
 * `roles` are the names of the sides, `bar` what stands above them. `show(side, row, title, other)` shows an image by its
 * row, or `other` where it is none of these; `open` opens the window. `closed` hears that it was.
 * @param {Images} images
 * @param {Pictures} pictures
 * @param {{ label: string, roles: [string, string], bar: Element[], closed: () => void }} options
 */
export function pairWindow(images, pictures, { label, roles, bar, closed }) {
  const sides = roles.map((role) => {
    const [picture, words] = [make("div", { className: "vg-whole" }), make("figcaption", {})];
    return { role, picture, words, element: make("figure", { "aria-label": role }, picture, words) };
  });
  const element = make(
    "dialog", { className: "vg-beside", tabIndex: -1, "aria-label": label },
    make("div", { className: "vptsp-bar" }, ...bar,
      make("span", { className: "vg-grow" }), button("Close", "back to the gallery (Esc)", () => element.close())),
    make("div", { className: "vg-pair" }, ...sides.map((side) => side.element)),
  );
  element.addEventListener("click", (event) => event.target === element && element.close()); // beside the window
  element.addEventListener("close", closed);

  /** @param {number} at @param {number | undefined} row @param {(Element | string)[]} title @param {Element | null} [other] */
  function show(at, row, title, other) {
    const { role, picture, words } = sides[at];
    const large = row === undefined ? undefined : pictures.large.get(row);
    const name = row === undefined ? role : `${role}: ${oneLine(images.nameOf(row))}`;
    const shown = row === undefined ? other : large ? make("img", { src: large.url, alt: name }) : pictures.element(row, SMALL, name);
    picture.replaceChildren(...(shown ? [shown] : []));
    const note = large?.note || (pictures.live || row === undefined ? "" : "A page without a kernel holds thumbnails only.");
    words.replaceChildren(
      make("div", {}, make("b", {}, `${role} `), ...title),
      make("div", { className: "vg-soft" }, row === undefined ? "" : bdi(images.ids[row])), make("div", { className: "vg-soft" }, note));
  }

  return {
    element, show,
    open() {
      element.showModal();
      element.focus();
    },
  };
}
