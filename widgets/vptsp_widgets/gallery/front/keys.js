// The keyboard: what each key does, for the help and for the hands.

/** @import { Tiles } from "./tiles.js" */

/** @type {[key: string, what: string][]} */
export const KEYS = [
  ["arrows", "move through the tiles"],
  ["Enter, double click", "the tile in full size beside the query; there ← and → go on, Enter searches, Esc closes"],
  ["s, click", "search with the tile"],
  ["Space, Ctrl + click", "select the tile, for linked views"],
  ["c", "the two selected images in full size, and how they find each other"],
  ["Backspace", "back to the query before"],
  ["n / p", "next and previous query of the list"],
  ["r / m", "random query, random mistake"],
  ["/", "find a class or an image"],
  ["Esc", "clear query, list and selection"],
  ["?", "show or hide this help"],
];

/**
 * Keys go to the tiles first, and else to `shortcuts`: {key: act}; in a text box they only write.
 * @param {HTMLElement} root
 * @param {Tiles} tiles
 */
export function onKeys(root, tiles, shortcuts) {
  root.addEventListener("keydown", (event) => {
    const typing = /** @type {Element} */ (event.target).matches("input, select, textarea");
    if (event.ctrlKey || event.metaKey || event.altKey || (typing && event.key !== "Escape")) return;
    if (!tiles.onKey(event)) {
      if (!shortcuts[event.key]) return;
      shortcuts[event.key]();
    }
    event.preventDefault();
    event.stopPropagation();
  });
}
