// The query in full size beside one of its neighbours; arrows go from neighbour to neighbour.

import { make } from "../../front/dom.js";
import { count } from "../../front/text.js";
import { bdi, button } from "./elements.js";
import { pairWindow } from "./pair.js";
/** @import { Images } from "./images.js" */
/** @import { Pictures } from "./pictures.js" */
/** @import { Search } from "./search.js" */

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
  const window = pairWindow(images, pictures, {
    label: "query and neighbour in full size", roles: ["query", "neighbour"], closed: () => closed(at),
    bar: [
      button("‹", "the neighbour before (←)", () => step(-1)), place, button("›", "the next neighbour (→)", () => step(1)),
      button("Search with this neighbour", "make it the query (Enter)", () => take()),
    ],
  });
  const { element } = window;
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
    window.show(0, query.row, query.row === undefined ? [] : [bdi(images.nameOf(query.row))], pictures.ofQuery(query));
    const word = right === null ? "" : right ? " ✓ same class" : " ✗ another class";
    window.show(1, row, [
      bdi(images.nameOf(row)), make("span", { className: right === null ? "" : right ? "vg-is-right" : "vg-is-wrong" }, word),
      make("span", { className: "vg-soft" }, ` rank ${count(at + 1)}, similarity ${result.similarities[at].toFixed(3)}`),
    ]);
    for (const near of [at + 1, at - 1]) if (rows()[near] !== undefined) pictures.large.get(rows()[near]); // before it is wanted
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

  return {
    element, draw,
    open(/** @type {number} */ wanted) {
      at = wanted;
      window.open();
      draw();
    },
  };
}
