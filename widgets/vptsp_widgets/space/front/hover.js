// Hovering: a ring around what is pointed at, and a card beside it.

import { make } from "../../front/dom.js";
import { PROXIES } from "../../front/signs.js";
import { clip } from "../../front/numbers.js";
/** @import { Cloud } from "./cloud.js" */
/** @import { Glyph } from "./proxies.js" */

/** @typedef {{ at: number[] | null, row: number }} Under - a proxy at a place, or an image */

export class Hover {
  /** @type {[number, number] | null} */ pointer;
  frame = 0;
  closed = false;
  /** @type {Under | null} */ under;

  /** The parent answers and hears:
   * - `look(x, y)`: {row, glyph} at a place of the screen, -1 and null where there is nothing;
   * - `about(row)`: what the card says of an image;
   * - `seen(row, glyph)`: what is pointed at now;
   * - `stage()`: {cloud, pictured, width, height} to place ring and card by.
   * @param {{ look: (x: number, y: number) => { row: number, glyph: Glyph | null }, about: (row: number) => (Node | string)[],
   *   seen: (row: number, glyph: Glyph | null) => void,
   *   stage: () => { cloud: Cloud, pictured: boolean, width: number, height: number } }} parent
   */
  constructor({ look, about, seen, stage }) {
    this.look = look;
    this.about = about;
    this.seen = seen;
    this.stage = stage;
    this.ring = make("div", { className: "vptsp-space-ring", hidden: true });
    this.card = make("div", { className: "vptsp-space-card", hidden: true });
    this.key = -1; // of what the card says: a row, or kind and name of a proxy
    this.under = null;
  }

  /** Shows the card of what is at `place`; once per frame, whatever the mouse sends. */
  /** @param {[number, number] | null} place */
  point(place) {
    this.pointer = place;
    if (!place) {
      this.show(-1, null);
      return;
    }
    this.frame ||= requestAnimationFrame(() => {
      this.frame = 0;
      if (!this.pointer || this.closed) return;
      const { row, glyph } = this.look(...this.pointer);
      this.show(row, glyph);
    });
  }

  /** @param {Glyph | null} glyph */
  show(row, glyph) {
    const key = glyph ? `${glyph.kind} ${glyph.name}` : row;
    if (key !== this.key) {
      this.key = key;
      if (glyph) {
        this.card.replaceChildren(
          make("div", {}, make("b", { dir: "auto" }, glyph.name), make("div", {}, `${PROXIES[glyph.kind].title} of this class`)));
      } else if (row >= 0) this.card.replaceChildren(...this.about(row));
      else this.card.replaceChildren();
    }
    this.under = glyph ? { at: glyph.at, row: -1 } : row >= 0 ? { at: null, row } : null;
    this.seen(row, glyph);
    this.place();
  }

  /** More may be known of the image pointed at, which the card says. */
  again() {
    if (!this.under || this.under.at) return;
    this.key = -1;
    this.show(this.under.row, null);
  }

  /** Ring and card beside what is pointed at, inside the map. */
  place() {
    const { under } = this;
    this.ring.hidden = this.card.hidden = !under;
    if (!under) return;
    const { cloud, pictured, width, height } = this.stage();
    const [x, y] = under.at ?? [cloud.sx[under.row], cloud.sy[under.row]];
    this.ring.style.transform = `translate(${x - 10}px, ${y - 10}px)`;
    this.ring.hidden = Boolean(pictured && !under.at);
    const [wide, high] = [this.card.offsetWidth, this.card.offsetHeight];
    const off = pictured ? 34 : 16;
    const left = x + off + wide > width ? x - off - wide : x + off;
    this.card.style.transform = `translate(${Math.max(4, left)}px, ${clip(y - high / 2, 4, Math.max(4, height - high - 4))}px)`;
  }

  close() {
    this.closed = true;
    cancelAnimationFrame(this.frame);
  }
}
