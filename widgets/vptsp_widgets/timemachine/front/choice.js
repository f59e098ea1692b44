// What is chosen: classes with trails, the image looked at, images selected, kinds left out. The model learns of it.

import { bytesOf, int32 } from "../../front/bytes.js";
import { count } from "../../front/text.js";
/** @import { Model } from "../../front/model.js" */
/** @import { Film } from "./film.js" */

const MOST = 7; // classes with trails, as many as there are colours that everybody can tell apart

/** `changed` is called after each change of trails, focus and selection, `say` with words for the status line. */
export class Choice {
  /** @type {Film} */ film;

  /** @param {Model} model */
  constructor(model, say, changed) {
    this.model = model;
    this.say = say;
    this.changed = changed;
    this.hidden = new Set(); // kinds of proxies and splits of images
    this.trails = []; // classes
    this.focused = -1; // an image
    this.selected = new Set(); // images
  }

  /**
   * What the model says of a film. What is left out stays so while there are the same kinds.
   * @param {Film} film
   */
  load(film) {
    if (this.film && this.film.kinds.join() !== film.kinds.join()) this.hidden.clear();
    this.film = film;
    this.readTrails();
    this.readFocus();
  }

  readTrails() {
    this.trails = [...this.model.get("_trails")];
  }

  readFocus() {
    const { imageOf } = this.film;
    this.focused = imageOf.get(this.model.get("_focused")) ?? -1;
    this.selected = new Set([...int32(this.model.get("_selected"))].map((row) => imageOf.get(row)).filter((image) => image !== undefined));
  }

  takeTrails() {
    this.readTrails();
    this.changed();
  }

  takeFocus() {
    this.readFocus();
    this.changed();
  }

  isShown(point) {
    return !this.hidden.has(this.film.kindOf(point));
  }

  showKind(kind, shown) {
    shown ? this.hidden.delete(kind) : this.hidden.add(kind);
  }

  setFocus(image) {
    push(this.model, "_focused", image < 0 ? -1 : this.film.rows[image]);
    this.focused = image; // an image that linked views do not know is looked at here alone
    this.changed();
    if (image >= 0) this.say(`${this.film.ids[image]}: ${this.film.names[this.film.labels[image]]}`);
  }

  /** To the next image shown (1) or the one before (-1). */
  stepFocus(step) {
    const shown = [...Array(this.film.images).keys()].filter((image) => this.isShown(image));
    const at = shown.indexOf(this.focused);
    if (shown.length) this.setFocus(shown[at < 0 ? (step > 0 ? 0 : shown.length - 1) : (at + step + shown.length) % shown.length]);
  }

  setSelection(images) {
    const rows = images.map((image) => this.film.rows[image]).filter((row) => row >= 0).sort((one, other) => one - other);
    push(this.model, "_selected", bytesOf(Int32Array.from(rows)));
    this.selected = new Set(images);
    this.changed();
  }

  switchSelected(image) {
    const images = new Set(this.selected);
    if (!images.delete(image)) images.add(image);
    this.setSelection([...images]);
    this.say(`${count(images.size)} selected`);
  }

  setTrails(labels) {
    this.trails = labels;
    push(this.model, "_trails", labels);
    this.changed();
  }

  switchTrail(label) {
    const name = this.film.names[label];
    if (this.trails.includes(label)) this.setTrails(this.trails.filter((other) => other !== label));
    else if (this.trails.length >= MOST) return this.say(`${MOST} classes have trails, which is as many as can be told apart: take one away first`);
    else this.setTrails([...this.trails, label]);
    this.say(this.trails.includes(label) ? `${name}: trails shown` : `${name}: trails taken away`);
  }
}

/** @param {Model} model */
export function push(model, name, value) {
  model.set(name, value);
  model.save_changes();
}
