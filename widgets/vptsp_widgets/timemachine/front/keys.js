// What keys do, in the picture and anywhere in the view.

/** @import { Choice } from "./choice.js" */
/** @import { Player } from "./player.js" */

/** @type {[key: string, what: string][]} */
export const HELP = [
  ["← →, Home, End", "epoch by epoch, to the first, to the last (on the slider and in the picture)"],
  ["Space", "play and pause"],
  ["click on a proxy", "its class gets trails, or loses them"],
  ["click on an image", "look at it here and in linked views; with Shift: select it"],
  ["↑ ↓ in the picture", "from image to image; Enter selects"],
  ["Esc", "nothing looked at, nothing selected"],
  ["?", "this list"],
];

/**
 * @param {any} event
 * @param {Player} player
 * @param {Choice} choice
 */
export function stageKey(event, player, choice) {
  if (player.key(event)) return;
  if (event.key === "ArrowDown" || event.key === "ArrowUp") choice.stepFocus(event.key === "ArrowDown" ? 1 : -1);
  else if (event.key === "Enter" && choice.focused >= 0) choice.switchSelected(choice.focused);
  else return;
  event.preventDefault();
}

/**
 * `typed` is where letters are typed, `help` shows the list of keys.
 * @param {any} event
 * @param {Player} player
 * @param {Choice} choice
 * @param {{ typed: HTMLElement, help: () => void }} others
 */
export function rootKey(event, player, choice, { typed, help }) {
  const typing = event.target === typed;
  if (event.key === "?" && !typing) help();
  else if (event.key === " " && !["BUTTON", "SELECT", "INPUT"].includes(event.target.tagName)) player.toggle();
  else if (event.key === " " && event.target === player.slider) player.toggle();
  else if (event.key === "Escape" && !typing && (choice.focused >= 0 || choice.selected.size)) {
    choice.setSelection([]);
    choice.setFocus(-1);
  } else return;
  event.preventDefault();
}
