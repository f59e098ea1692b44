// Pairs on the wrong side of the threshold, as pictures beside each other.

import { Atlas } from "../../front/atlas.js";
import { bytesOf, int32 } from "../../front/bytes.js";
import { make } from "../../front/dom.js";
import { count, short } from "../../front/text.js";
/** @import { Measured } from "./measured.js" */
/** @import { Model } from "../../front/model.js" */

const SIZE = 64; // pixels of a picture
const ORDERS = { worst: "the farthest from it", nearest: "the nearest to it" };
const SIDES = [
  { kind: "impostors", title: "Other classes, accepted", order: { worst: "the most similar first", nearest: "those it accepts by least first" } },
  { kind: "genuine", title: "Same class, rejected", order: { worst: "the least similar first", nearest: "those it rejects by least first" } },
];

/**
 * @param {Model} model
 * @param {(text: string) => void} say
 */
export function mistakes(model, say) {
  const live = model.live !== false;
  const atlas = new Atlas(model, () => atlas.refill(element));
  const order = make("select", { onchange: () => put("order", order.value) }, ...Object.entries(ORDERS).map(([value, text]) => make("option", { value }, text)));
  const sides = SIDES.map(({ kind }) => ({ title: make("h4", {}), note: make("small", {}), list: make("div", { className: "vv-pairs" }), kind }));
  const element = make(
    "section", { className: "vv-mistakes vptsp-fold", "aria-label": "pairs on the wrong side of the threshold" },
    make("div", { className: "vptsp-bar" }, make("b", {}, "Pairs on the wrong side"), make("label", { hidden: !live }, "show", order), make("small", {}, "no image twice")),
    make("div", { className: "vv-sides" }, ...sides.map(({ title, note, list, kind }) => make("div", { className: `vv-side vv-of-${kind}` }, title, note, list))),
  );
  let before = "";

  function put(name, value) {
    model.set(name, value);
    model.save_changes();
  }

  /** @param {Measured} measured */
  function show(measured, edge) {
    const at = measured.at(edge);
    const chosen = live ? model.get("order") : "worst"; // which are there for any threshold
    order.value = chosen;
    const near = model.get("_near");
    const waiting = chosen === "nearest" && near.edge !== edge;
    const found = chosen === "nearest" ? near : model.get("_worst");
    const wrong = { impostors: at.accepted[1], genuine: at.total[0] - at.accepted[0] };
    element.setAttribute("aria-busy", String(waiting));
    sides.forEach(({ title, note, kind }, side) => {
      title.textContent = `${SIDES[side].title}: ${count(wrong[kind])} ${wrong[kind] === 1 ? "pair" : "pairs"}`;
      note.textContent = wrong[kind] ? SIDES[side].order[chosen] : "";
    });
    const pairs = sides.map(({ kind }) => (found[kind] ?? []).filter((pair) => waiting || (kind === "genuine") === pair[3] < edge));
    const now = JSON.stringify([pairs, model.get("_about").name]);
    if (now === before) return; // pictures stay where they are while the line moves
    before = now;
    sides.forEach(({ list }, side) => list.replaceChildren(...pairs[side].map((pair) => entry(pair, sides[side].kind))));
    mark();
  }

  function entry([one, other, cosine], kind) {
    const names = [one, other].map(nameOf);
    const text = kind === "genuine" ? [names[0]] : names;
    return make(
      "div", { className: "vv-pair", role: "group", "aria-label": `${text.join(" and ")}, cosine ${cosine.toFixed(3)}` },
      make("div", { className: "vv-two" }, thumb(one, [one, other]), thumb(other, [one, other])),
      make("small", {}, cosine.toFixed(3)),
      ...text.map((name) => make("bdi", { title: name }, name)),
    );
  }

  function nameOf(row) {
    return model.get("_class_names")[int32(model.get("_labels"))[row]];
  }

  function thumb(row, pair) {
    const name = nameOf(row);
    const blank = () => make("span", { className: "vv-blank", style: { width: `${SIZE}px`, height: `${SIZE}px` } }, short(name, 20));
    const picture = model.get("_about").thumbnails ? atlas.element(row, SIZE, name) : blank();
    const button = make("button", { type: "button", className: "vv-thumb", title: name, "aria-label": name, onclick: () => look(row, pair) }, picture);
    button.dataset.row = String(row);
    return button;
  }

  function look(row, pair) {
    // without a kernel, blocks of one page share rows only where all show the test images
    if (live || model.get("_about").split === "test") {
      model.set("_selected", bytesOf(Int32Array.from(pair).sort()));
      put("_focused", row);
    }
    say(`an image of ${nameOf(row)} is looked at, and both of the pair are selected`);
    mark(row);
  }

  function mark(row = model.get("_focused")) {
    for (const button of element.querySelectorAll("button.vv-thumb")) button.setAttribute("aria-current", String(/** @type {HTMLElement} */ (button).dataset.row === String(row)));
  }

  return { element, show, mark: () => mark(), close: () => atlas.close() };
}
