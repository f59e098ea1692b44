// Pairs of classes that are taken for each other: a list, and the images of the pair chosen side by side.

import { make } from "../../front/dom.js";
import { onTraits } from "../../front/model.js";
import { presenter } from "../../front/presenter.js";
import { helpPanel, statusLine } from "../../front/status.js";
import { onTheme } from "../../front/theme.js";
import { pairList } from "./list.js";
import { chosenPair } from "./pair.js";
import { Pairs } from "./pairs.js";
import { thumbnails } from "./thumbs.js";

const ORDERS = { images: "hard negatives in common", proxies: "overlap of their proxies" };
/** @type {[key: string, what: string][]} */
const HELP = [
  ["↑ ↓ in the list", "the pair before or after; Home and End: the first and last"],
  ["Enter on an image", "focus that image, here and in linked views"],
  ["?", "these keys"],
];

export default {
  render({ model, el }) {
    const pairs = new Pairs(model);
    const status = statusLine(model);
    const title = make("b", { className: "vc-title", dir: "auto" });
    const order = make("select", { onchange: () => pairs.sort(order.value) });
    const orderLabel = make("label", {}, "by", order);
    const help = helpPanel(HELP);
    const present = presenter({ count: () => pairs.all.length, at: () => pairs.at, go: (at) => pairs.choose(at), title: (at) => pairs.names(pairs.all[at]).join(" and ") });
    const notes = make("div", { className: "vc-notes" });
    const list = pairList(pairs);
    const thumbs = thumbnails(pairs, () => root, status.say);
    const pair = chosenPair(pairs, thumbs);
    const signs = make(
      "div", { className: "vc-signs" }, make("span", {}, make("i", { className: "vc-is-mistake" }), "mistaken: the other class is nearest of all"),
      make("span", {}, make("i", { className: "vc-is-hard" }), "hard negative: the other class is the nearest wrong one"),
    );
    const root = make(
      "div", { className: "vptsp vc", role: "group", "aria-label": "confused pairs of classes" },
      make("div", { className: "vptsp-bar" }, title, orderLabel, make("span", { className: "vc-grow" }), help.button, present.button), help.table, notes,
      make("div", { className: "vc-main vptsp-stretch" }, list.element, make("div", { className: "vc-right" }, pair.element, signs)), status.line,
    );
    help.listen(root);
    el.append(root);

    function start() {
      const { name, notes: said } = pairs.about;
      title.textContent = `Confused classes of ${name}`;
      notes.replaceChildren(...said.map((note) => make("div", {}, note)));
      const legal = Object.keys(ORDERS).filter((key) => pairs.orders.includes(key));
      order.replaceChildren(...legal.map((key) => make("option", { value: key }, ORDERS[key])));
      orderLabel.hidden = legal.length < 2;
      show();
    }

    function show() {
      order.value = pairs.order;
      list.draw();
      pair.draw();
    }

    const ends = [
      onTheme(root),
      onTraits(model, {
        _about: start, _lists: start, order: show, _focused: pair.mark,
        pair: () => {
          list.mark();
          pair.draw();
        },
      }),
      status.end, thumbs.close,
    ];
    start();
    return () => {
      ends.forEach((end) => end());
      root.remove();
    };
  },
};
