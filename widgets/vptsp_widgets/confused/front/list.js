// The list of pairs, most confused first, to choose from.

import { make } from "../../front/dom.js";
import { short } from "../../front/text.js";
/** @import { Pair, Pairs } from "./pairs.js" */

/**
 * `draw` makes the items, `mark` shows which one is chosen. `choose(place, passing)` hears of another one, `passing` where
 * the focus of the keyboard came upon it.
 * @param {Pairs} pairs
 * @param {(place: number, passing: boolean) => void} choose
 */
export function pairList(pairs, choose) {
  const element = make("div", { className: "vc-list vptsp-fold", role: "listbox", "aria-label": "pairs of classes, most confused first" });
  /** @type {HTMLElement[]} */
  let items = [];

  function draw() {
    const byProxies = pairs.order === "proxies";
    const sizeOf = (/** @type {Pair} */ pair) => (byProxies ? pair.proxies : pair.toward[0] + pair.toward[1]);
    const most = Math.max(1e-9, ...pairs.all.map(sizeOf));
    items = pairs.all.map((pair, place) => item(pair, place, byProxies, most));
    element.replaceChildren(...items);
    mark();
  }

  /** @param {Pair} pair */
  function item(pair, place, byProxies, most) {
    const [one, other] = pairs.names(pair);
    const total = pair.toward[0] + pair.toward[1];
    const bar = make("span", { className: "vc-bar" });
    const piece = (share, kind) => make("i", { className: kind, style: { width: `${Math.max(0, 100 * share)}%` } });
    if (byProxies) bar.append(piece(pair.proxies / most, "vc-proxy"));
    else bar.append(piece(pair.mistakes / most, "vc-mistake"), piece((total - pair.mistakes) / most, "vc-hard"));
    const said = byProxies ? `cosine ${pair.proxies.toFixed(3)}` : `${pair.mistakes} mistaken, ${total} hard of ${pair.images[0] + pair.images[1]}`;
    let [pressed, done] = [false, false]; // the press of a click brings the focus before the click comes
    const press = () => (pressed = true);
    const pass = () => {
      if (place === pairs.at) return;
      done = pressed;
      choose(place, !pressed);
    };
    const click = () => {
      if (!done) choose(place, false); // the pair shown at first, too
      pressed = done = false;
    };
    return make(
      "div", { role: "option", className: "vc-item", tabIndex: -1, "aria-label": `${one} and ${other}: ${said}`, onpointerdown: press, onclick: click, onfocus: pass },
      make("div", { className: "vc-names" }, make("bdi", {}, short(one, 32)), make("bdi", {}, short(other, 32))), bar, make("small", {}, said),
    );
  }

  function mark() {
    items.forEach((item, place) => {
      const mine = place === pairs.at;
      item.setAttribute("aria-selected", String(mine));
      item.tabIndex = mine ? 0 : -1;
    });
    const item = items[pairs.at];
    if (!item) return;
    const below = item.offsetTop + item.offsetHeight;
    if (item.offsetTop < element.scrollTop) element.scrollTop = item.offsetTop - 4;
    else if (below > element.scrollTop + element.clientHeight) element.scrollTop = below - element.clientHeight + 4;
  }

  element.addEventListener("keydown", (event) => {
    const { at } = pairs;
    const next = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: items.length - 1 }[event.key];
    if (next === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    items[Math.min(items.length - 1, Math.max(0, next))]?.focus({ preventScroll: true });
  });
  return { element, draw, mark };
}
