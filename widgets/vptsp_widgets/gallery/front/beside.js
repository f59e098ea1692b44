// The query in full size beside one of its neighbours; arrows go from neighbour to neighbour.

import { make } from "../../front/dom.js";
import { count } from "../../front/text.js";
import { bdi, button, oneLine } from "./elements.js";
/** @import { Images } from "./images.js" */
/** @import { Pictures } from "./pictures.js" */
/** @import { Search } from "./search.js" */

const SMALL = 320; // pixels of a thumbnail in place of a picture

/**
 * A window over the page. `open(place)` shows the neighbour of a rank, counted from 0; `ask` searches with an image;
 * `closed(place)` hears where one was last.
 * @param {Search} search
 * @param {Images} images
 * @param {Pictures} pictures
 * @param {{ ask: (query: { row: number }) => void, closed: (place: number) => void }} acts
 */
export function besideQuery(search, images, pictures, { ask, closed }) {
  let at = 0;
  const place = make("span", { className: "vg-rank", "aria-live": "polite" });
  const sides = ["query", "neighbour"].map((role) => {
    const [picture, words] = [make("div", { className: "vg-whole" }), make("figcaption", {})];
    return { role, picture, words, element: make("figure", { "aria-label": role }, picture, words) };
  });
  const element = make(
    "dialog", { className: "vg-beside", tabIndex: -1, "aria-label": "query and neighbour in full size" },
    make("div", { className: "vptsp-bar" },
      button("‹", "the neighbour before (←)", () => step(-1)), place, button("›", "the next neighbour (→)", () => step(1)),
      button("Search with this neighbour", "make it the query (Enter)", () => take()),
      make("span", { className: "vg-grow" }), button("Close", "back to the gallery (Esc)", () => element.close())),
    make("div", { className: "vg-pair" }, ...sides.map((side) => side.element)),
  );
  const rows = () => search.result?.rows ?? [];

  function step(by) {
    at = Math.max(0, Math.min(rows().length - 1, at + by));
    draw();
  }

  function take() {
    const row = rows()[at];
    element.close();
    ask({ row });
  }

  function draw() {
    const { query, result } = search;
    if (!element.open || !query || !result || !rows().length) return;
    const row = rows()[at];
    const right = search.isRight(row);
    place.textContent = `${count(at + 1)} of ${count(rows().length)}`;
    show(sides[0], query.row, pictures.ofQuery(query), query.row === undefined ? [] : [bdi(images.nameOf(query.row))]);
    const word = right === null ? "" : right ? " ✓ same class" : " ✗ another class";
    show(sides[1], row, null, [
      bdi(images.nameOf(row)), make("span", { className: right === null ? "" : right ? "vg-is-right" : "vg-is-wrong" }, word),
      make("span", { className: "vg-soft" }, ` rank ${count(at + 1)}, similarity ${result.similarities[at].toFixed(3)}`),
    ]);
    for (const near of [at + 1, at - 1]) if (rows()[near] !== undefined) pictures.large.get(rows()[near]); // before it is wanted
  }

  /** An image by its row; `other` is shown of a query that is none. */
  function show({ role, picture, words }, row, other, title) {
    const large = row === undefined ? undefined : pictures.large.get(row);
    const name = row === undefined ? role : `${role}: ${oneLine(images.nameOf(row))}`;
    const shown = row === undefined ? other : large ? make("img", { src: large.url, alt: name }) : pictures.element(row, SMALL, name);
    picture.replaceChildren(shown);
    const note = large?.note || (pictures.live || row === undefined ? "" : "A page without a kernel holds thumbnails only.");
    words.replaceChildren(
      make("div", {}, make("b", {}, `${role} `), ...title),
      make("div", { className: "vg-soft" }, row === undefined ? "" : bdi(images.ids[row])), make("div", { className: "vg-soft" }, note));
  }

  element.addEventListener("keydown", (event) => {
    const on = /** @type {Element} */ (event.target).matches("button");
    const by = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -1, ArrowDown: 1, Home: -Infinity, End: Infinity }[event.key];
    event.stopPropagation(); // the gallery has other uses for these keys
    if (by !== undefined) step(by);
    else if (event.key === "Enter" && !on) take();
    else return;
    event.preventDefault(); // the tile that has the focus next would take Enter for a click
  });
  element.addEventListener("click", (event) => event.target === element && element.close()); // beside the window
  element.addEventListener("close", () => closed(at));

  return {
    element, draw,
    open(/** @type {number} */ wanted) {
      at = wanted;
      element.showModal();
      element.focus();
      draw();
    },
  };
}
