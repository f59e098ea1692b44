// What is shown: the answer to a query, or a grid of images without an order.

import { make } from "../../front/dom.js";
import { count } from "../../front/text.js";
import { button } from "./elements.js";
/** @import { Search } from "./search.js" */

const GRID = 36; // tiles of a grid shown at once

/** @typedef {{ title: string, rows: number[], of: string }} Grid - in place of an answer; `of` says where it is from */

/**
 * `title` and the tiles. `draw` shows what there is, `redraw` is called to do so, and `other` is the image that the open
 * list compares the query with.
 * @param {Search} search
 * @param {any} tiles
 * @param {{ redraw: () => void, other: () => number | undefined }} acts
 */
export function shownImages(search, tiles, { redraw, other }) {
  /** @type {Grid | null} */
  let grid = null;
  let most = GRID; // tiles of the grid to show
  const title = make("div", { className: "vg-title" });
  const onlyWrong = make("input", { type: "checkbox", onchange: redraw });

  function showGrid(text, rows, of) {
    [grid, most] = [{ title: text, rows, of }, GRID];
    redraw();
  }

  function showMore() {
    const first = most;
    most += GRID;
    redraw();
    tiles.focus(first);
  }

  /** `trouble`: why there is no answer to the query. */
  function draw(trouble = "") {
    let shown = null; // what was shown stays, dimmed, until the answer comes
    let more = null;
    if (grid) {
      const rows = grid.rows.slice(0, most);
      const part = rows.length < grid.rows.length;
      title.replaceChildren(grid.title + (part ? ` (the first ${count(rows.length)})` : ""));
      shown = rows.map((row) => ({ row }));
      if (part) more = button("Show more", "", showMore);
    } else if (search.result) {
      shown = answer();
      title.replaceChildren(answerTitle(shown.length));
    } else if (trouble) {
      shown = [];
      title.replaceChildren("No answer");
    }
    tiles.show(shown, search.query ? other() : undefined, more);
  }

  function answer() {
    const { rows = [], similarities = [] } = search.result ?? {};
    return rows
      .map((row, place) => ({ row, rank: place + 1, similarity: similarities[place], right: search.isRight(row) }))
      .filter((tile) => !onlyWrong.checked || tile.right === false);
  }

  function answerTitle(wrong) {
    const { rows = [], label = -1 } = search.result ?? {};
    if (!onlyWrong.checked) return "Nearest gallery images";
    if (label < 0) return "Right and wrong are not known for this query";
    return wrong ? `Wrong ones among the ${rows.length} nearest: ${wrong}` : `All of the ${rows.length} nearest are right`;
  }

  return {
    title, onlyWrong, showGrid, draw,
    /** Where the grid shown is from; "": none is. */
    get of() { return grid?.of ?? ""; },
    dropGrid() {
      grid = null;
    },
  };
}
