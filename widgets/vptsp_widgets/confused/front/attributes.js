// What is known of two classes: in which attributes they differ, and which they share.

import { make } from "../../front/dom.js";
import { short } from "../../front/text.js";

/**
 * Null where nothing is known.
 * @param {[attribute: string, one: string, other: string][]} attributes
 * @param {string[]} names - of both classes
 */
export function attributeTable(attributes, [one, other]) {
  if (!attributes.length) return null;
  const differing = attributes.filter(([, a, b]) => a !== b);
  const shared = attributes.filter(([, a, b]) => a === b);
  const head = (...inside) => make("th", { scope: "col" }, ...inside);
  const rows = differing.map(([name, a, b]) => make("tr", {}, make("th", { scope: "row" }, name), make("td", {}, a), make("td", {}, b)));
  const heads = make("tr", {}, head("they differ in"), head(make("bdi", {}, short(one, 28))), head(make("bdi", {}, short(other, 28))));
  return make(
    "div", { className: "vc-attributes" },
    differing.length
      ? make("table", {}, make("thead", {}, heads), make("tbody", {}, ...rows))
      : make("p", {}, "No known attribute tells them apart."),
    shared.length ? make("p", {}, `and share ${shared.map(([name, value]) => `${name} ${value}`).join(", ")}`) : null,
  );
}
