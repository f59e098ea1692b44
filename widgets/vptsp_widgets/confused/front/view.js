// Pairs of classes that are taken for each other: a list, and the images of the pair chosen side by side.

import { make } from "../../front/dom.js";
import { onTraits } from "../../front/model.js";
import { presenter } from "../../front/presenter.js";
import { helpPanel, statusLine } from "../../front/status.js";
import { onTheme } from "../../front/theme.js";
import { pairList } from "./list.js";
import { Steps } from "./history.js";
import { chosenPair } from "./pair.js";
import { Pairs } from "./pairs.js";
import { thumbnails } from "./thumbs.js";

const ORDERS = { images: "hard negatives in common", proxies: "overlap of their proxies" };
/** @type {[key: string, what: string][]} */
const HELP = [
  ["↑ ↓ in the list", "the pair before or after; Home and End: the first and last"],
  ["Enter on an image", "focus that image, here and in linked views, beside what stands in its way"],
  ["Backspace", "back to the pair, the selection and the image before"],
  ["?", "these keys"],
];

/** What is said of an image that is looked at, and of what only a kernel can show. @param {Pairs} pairs */
function lookedAt(pairs, row, against) {
  const beside = against >= 0 ? `, beside one of ${pairs.nameOf(against)}` : "";
  const said = `an image of ${pairs.nameOf(row)} is looked at${beside}`;
  if (!pairs.shares) return `${said}; a page without a kernel links test images only`;
  return pairs.live ? said : `${said}; why they are near takes a kernel: run Workbench(run) in a notebook`;
}

export default {
  render({ model, el }) {
    const pairs = new Pairs(model);
    const status = statusLine(model);
    const title = make("b", { className: "vc-title", dir: "auto" });
    const order = make("select", { onchange: () => pairs.sort(order.value) });
    const orderLabel = make("label", {}, "by", order);
    const help = helpPanel(HELP);
    const present = presenter({ count: () => pairs.all.length, at: () => pairs.at, go: (at) => pairs.at !== at && pairs.choose(at), title: (at) => pairs.names(pairs.all[at]).join(" and ") });
    const notes = make("div", { className: "vc-notes" });
    const back = make("button", { type: "button", title: "what was chosen before (Backspace)", onclick: goBack }, "← Back");
    const buttons = () => /** @type {HTMLElement[]} */ ([...root.querySelectorAll(".vc-thumb")]);
    const steps = new Steps(pairs, {
      place: () => ({ scroll: list.element.scrollTop, thumb: buttons().findIndex((thumb) => thumb === active()) }),
      put({ scroll, thumb }) {
        list.element.scrollTop = scroll;
        (buttons()[thumb] ?? list.element.querySelector('[aria-selected="true"]'))?.focus({ preventScroll: true });
      },
      changed: () => back.setAttribute("aria-disabled", String(!steps.past.length)), // it keeps the focus of the keyboard
    });
    const list = pairList(pairs, (place, passing) => {
      steps.remember("pair", passing);
      pairs.choose(place);
    });
    const thumbs = thumbnails(pairs, () => root, (row, against) => {
      steps.remember("image");
      pairs.look(row, against);
      status.say(lookedAt(pairs, row, against));
    });
    const pair = chosenPair(pairs, thumbs);
    const signs = make(
      "div", { className: "vc-signs" }, make("span", {}, make("i", { className: "vc-is-mistake" }), "mistaken: the other class is nearest of all"),
      make("span", {}, make("i", { className: "vc-is-hard" }), "hard negative: the other class is the nearest wrong one"),
      make("span", {}, make("i", { className: "vc-is-looked" }), "looked at"), make("span", {}, make("i", { className: "vc-is-against" }), "beside it in linked views"),
    );
    const root = make(
      "div", { className: "vptsp vc", role: "group", "aria-label": "confused pairs of classes" },
      make("div", { className: "vptsp-bar" }, title, orderLabel, back, make("span", { className: "vc-grow" }), help.button, present.button), help.table, notes,
      make("div", { className: "vc-main vptsp-stretch" }, list.element, make("div", { className: "vc-right" }, pair.element, signs)), status.line,
    );
    root.addEventListener("keydown", (event) => {
      if (event.key !== "Backspace" || !goBack()) return;
      event.preventDefault();
      event.stopPropagation();
    });
    help.listen(root);
    el.append(root);

    const active = () => /** @type {Document | ShadowRoot} */ (root.getRootNode()).activeElement;

    function goBack() {
      const gone = steps.back();
      status.say(gone ? "" : "nothing was chosen before");
      return gone;
    }

    /** Other classes are there. */
    function renew() {
      steps.forget();
      start();
    }

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
        _about: start, _lists: renew, order: show, _focused: pair.mark, _against: pair.mark,
        pair: () => {
          list.mark();
          pair.draw();
        },
      }),
      status.end, thumbs.close,
    ];
    renew();
    return () => {
      ends.forEach((end) => end());
      root.remove();
    };
  },
};
