// The curves: scores over the epochs, with a playhead at the moment shown.

import { make, svg } from "../../front/dom.js";
import { SCORES } from "../../front/signs.js";
/** @import { Film } from "./film.js" */
/** @import { Looks } from "./looks.js" */

const LINES = ["", "5 3", "2 3"].map((dash, turn) => ({ ...SCORES[turn], dash })); // of the curves

export class Curves {
  /** @type {Film} */ film;
  /** @type {(epoch: number) => number} */ atX;
  /** @type {(value: number) => number} */ atY;
  /** @type {SVGGElement | undefined} */ head;

  constructor() {
    this.plot = svg("svg", { class: "vt-plot", role: "img" });
    this.keys = make("div", { className: "vt-keys" });
    this.element = make("div", {}, make("h4", {}, "Retrieval over the epochs"), this.plot, this.keys);
  }

  /** @param {Film} film */
  load(film) {
    this.film = film;
    this.element.hidden = !film.curves.length;
  }

  /**
   * The lines, as wide as there is room for.
   * @param {Looks} looks
   */
  show(moment, looks) {
    const { film } = this;
    const width = Math.max(200, this.element.clientWidth);
    const [height, left, right, top, bottom] = [168, 40, 10, 10, 34];
    const [first, last] = [film.epochs[0], film.epochs[film.times - 1]];
    this.atX = (epoch) => left + ((epoch - first) / Math.max(1e-9, last - first)) * (width - left - right);
    this.atY = (value) => height - bottom - (value / 100) * (height - top - bottom);
    const parts = [];
    for (const value of [0, 25, 50, 75, 100]) {
      parts.push(svg("line", { class: "vt-grid", x1: left, x2: width - right, y1: this.atY(value), y2: this.atY(value) }));
      if (value % 50 === 0) parts.push(svg("text", { x: left - 5, y: this.atY(value) + 4, "text-anchor": "end" }, String(value)));
    }
    const every = Math.max(1, Math.ceil(film.times / ((width - left) / 34)));
    film.epochs.forEach((epoch, time) => {
      if (time % every === 0) parts.push(svg("text", { x: this.atX(epoch), y: height - bottom + 14, "text-anchor": "middle" }, String(epoch)));
    });
    parts.push(svg("text", { x: left + (width - left - right) / 2, y: height - 4, "text-anchor": "middle" }, "epoch"));
    const middle = top + (height - top - bottom) / 2;
    parts.push(svg("text", { x: 10, y: middle, "text-anchor": "middle", transform: `rotate(-90 10 ${middle})` }, "percent"));
    film.curves.forEach(({ values }, turn) => {
      const stroke = looks.themed(LINES[turn]);
      const known = values.flatMap((value, time) => (value === null ? [] : [[film.epochs[time], value]]));
      const path = known.map(([epoch, value]) => `${this.atX(epoch).toFixed(1)},${this.atY(value).toFixed(1)}`).join(" ");
      parts.push(svg("polyline", { class: "vt-line", points: path, stroke, "stroke-dasharray": LINES[turn].dash }));
      if (known.length === 1) parts.push(svg("circle", { cx: this.atX(known[0][0]), cy: this.atY(known[0][1]), r: 3, fill: stroke }));
    });
    this.head = svg("g", { class: "vt-head" });
    this.plot.setAttribute("width", String(width));
    this.plot.setAttribute("height", String(height));
    const ends = film.curves.map(({ title, values }) => `${title}: ${values[film.times - 1] === null ? "not scored" : `${values[film.times - 1]?.toFixed(1)} %`} after epoch ${last}`);
    this.plot.setAttribute("aria-label", ends.join("; "));
    this.plot.replaceChildren(...parts, this.head);
    this.showHead(moment, looks);
  }

  /**
   * The playhead in the curves, and what they say there.
   * @param {Looks} looks
   */
  showHead(moment, looks) {
    const { film } = this;
    if (!this.head) return;
    const before = Math.floor(moment);
    const after = Math.min(before + 1, film.times - 1);
    const between = (one, other) => one + (other - one) * (moment - before);
    const x = this.atX(between(film.epochs[before], film.epochs[after]));
    /** @type {SVGElement[]} */
    const marks = [svg("line", { x1: x, x2: x, y1: this.atY(100), y2: this.atY(0) })];
    const keys = film.curves.map(({ title, note, values }, turn) => {
      const colour = looks.themed(LINES[turn]);
      const value = values[film.nearest(moment)];
      if (values[before] !== null && values[after] !== null) marks.push(svg("circle", { cx: x, cy: this.atY(between(values[before], values[after])), r: 4, fill: colour }));
      const swatch = svg("svg", { width: 22, height: 8, "aria-hidden": "true" }, svg("line", { x1: 1, x2: 21, y1: 4, y2: 4, stroke: colour, "stroke-width": 2.5, "stroke-dasharray": LINES[turn].dash }));
      return make("div", {}, swatch, make("span", {}, title, make("small", {}, note)), make("b", {}, value === null ? "–" : `${value.toFixed(1)} %`));
    });
    this.head.replaceChildren(...marks);
    this.keys.replaceChildren(...keys);
  }
}
