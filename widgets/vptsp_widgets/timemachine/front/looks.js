// How points look: a sign for each kind, and colours by class or by kind, in both themes.

import { make } from "../../front/dom.js";
import { drawSign } from "../../front/glyphs.js";
import { PROXIES } from "../../front/signs.js";
/** @import { Choice } from "./choice.js" */
/** @import { Film } from "./film.js" */

/**
 * A sign of its own for each kind of point, so that colour is never all that tells them apart.
 * @param {CanvasRenderingContext2D} context
 */
export function sign(context, kind, x, y, size, colour, paper) {
  if (kind in PROXIES) return drawSign(context, kind, x, y, size, colour, paper);
  context.beginPath();
  if (kind === "train") context.arc(x, y, size * 0.8, 0, 7);
  else for (const turn of [0, 1, 2].map((corner) => (corner / 3) * 2 * Math.PI - Math.PI / 2)) context.lineTo(x + Math.cos(turn) * size * 1.05, y + Math.sin(turn) * size * 1.05);
  context.closePath();
  context.fillStyle = colour;
  context.fill();
  if (size > 4) {
    context.strokeStyle = paper;
    context.lineWidth = 1;
    context.stroke();
  }
}

/** The colours of a film. `choice` says which classes have trails, `root` is the element whose style has the inks. */
export class Looks {
  /** @type {Film} */ film;
  /** @type {Uint8Array} */ colours;
  /** @type {boolean} */ dark;
  /** @type {Record<string, string> | null} */ inks;

  /**
   * @param {HTMLElement} root
   * @param {Choice} choice
   */
  constructor(root, choice, changed) {
    this.root = root;
    this.choice = choice;
    this.select = make("select", { "aria-label": "Colour by", onchange: changed }, make("option", { value: "class" }, "class"), make("option", { value: "kind" }, "kind of point"));
  }

  /** @param {Film} film */
  load(film, colours) {
    this.film = film;
    this.colours = new Uint8Array(colours.buffer, colours.byteOffset, colours.byteLength);
  }

  setTheme(dark) {
    this.dark = dark;
    this.inks = null;
  }

  get byKind() {
    return this.select.value === "kind";
  }

  /** Colours of the page; kept only once the element is in it, as they have no values before. */
  ink() {
    if (this.inks) return this.inks;
    const style = getComputedStyle(this.root);
    const inks = Object.fromEntries(["ink", "soft", "paper", "accent"].map((name) => [name, style.getPropertyValue(`--${name}`).trim()]));
    if (this.root.isConnected) this.inks = inks;
    return inks;
  }

  /** The one of two colours that fits the theme. */
  themed(pair) {
    return pair[this.dark ? "dark" : "light"];
  }

  /** Colour of a class: of its own among those with trails, of the palette where there are none. */
  classColour(label) {
    const slot = this.choice.trails.indexOf(label);
    const size = this.colours.length / 2;
    const at = (this.dark ? size : 0) + 3 * (slot >= 0 ? slot : label);
    return `rgb(${this.colours.subarray(at, at + 3).join()})`;
  }

  colourOf(point) {
    const { trails } = this.choice;
    const label = this.film.classOf(point);
    const proxy = this.film.proxyOf(point);
    if (!this.byKind) return trails.length && !trails.includes(label) ? this.ink().soft : this.classColour(label);
    return proxy ? this.themed(PROXIES[proxy.kind].colour) : this.ink().soft;
  }
}
