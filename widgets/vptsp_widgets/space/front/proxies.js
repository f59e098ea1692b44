// Proxies of the training classes: their signs on the map, which of them is pointed at, and the toggles beside the map.

import { make } from "../../front/dom.js";
import { drawSign, signElement } from "../../front/glyphs.js";
import { PROXIES } from "../../front/signs.js";
import { count } from "../../front/text.js";
/** @import { Camera } from "./camera.js" */
/** @import { Kind } from "../../front/signs.js" */
/** @import { Cloud, Proxies } from "./cloud.js" */
/** @import { Inks } from "./colours.js" */
/** @import { Scene } from "./overlay.js" */
/** @import { State } from "./state.js" */

const MOST_GLYPHS = 120; // classes whose proxies are drawn at once
/** @type {Kind[]} */
const MADE_OF = ["learned", "semantic"]; // what fused ones are

/** @typedef {{ name: string, kind: Kind, at: number[] }} Glyph - of a proxy, at [x, y] on the screen */

/** @typedef {{ name: string, at: Record<string, [number, number]>, kinds: Kind[] }} Drawn - a class, where its signs are, which are drawn */

/** The signs on the map, as drawn last. */
export class Glyphs {
  constructor() {
    /** @type {Drawn[]} */
    this.drawn = [];
    /** @type {string | null} */
    this.pointed = null; // class of the proxy under the pointer
  }

  /**
   * Draws the proxies in view; answers a note where these are not all.
   * @param {CanvasRenderingContext2D} context
   * @param {Scene} scene
   */
  draw(context, { cloud, state, camera, inks, looked }) {
    const whole = new Set(looked.looked); // classes of which all kinds are drawn
    if (this.pointed) whole.add(this.pointed);
    const { shown, classes, inView } = proxiesInView(cloud, state, camera, whole);
    this.drawn = classes;
    const dim = (name) => looked.kept && !looked.kept.has(name) && name !== this.pointed;
    const size = classes.length > 100 ? 4.5 : classes.length > 25 ? 5.5 : 6.5;
    context.strokeStyle = context.fillStyle = inks.soft;
    for (const { name, at, kinds } of classes) {
      context.globalAlpha = dim(name) ? 0.15 : 1;
      if (state.arrows && kinds.includes("fused")) {
        for (const kind of MADE_OF) {
          if (kinds.includes(kind)) drawArrow(context, at[kind], at.fused, size, whole.has(name) || classes.length <= 12);
        }
      }
    }
    for (const kind of cloud.proxies.kinds) {
      const colour = PROXIES[kind].colour[inks.dark ? "dark" : "light"];
      for (const { name, at, kinds } of classes) {
        if (!kinds.includes(kind)) continue;
        context.globalAlpha = dim(name) ? 0.2 : shown.length === cloud.proxies.kinds.length || whole.has(name) ? 1 : 0.85;
        drawSign(context, kind, at[kind][0], at[kind][1], size, colour, inks.paper);
      }
    }
    context.globalAlpha = 1;
    return inView > classes.length ? `proxies of ${count(classes.length)} of ${count(inView)} classes in view; zoom in for the others` : "";
  }

  /** The proxy {name, kind, at} whose sign is at a place of the screen, or null. */
  under(x, y) {
    let best = 9 * 9;
    /** @type {Glyph | null} */
    let found = null;
    for (const { name, at, kinds } of this.drawn) {
      for (const kind of kinds) {
        const distance = (at[kind][0] - x) ** 2 + (at[kind][1] - y) ** 2;
        if (distance < best) [best, found] = [distance, { name, kind, at: at[kind] }];
      }
    }
    return found;
  }
}

/**
 * The kinds shown of every class, and the classes in view, at most MOST_GLYPHS of all `inView`; of those in `whole`, all
 * kinds are drawn.
 * @param {Cloud} cloud
 * @param {State} state
 * @param {Camera} camera
 * @param {Set<string>} whole
 */
