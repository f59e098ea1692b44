// Keys and what they do.

/** @type {[key: string, what: string][]} */
export const HELP = [
  ["drag, + and −", "move and zoom; 0 or a double click shows everything"],
  ["wheel", "zoom, once the map was clicked; before that, with Ctrl or ⌘"],
  ["click, Enter", "select the image pointed at or focused; with Ctrl or ⌘ add it, with Alt remove it"],
  ["Shift + drag, or L and drag", "lasso; with Ctrl or ⌘ add to the selection, with Alt remove from it"],
  ["arrows", "focus the nearest image in that direction"],
  ["drag, Shift + arrows", "turn a map in three dimensions; T: a drag moves it or turns it, with Alt the other; Home: as at first"],
  ["Esc", "clear, one thing at a time: lasso, class found, solo, filter, selection, focus"],
  ["Ctrl or ⌘ + Z", "take the last selection or tag back; with Shift, do it again"],
  ["/", "find a class"],
  ["F", "filter by any column"],
  ["K", "keep this view under a name, or open one that was kept"],
  ["P", "pictures of images when zoomed in, or none"],
  ["R", "a representative image of each class, or none"],
  ["D", "density: lines around where most images are, of those shown, of each category, of those selected"],
  ["H", "proxies as handles: another alpha, proxies moved, forces on an image"],
  ["?", "this list"],
];
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/**
 * Does what a key stands for, by one of `acts`; keys of the map itself count only where `map` has the focus.
 * @param {any} acts
 */
export function pressKey(event, map, acts) {
  if (event.target.matches("input, select") && event.key !== "Escape") return;
  const letter = event.ctrlKey || event.metaKey ? event.key.toLowerCase() : "";
  if (letter === "z") (event.shiftKey ? acts.redo : acts.undo)();
  else if (letter === "y") acts.redo();
  else if (event.key === "?") acts.help();
  else if (event.key === "Escape") acts.escape();
  else if (event.key === "/") acts.find();
  else if (event.target !== map || !pressMapKey(event, acts)) return;
  event.preventDefault();
  event.stopPropagation();
}

/**
 * Whether it was a key of the map.
 * @param {any} acts
 */
function pressMapKey(event, acts) {
  const arrow = ARROWS[event.key];
  if (arrow && event.shiftKey && acts.turnable()) acts.turn(...arrow);
  else if (arrow) acts.step(...arrow);
  else if (event.key === "Home") acts.front();
  else if (event.key === "t" || event.key === "T") acts.turning();
  else if (event.key === "Enter") acts.enter(event);
  else if (event.key === "+" || event.key === "=") acts.zoom(1.5);
  else if (event.key === "-") acts.zoom(1 / 1.5);
  else if (event.key === "0") acts.whole();
  else if (event.key === "f" || event.key === "F") acts.filter();
  else if (event.key === "p" || event.key === "P") acts.pictures();
  else if (event.key === "r" || event.key === "R") acts.examples();
  else if (event.key === "d" || event.key === "D") acts.density();
  else if (event.key === "h" || event.key === "H") acts.handles();
  else if (event.key === "k" || event.key === "K") acts.views();
  else if (event.key === "l" || event.key === "L") acts.lasso();
  else return false;
  return true;
}
