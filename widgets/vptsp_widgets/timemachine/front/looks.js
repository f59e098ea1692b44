// How points look: a sign for each kind, and colours by class or by kind, in both themes.

import { make } from "../../front/dom.js";
/** @import { Choice } from "./choice.js" */
/** @import { Film } from "./film.js" */

export const KINDS = {
  learned: { title: "learned proxies", light: "#b84a08", dark: "#fb9a4b" },
  semantic: { title: "semantic proxies", light: "#8b31d6", dark: "#c79bfb" },
  fused: { title: "fused proxies", light: "#1d5fd6", dark: "#7fb1ff" },
};

/**
 * A sign of its own for each kind of point, so that colour is never all that tells them apart.
 * @param {CanvasRenderingContext2D} context
 */
export function sign(context, kind, x, y, size, colour, paper) {
  context.beginPath();
  if (kind === "learned" || kind === "train") context.arc(x, y, size * 0.8, 0, 7);
  else {
    const corners = { fused: 10, semantic: 4, test: 3 }[kind];
    for (let corner = 0; corner < corners; corner++) {
      const reach = size * (kind === "fused" ? (corner % 2 ? 0.55 : 1.25) : 1.05);
      const turn = (corner / corners) * 2 * Math.PI - Math.PI / 2;
      context.lineTo(x + Math.cos(turn) * reach, y + Math.sin(turn) * reach);
    }
    context.closePath();
  }
  if (kind === "learned") {
    context.fillStyle = paper;
    context.fill();
    context.strokeStyle = colour;
    context.lineWidth = Math.max(1.3, size * 0.32);
    context.stroke();
  } else {
    context.fillStyle = colour;
    context.fill();
    if (size > 4) {
      context.strokeStyle = paper;
      context.lineWidth = 1;
      context.stroke();
    }
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

  ink() {
    const style = getComputedStyle(this.root);
    this.inks ??= Object.fromEntries(["ink", "soft", "paper", "accent"].map((name) => [name, style.getPropertyValue(`--${name}`).trim()]));
    return this.inks;
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
    return proxy ? this.themed(KINDS[proxy.kind]) : this.ink().soft;
  }
}
