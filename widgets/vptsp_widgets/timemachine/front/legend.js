// The legend: signs, how many points of a kind there are and are shown, and boxes that leave kinds out.

import { make, penOf } from "../../front/dom.js";
import { PROXIES } from "../../front/signs.js";
import { count } from "../../front/text.js";
import { sign } from "./looks.js";
/** @import { Choice } from "./choice.js" */
/** @import { Film } from "./film.js" */
/** @import { Looks } from "./looks.js" */

const some = (shown, of, what) => (shown === of ? `${count(of)} ${what}` : `${count(shown)} of ${count(of)} ${what} shown`);

/** `switched(kind, shown)` is called when a box is ticked. */
export class Legend {
  constructor(switched) {
    this.switched = switched;
    this.element = make("div", { className: "vt-legend" });
  }

  /**
   * @param {Film} film
   * @param {Choice} choice
   * @param {Looks} looks
   */
  show(film, choice, looks) {
    const { train, test, classes, classes_of: of } = film.counts;
    const rows = film.kinds.map((kind) => [kind, PROXIES[kind].title, some(classes, of, "classes")]);
    if (train) rows.push(["train", "train probe images", count(train)]);
    if (test) rows.push(["test", "test probe images", count(test)]);
    const { paper, ink } = looks.ink();
    this.element.replaceChildren(...rows.map(([kind, title, number]) => {
      const picture = make("canvas", { width: 36, height: 36, "aria-hidden": "true" });
      const context = penOf(picture);
      context.scale(2, 2);
      const own = looks.byKind && PROXIES[kind] ? looks.themed(PROXIES[kind].colour) : ink;
      sign(context, kind, 9, 9, PROXIES[kind] ? 6 : 4.5, own, paper);
      const box = make("input", { type: "checkbox", checked: !choice.hidden.has(kind), "aria-label": title, onchange: () => this.switched(kind, box.checked) });
      return make("label", {}, box, picture, make("span", {}, title), make("small", {}, number));
    }));
  }
}

/**
 * Which part of the run is shown, and what the frame is.
 * @param {Film} film
 */
export function noteText(film, frame, hidden) {
  const { train, test, images_of: all, classes, classes_of: allClasses } = film.counts;
  const parts = [];
  const off = ["train", "test"].filter((split) => hidden.has(split)).reduce((sum, split) => sum + film.counts[split], 0);
  if (train + test - off < all) parts.push(`${some(train + test - off, all, "probe images")}.`);
  if (film.kinds.length && classes < allClasses) parts.push(`Proxies of ${some(classes, allClasses, "training classes")}.`);
  const kinds = film.kinds.filter((kind) => !hidden.has(kind));
  if (kinds.length < film.kinds.length) parts.push(`${kinds.length} of ${film.kinds.length} kinds of proxies shown.`);
  return [film.frames[frame].note, ...parts].join(" ");
}
