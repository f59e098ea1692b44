// Pairs of classes that are taken for each other: a list, and the images of the pair chosen side by side.

import { Atlas } from "../../front/atlas.js";
import { bytesOf, int32 } from "../../front/bytes.js";
import { make } from "../../front/dom.js";
import { onTraits } from "../../front/model.js";
import { helpPanel, statusLine } from "../../front/status.js";
import { count, short } from "../../front/text.js";
import { onTheme } from "../../front/theme.js";

/** @typedef {Record<string, any>} Pair - of classes, as `_lists` has them */

const ORDERS = { images: "hard negatives in common", proxies: "overlap of their proxies" };
const WORDS = ["", "hard negative", "mistaken"]; // what an image of the other class is to an image

export default {
  render({ model, el }) {
    const live = model.live !== false;
    const ends = [];
    const status = statusLine(model);
    const atlas = new Atlas(model, () => atlas.refill(root));
    const pairs = () => model.get("_lists")[model.get("order")];
    /** @param {Pair} pair */
    const names = (pair) => pair.classes.map((label) => model.get("_class_names")[label]);
    const put = (name, value) => {
      model.set(name, value);
      model.save_changes();
    };

    // --- controls
    const title = make("b", { className: "vc-title", dir: "auto" });
    const order = make("select", { onchange: () => {
      if (!live) model.set("pair", 0); // the kernel does so by itself
      put("order", order.value);
    } });
    const orderLabel = make("label", {}, "by", order);
    const help = helpPanel([
      ["↑ ↓ in the list", "the pair before or after; Home and End: the first and last"],
      ["Enter on an image", "focus that image, here and in linked views"],
      ["?", "these keys"],
    ]);
    const helper = make("button", { type: "button", "aria-label": "keys", onclick: () => help.toggle() }, "?");
    const notes = make("div", { className: "vc-notes" });
    const list = make("div", { className: "vc-list", role: "listbox", "aria-label": "pairs of classes, most confused first" });
    const shown = make("section", { className: "vc-shown", "aria-label": "the pair chosen" });

    // --- the list
    let items = [];
    function drawList() {
      const all = pairs();
      const byProxies = model.get("order") === "proxies";
      const most = Math.max(1e-9, ...all.map((pair) => (byProxies ? pair.proxies : pair.toward[0] + pair.toward[1])));
      items = all.map((pair, place) => {
        const [one, other] = names(pair);
        const total = pair.toward[0] + pair.toward[1];
        const bar = make("span", { className: "vc-bar" });
        const piece = (share, kind) => {
          const span = make("i", { className: kind });
          span.style.width = `${Math.max(0, 100 * share)}%`;
          return span;
        };
        if (byProxies) bar.append(piece(pair.proxies / most, "vc-proxy"));
        else bar.append(piece(pair.mistakes / most, "vc-mistake"), piece((total - pair.mistakes) / most, "vc-hard"));
        const said = byProxies ? `cosine ${pair.proxies.toFixed(3)}` : `${pair.mistakes} mistaken, ${total} hard of ${pair.images[0] + pair.images[1]}`;
        return make(
          "div", { role: "option", className: "vc-item", tabIndex: -1, "aria-label": `${one} and ${other}: ${said}`, onclick: () => choose(place), onfocus: () => choose(place) },
          make("div", { className: "vc-names" }, make("bdi", {}, short(one, 32)), make("bdi", {}, short(other, 32))), bar, make("small", {}, said),
        );
      });
      list.replaceChildren(...items);
      markItem();
    }
    function markItem() {
      items.forEach((item, place) => {
        const mine = place === model.get("pair");
        item.setAttribute("aria-selected", String(mine));
        item.tabIndex = mine ? 0 : -1;
      });
      const item = items[model.get("pair")];
      if (!item) return;
      if (item.offsetTop < list.scrollTop) list.scrollTop = item.offsetTop - 4;
      else if (item.offsetTop + item.offsetHeight > list.scrollTop + list.clientHeight) list.scrollTop = item.offsetTop + item.offsetHeight - list.clientHeight + 4;
    }
    list.addEventListener("keydown", (event) => {
      const at = model.get("pair");
      const next = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: items.length - 1 }[event.key];
      if (next === undefined) return;
      event.preventDefault();
      event.stopPropagation();
      items[Math.min(items.length - 1, Math.max(0, next))]?.focus({ preventScroll: true });
    });
    function choose(place) {
      if (place === model.get("pair")) return;
      put("pair", place);
      // without a kernel, blocks of one page share rows only where all show the test images
      if (!live && model.get("_about").split === "test") {
        const classes = new Set(pairs()[place].classes);
        model.set("_selected", bytesOf(Int32Array.from([...int32(model.get("_labels"))].flatMap((label, row) => (classes.has(label) ? [row] : [])))));
      }
    }

    // --- the pair
    function thumb(row, kind, size, note = "") {
      const name = model.get("_class_names")[int32(model.get("_labels"))[row]];
      const alt = [name, WORDS[kind], note].filter(Boolean).join(", ");
      const picture = model.get("_about").thumbnails ? atlas.element(row, size, alt) : make("span", { className: "vc-blank", style: { width: `${size}px`, height: `${size}px` } }, short(name, 20));
      return make("button", { type: "button", className: `vc-thumb ${["", "vc-is-hard", "vc-is-mistake"][kind]}`, title: alt, "aria-label": alt, "data-row": row, onclick: () => look(row, name) }, picture);
    }
    function look(row, name) {
      if (live || model.get("_about").split === "test") put("_focused", row);
      status.say(`an image of ${name} is looked at`);
      markFocus(row);
    }
    function markFocus(row = model.get("_focused")) {
      for (const button of shown.querySelectorAll(".vc-thumb")) button.setAttribute("aria-current", String(Number(button.getAttribute("data-row")) === row));
    }
    /** @param {Pair} pair */
    function gallery(pair, side) {
      const rows = pair.galleries[side];
      const [name, other] = side ? names(pair).reverse() : names(pair);
      const total = pair.images[side];
      const text = make("p", {}, `${pair.toward[side]} of ${count(total)} images have their hard negative in `, make("bdi", {}, short(other, 40)), rows.length < total ? `; ${rows.length} of ${count(total)} shown` : "");
      return make("div", { className: "vc-side", role: "group", "aria-label": `images of ${name}` }, make("h4", {}, make("bdi", {}, name)), text, make("div", { className: "vc-thumbs" }, ...rows.map(([row, kind]) => thumb(row, kind, 58))));
    }
    /** @param {Pair} pair */
    function facts(pair) {
      const total = pair.toward[0] + pair.toward[1];
      const parts = [`${total} of ${count(pair.images[0] + pair.images[1])} images have their hard negative in the other class; ${pair.mistakes} of them are mistaken: it is nearer than every image of their own.`];
      if (pair.proxies !== null) parts.push(`Cosine of the two proxies: ${pair.proxies.toFixed(3)}.`);
      return parts.join(" ");
    }
    /** @param {Pair} pair */
    function attributes(pair) {
      if (!pair.attributes.length) return null;
      const differing = pair.attributes.filter(([, one, other]) => one !== other);
      const shared = pair.attributes.filter(([, one, other]) => one === other);
      const [one, other] = names(pair);
      const rows = differing.map(([name, a, b]) => make("tr", {}, make("th", { scope: "row" }, name), make("td", {}, a), make("td", {}, b)));
      return make(
        "div", { className: "vc-attributes" },
        differing.length
          ? make("table", {}, make("thead", {}, make("tr", {}, make("th", { scope: "col" }, "they differ in"), make("th", { scope: "col" }, make("bdi", {}, short(one, 28))), make("th", { scope: "col" }, make("bdi", {}, short(other, 28))))), make("tbody", {}, ...rows))
          : make("p", {}, "No known attribute tells them apart."),
        shared.length ? make("p", {}, `and share ${shared.map(([name, value]) => `${name} ${value}`).join(", ")}`) : null,
      );
    }
    function drawPair() {
      const pair = pairs()[model.get("pair")];
      if (!pair) return shown.replaceChildren(make("p", {}, "No two classes are confused."));
      const [one, other] = names(pair);
      const links = pair.links.map(([a, b, cosine, kind]) => make(
        "div", { className: "vc-link", role: "group", "aria-label": `cosine ${cosine.toFixed(3)}${kind ? `, ${WORDS[kind]}` : ""}` },
        make("div", { className: "vc-two" }, thumb(a, kind, 64), thumb(b, kind, 64)), make("small", {}, cosine.toFixed(3), kind ? make("span", { className: kind === 2 ? "vc-word vc-red" : "vc-word" }, WORDS[kind]) : null),
      ));
      const known = attributes(pair);
      shown.replaceChildren(
        make("h3", {}, make("bdi", {}, one), make("span", {}, pair.mistakes ? " taken for " : " beside "), make("bdi", {}, other)),
        make("p", {}, facts(pair)),
        make("h4", {}, "Most similar images of the two"), make("div", { className: "vc-links" }, ...links),
        make("div", { className: "vc-sides" }, gallery(pair, 0), gallery(pair, 1)),
        ...(known ? [known] : []),
      );
      markFocus();
    }
    const signs = make(
      "div", { className: "vc-signs" }, make("span", {}, make("i", { className: "vc-is-mistake" }), "mistaken: the other class is nearest of all"),
      make("span", {}, make("i", { className: "vc-is-hard" }), "hard negative: the other class is the nearest wrong one"),
    );
    function start() {
      const about = model.get("_about");
      title.textContent = `Confused classes of ${about.name}`;
      notes.replaceChildren(...about.notes.map((note) => make("div", {}, note)));
      const legal = Object.keys(ORDERS).filter((key) => model.get("_lists")[key].length);
      order.replaceChildren(...legal.map((key) => make("option", { value: key }, ORDERS[key])));
      order.value = model.get("order");
      orderLabel.hidden = legal.length < 2;
      drawList();
      drawPair();
    }
    const root = make(
      "div", { className: "vptsp vc", role: "group", "aria-label": "confused pairs of classes" },
      make("div", { className: "vptsp-bar" }, title, orderLabel, make("span", { className: "vc-grow" }), helper), help.table, notes,
      make("div", { className: "vc-main" }, list, make("div", { className: "vc-right" }, shown, signs)), status.line,
    );
    root.addEventListener("keydown", (event) => {
      if (event.key !== "?") return;
      help.toggle();
      event.stopPropagation();
    });
    el.append(root);
    ends.push(
      onTheme((dark) => root.classList.toggle("vptsp-dark", dark)),
      onTraits(model, {
        _about: start, _lists: start,
        order: () => {
          order.value = model.get("order");
          drawList();
          drawPair();
        },
        pair: () => {
          markItem();
          drawPair();
        },
        _focused: () => markFocus(),
      }),
      status.end, () => atlas.close(),
    );
    start();
    return () => {
      ends.forEach((end) => end());
      root.remove();
    };
  },
};
