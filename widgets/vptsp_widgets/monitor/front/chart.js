// A curve over epochs, of which single epochs can be read.

import { make, svg } from "../../front/dom.js";
import { placeIn } from "../../front/pixels.js";
import { HEIGHT, drawAxes, drawCurve, scaleOf } from "./drawing.js";

/** A curve over epochs with numbered axes; hovering or the arrow keys read single epochs. */
export class Chart {
  /** @type {(epoch: number) => number} */ x;

  constructor(title, unit, colour, form) {
    this.title = title;
    this.unit = unit;
    this.colour = colour;
    this.form = form;
    this.at = -1;
    /** @type {number[][]} */
    this.points = [];
    /** @type {number[][]} */
    this.faint = [];
    this.most = 1;
    this.readout = make("span", { className: "vptsp-readout", "aria-live": "polite" });
    this.plot = svg("svg", { role: "img", tabindex: "0", class: `vptsp-plot vptsp-${colour}` });
    this.note = make("span", { className: "vptsp-note" });
    this.heading = make("strong", {}, title);
    const head = make("div", { className: "vptsp-charthead" }, this.heading, this.readout, this.note);
    this.element = make("figure", { className: "vptsp-chart" }, head, this.plot);
    this.plot.addEventListener("pointermove", (event) => this.point(placeIn(this.plot, event)[0]));
    this.plot.addEventListener("pointerleave", () => this.mark(-1));
    this.plot.addEventListener("blur", () => this.mark(-1));
    this.plot.addEventListener("keydown", (event) => this.key(event));
    this.sizes = new ResizeObserver(() => this.draw());
    this.sizes.observe(this.element);
  }

  /** `points` are [epoch, value] and joined, `faint` likewise and drawn thin; `note` stands at the right of the title. */
  show(points, faint, most, note = "") {
    const before = this.points.length;
    this.points = points;
    this.faint = faint;
    this.most = Math.max(1, most);
    if (this.at >= points.length || before !== points.length) this.at = -1;
    this.note.textContent = note;
    this.draw();
  }

  rename(title) {
    this.title = this.heading.textContent = title;
  }

  draw() {
    const width = Math.max(240, this.element.clientWidth);
    this.plot.setAttribute("width", String(width));
    this.plot.setAttribute("height", String(HEIGHT));
    this.plot.setAttribute("aria-label", this.spoken());
    const values = [...this.points, ...this.faint].map((point) => point[1]);
    if (values.length) {
      const scale = scaleOf(values, this.most, width, this.unit === "percent");
      this.x = scale.x;
      this.plot.replaceChildren(...drawAxes(scale, this.unit), ...drawCurve(scale, this.points, this.faint, this.points[this.at]));
    } else {
      this.plot.replaceChildren(svg("text", { x: width / 2, y: HEIGHT / 2, "text-anchor": "middle" }, "no epoch is finished yet"));
    }
    this.say();
  }

  say() {
    const point = this.points[this.at] ?? this.points.at(-1);
    if (point) this.readout.textContent = `${this.form(point[1])} ${this.at >= 0 ? "at" : "after"} epoch ${point[0]}`;
    else this.readout.textContent = this.faint.length ? `${this.form(this.faint[this.faint.length - 1][1])} at the latest step` : "";
  }

  spoken() {
    if (!this.points.length) return `${this.title}: no epoch is finished yet`;
    const [first, last] = [this.points[0], this.points[this.points.length - 1]];
    return `${this.title} over epochs: ${this.form(first[1])} after epoch ${first[0]}, ${this.form(last[1])} after epoch ${last[0]}`;
  }

  point(x) {
    if (!this.points.length) return;
    const distances = this.points.map(([epoch]) => Math.abs(this.x(epoch) - x));
    this.mark(distances.indexOf(Math.min(...distances)));
  }

  key(event) {
    const last = this.points.length - 1;
    const from = this.at < 0 ? last : this.at;
    const to = { ArrowLeft: Math.max(0, from - 1), ArrowRight: Math.min(last, from + 1), Home: 0, End: last, Escape: -1 }[event.key];
    if (to === undefined || last < 0) return;
    event.preventDefault();
    event.stopPropagation();
    this.mark(to);
  }

  mark(index) {
    if (index === this.at) return;
    this.at = index;
    this.draw();
  }

  close() {
    this.sizes.disconnect();
  }
}