function proxiesInView(cloud, state, camera, whole) {
  const { kinds, names } = cloud.proxies;
  const shown = kinds.filter((kind) => state.proxies.includes(kind));
  if (!shown.length) return { shown, classes: [], inView: 0 };
  /** @type {Drawn[]} */
  let classes = [];
  names.forEach((name, number) => {
    /** @type {Record<string, [number, number]>} */
    const at = {};
    const drawn = whole.has(name) ? kinds : shown;
    let seen = false;
    for (const kind of kinds) {
      const place = 2 * (kinds.indexOf(kind) * names.length + number);
      at[kind] = camera.screen(cloud.glyphs[place], cloud.glyphs[place + 1]);
      const [x, y] = at[kind];
      seen ||= drawn.includes(kind) && x > -9 && y > -9 && x < camera.width + 9 && y < camera.height + 9;
    }
    if (seen) classes.push({ name, at, kinds: drawn });
  });
  const inView = classes.length;
  if (inView > MOST_GLYPHS) classes = classes.filter(({ name }, turn) => whole.has(name) || (turn * MOST_GLYPHS) % inView < MOST_GLYPHS);
  return { shown, classes, inView };
}

/**
 * An arrow in the context's colours, between two signs.
 * @param {CanvasRenderingContext2D} context
 */
function drawArrow(context, [x0, y0], [x1, y1], size, strong) {
  const length = Math.hypot(x1 - x0, y1 - y0);
  if (length < 2.2 * size) return; // the signs touch
  const [dx, dy] = [(x1 - x0) / length, (y1 - y0) / length];
  const [x, y] = [x1 - dx * size * 1.3, y1 - dy * size * 1.3];
  const before = context.globalAlpha;
  context.globalAlpha = before * (strong ? 0.95 : 0.42);
  context.lineWidth = strong ? 1.5 : 1;
  context.beginPath();
  context.moveTo(x0 + dx * size, y0 + dy * size);
  context.lineTo(x, y);
  context.stroke();
  context.beginPath();
  context.moveTo(x, y);
  context.lineTo(x - 7 * dx + 3 * dy, y - 7 * dy - 3 * dx);
  context.lineTo(x - 7 * dx - 3 * dy, y - 7 * dy + 3 * dx);
  context.fill();
  context.globalAlpha = before;
}

/** The toggles of kinds and arrows, with the signs explained; `change` is called with what to change in the state. */
export class ProxyToggles {
  constructor(change) {
    this.change = change;
    this.element = make("div", { className: "vptsp-space-signs" });
  }

  /**
   * @param {Proxies} proxies
   * @param {State} state
   * @param {Inks} inks
   */
  show({ kinds, names }, state, inks) {
    this.element.hidden = !kinds.length;
    if (!kinds.length) return;
    const toggle = (checked, act, ...inside) =>
      make("label", {}, make("input", { type: "checkbox", checked, onchange: (event) => act(event.target.checked) }), ...inside);
    const kindToggles = kinds.map((kind) => {
      const sign = signElement(kind, PROXIES[kind].colour[inks.dark ? "dark" : "light"], inks.paper, 20);
      const act = (on) => this.change({ proxies: kinds.filter((other) => (other === kind ? on : state.proxies.includes(other))) });
      return toggle(state.proxies.includes(kind), act, sign, PROXIES[kind].title);
    });
    const arrows = kinds.includes("fused") && kinds.length > 1
      ? toggle(state.arrows, (on) => this.change({ arrows: on }), `${MADE_OF.filter((kind) => kinds.includes(kind)).map((kind) => PROXIES[kind].letter).join(" and ")} → ${PROXIES.fused.letter}`)
      : null;
    const focused = [...this.element.querySelectorAll("input")].indexOf(/** @type {HTMLInputElement} */ (document.activeElement));
    this.element.replaceChildren(make("h4", {}, `Proxies of ${count(names.length)} training classes`), ...kindToggles, arrows ?? "");
    this.element.querySelectorAll("input")[focused]?.focus({ preventScroll: true });
  }
}
