// The tiles: an image each, with its rank and whether it is right; one of them can be reached with the tab key.

import { make } from "../../front/dom.js";
import { bdi, oneLine } from "./elements.js";
/** @import { Images } from "./images.js" */
/** @import { Pictures } from "./pictures.js" */
/** @import { Selection } from "./selection.js" */

/** @typedef {ReturnType<typeof tileList>} Tiles */

const DOUBLE = 220; // ms within which a second click makes a double one

/**
 * A list of tiles. A click goes to `ask` as a query, or to the selection; `selection` says which are picked. Enter and a
 * double click go to `look` with the place of a tile that has a rank: it stands beside the query then.
 * @param {Images} images
 * @param {Pictures} pictures
 * @param {Selection} selection
 */
export function tileList(images, pictures, selection, { ask, look }) {
  let clicked = 0; // timer of a click that may become a double one
  const element = make("ul", { className: "vg-tiles", role: "list" });
  const buttons = () => [...element.querySelectorAll("button")]; // the last may be another than a tile
  const tiles = () => [...element.querySelectorAll("button.vg-tile")];
  const rowOf = (tile) => Number(tile.dataset.row);

  /** `rank` and `similarity`: of an answer only; `right`: true, false or not known (null); `other`: to be marked. */
  function tileOf({ row, rank, similarity, right = null }, other) {
    const word = right === null ? "" : right ? ", right" : ", wrong";
    const name = oneLine(images.nameOf(row));
    const label = (rank ? `rank ${rank}, ` : "") + `${name}${word}` + (rank ? `, similarity ${similarity.toFixed(3)}` : "");
    const line = rank && make(
      "span", { className: "vg-line" },
      right === null ? null : make("span", { className: "vg-mark" }, right ? "✓" : "✗"),
      make("b", {}, String(rank)), make("span", {}, similarity.toFixed(3)),
    );
    const tile = make(
      "button",
      {
        type: "button", title: `${oneLine(images.ids[row])} (${name})`, "aria-label": label, tabIndex: -1,
        "aria-pressed": String(selection.has(row)),
        className: `vg-tile ${right === null ? "" : right ? "vg-right" : "vg-wrong"} ${other ? "vg-other" : ""}`,
        onclick(event) {
          if (event.ctrlKey || event.metaKey || event.shiftKey) selection.toggle(row);
          else if (!rank || !event.detail) ask({ row });
          else {
            clearTimeout(clicked);
            if (event.detail === 1) clicked = setTimeout(() => tile.isConnected && ask({ row }), DOUBLE);
            else look(rank - 1);
          }
        },
      },
      pictures.element(row, 92, label), line || null, make("span", { className: "vg-name" }, bdi(images.nameOf(row))),
    );
    tile.dataset.row = row;
    if (rank) tile.dataset.place = String(rank - 1);
    return make("li", {}, tile);
  }

  /** Shows tiles, then the button `more`, if any; `shown`: null leaves what there is. `other`: the row to be marked. */
  function show(shown, other, more) {
    const held = element.contains(document.activeElement);
    if (shown) {
      const built = shown.map((tile) => tileOf(tile, tile.row === other));
      if (more) built.push(make("li", {}, more));
      element.replaceChildren(...built);
    }
    const [first] = buttons();
    if (first) first.tabIndex = 0;
    if (held) first?.focus();
  }

  /** Marks those of the selection. */
  function markPicked() {
    for (const tile of tiles()) tile.setAttribute("aria-pressed", String(selection.has(rowOf(tile))));
  }

  /** Moves through the tiles or picks one; whether the key was one of these. */
  function onKey(event) {
    const all = buttons();
    const at = all.indexOf(event.target);
    const columns = Math.max(1, all.filter((tile) => tile.offsetTop === all[0].offsetTop).length);
    const move = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: columns, ArrowUp: -columns }[event.key];
    if (move !== undefined) all[at < 0 ? 0 : Math.max(0, Math.min(all.length - 1, at + move))]?.focus();
    else if (event.key === "Home" || event.key === "End") all.at(event.key === "Home" ? 0 : -1)?.focus();
    else if (event.key === " " && at >= 0 && all[at].dataset.row) selection.toggle(rowOf(all[at]));
    else if (event.key === "Enter" && all[at]?.dataset.place) look(Number(all[at].dataset.place));
    else if (event.key === "s" && all[at]?.dataset.row) ask({ row: rowOf(all[at]) });
    else return false;
    return true;
  }

  element.addEventListener("focusin", (event) => {
    for (const tile of buttons()) tile.tabIndex = tile === event.target ? 0 : -1;
  });
  return {
    element, show, markPicked, onKey, rows: () => tiles().map(rowOf), focus: (place) => buttons()[place]?.focus(),
    /** That of a rank, counted from 0. */
    focusRank: (place) => buttons().find((tile) => tile.dataset.place === String(place))?.focus(),
  };
}
