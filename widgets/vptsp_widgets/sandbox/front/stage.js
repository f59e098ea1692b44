// The stage: the points on their circle or sphere, the pairs that weigh most, and arrows down the gradient.

import { svg } from "../../front/dom.js";
import { Sight } from "./circle_and_sphere.js";
import { globe, ticks } from "./ground.js";
import { hardPairs, rowsOf } from "./losses.js";
import { FURTHEST, angles, pointElement, pointsOf, positionOf } from "./points.js";
import { arrowPath, coloured, lineElement } from "./svg_parts.js";
import { lengthOf, plus } from "./vectors.js";
/** @import { State } from "./experiment.js" */
/** @import { Result } from "./losses.js" */

export class Stage {
  /** @type {Sight} */ sight;

  /** `look(point)` is called when a point gets the keyboard's focus, `look(null)` when it loses it. */
  constructor(look) {
    this.look = look;
    this.points = []; // as pointsOf says, with their element and, once drawn, {x, y, behind} on the screen
    this.focused = null;
    this.unitGradient = 0; // the length of a full arrow
    this.element = svg("svg", { class: "vptsp-sb-stage", role: "group", "aria-label": "points on the circle or sphere" });
    this.element.dataset.lmSuppressShortcuts = "true";
    this.layers = Object.fromEntries(["under", "ink", "over"].map((name) => [name, svg("g", name === "over" ? {} : { "aria-hidden": "true" })]));
    this.ball = svg("circle", {});
    this.element.append(this.ball, this.layers.under, this.layers.ink, this.layers.over);
  }

  /**
   * After other points: their elements, one for each, which keep the keyboard's focus while everything moves.
   * @param {State} state
   */
  renew(state) {
    this.rescale();
    this.focused = null;
    this.points = pointsOf(state);
    for (const point of this.points) {
      point.element = pointElement(point, Boolean(state.semantic));
      point.element.addEventListener("focus", () => this.look((this.focused = point)));
      point.element.addEventListener("blur", () => this.look((this.focused = null)));
    }
    this.layers.over.replaceChildren(...this.points.map((point) => point.element));
  }

  /** Lets the arrows find a new scale. */
  rescale() {
    this.unitGradient = 0;
  }

  find(kind, row) {
    return this.points.find((point) => point.kind === kind && point.row === row);
  }

  /** The point at a place of the stage: those in front first, then the nearest. */
  pointAt([x, y], movable) {
    let found = null, best = 19;
    for (const point of this.points) {
      if (movable && point.kind === "fused") continue;
      const away = Math.hypot(point.x - x, point.y - y);
      const counted = away + (point.behind ? 8 : 0) - (point.kind === "samples" ? 2 : 0);
      if (away < 18 && counted < best) [found, best] = [point, counted];
    }
    return found;
  }

  /**
   * Draws all; answers the arrows' scale as `arrows` does, or null while the stage has no size.
   * @param {State} state
   * @param {Result} result
   */
  draw(state, result, orthant) {
    const side = this.element.clientWidth;
    if (!side) return null;
    this.element.setAttribute("viewBox", `0 0 ${side} ${side}`);
    this.sight = new Sight(state, side);
    this.drawGround(orthant);
    const hard = hardPairs(result.slopes);
    const rows = new Set(hard.map(({ i }) => i));
    this.placePoints(state, result, rows);
    const { drawn, scale } = this.arrows(state, result);
    this.layers.ink.replaceChildren(...this.mixtures(state, result), ...this.pairs(hard, state), ...drawn, ...this.rings(rows));
    return scale;
  }

  drawGround(orthant) {
    const { sphere, middle, radius } = this.sight;
    const ball = { cx: middle, cy: middle, r: radius, class: sphere ? "vptsp-sb-ball" : "vptsp-sb-rim", tabindex: sphere ? 0 : -1, role: sphere ? "application" : "presentation" };
    for (const [key, value] of Object.entries(ball)) this.ball.setAttribute(key, String(value));
    if (sphere) this.ball.setAttribute("aria-label", "sphere: arrow keys turn it");
    else this.ball.removeAttribute("aria-label"); // the circle does nothing, and is not named
    this.layers.under.replaceChildren(...(sphere ? globe(this.sight, orthant) : ticks(this.sight)));
  }

  /**
   * @param {State} state
   * @param {Result} result
   */
  placePoints(state, result, hardRows) {
    for (const point of this.points) {
      const at = positionOf(point, state, result), length = lengthOf(at);
      const drawn = point.kind === "proxies" && state.semantic ? Math.min(length, FURTHEST) : 1;
      point.shown = at.map((value) => (value / Math.max(length, 1e-12)) * drawn);
      const { x, y, depth } = this.sight.project(point.shown);
      Object.assign(point, { x, y, behind: this.sight.sphere && depth < -0.02 });
      point.element.setAttribute("transform", `translate(${x.toFixed(2)} ${y.toFixed(2)})${point.behind ? " scale(0.85)" : ""}`);
      point.element.classList.toggle("vptsp-sb-behind", point.behind);
      const { round, text } = angles(at);
      const label = `${point.name}${hardRows.has(point.row) && point.kind === "samples" ? ", hard" : ""}`;
      point.element.setAttribute("aria-label", label);
      point.element.setAttribute("aria-valuenow", round);
      point.element.setAttribute("aria-valuetext", text);
    }
  }

  /**
   * Spokes to the proxies that the loss sees, and the lines on which O and G mix.
   * @param {State} state
   * @param {Result} result
   */
  mixtures({ semantic, proxies }, { fused }) {
    const centre = this.sight.project(proxies[0].map(() => 0));
    return proxies.flatMap((proxy, c) => {
      const q = this.find(semantic ? "fused" : "proxies", c);
      const spoke = lineElement(centre, q, "vptsp-sb-spoke", c, q.behind);
      if (!semantic) return [spoke];
      const o = this.find("proxies", c), g = this.find("semantic", c);
      const lines = [spoke, lineElement(o, g, "vptsp-sb-mix", c, o.behind && g.behind)];
      if (lengthOf(proxy) <= FURTHEST) {
        const raw = this.sight.project(fused[c]);
        lines.push(svg("circle", { cx: raw.x, cy: raw.y, r: 3.5, style: `${coloured(c)}; fill: var(--c)`, class: q.behind ? "vptsp-sb-behind" : "" }));
      }
      return lines;
    });
  }

  /**
   * @param {any} hard
   * @param {State} state
   */
  pairs(hard, { semantic }) {
    const kind = semantic ? "fused" : "proxies";
    return hard.map(({ i, c, slope }) => {
      const sample = this.find("samples", i), proxy = this.find(kind, c);
      return lineElement(sample, proxy, `vptsp-sb-pair${slope > 0 ? " vptsp-sb-push" : ""}`, c, sample.behind || proxy.behind);
    });
  }

  rings(rows) {
    return this.points.filter((point) => point.kind === "samples" && rows.has(point.row)).map((point) =>
      svg("circle", { cx: point.x, cy: point.y, r: 12.5, class: `vptsp-sb-ring${point.behind ? " vptsp-sb-behind" : ""}` }));
  }

  /**
   * Negative gradients, all to one scale; it changes in steps of 1, 2, 5 and only when arrows no longer fit it.
   *
   * The scale says that an arrow of `length` pixels is a gradient of `gradient`; of 0 if all are zero.
   * @param {State} state
   * @param {Result} result
   */
  arrows({ semantic }, { gradients }) {
    const { sphere, radius } = this.sight;
    const lengths = this.points.map((point) => lengthOf(rowsOf(gradients, point.kind)[point.row]));
    const most = Math.max(...lengths);
    const full = 0.28 * radius;
    if (most < 1e-7) return { drawn: [], scale: { length: 0, gradient: 0 } };
    if (!(most / this.unitGradient > 0.5 && most / this.unitGradient < 1.9)) {
      const power = 10 ** Math.floor(Math.log10(most / 0.75));
      const steps = [1, 2, 5, 10].map((step) => step * power);
      this.unitGradient = steps.filter((step) => step <= most / 0.75).at(-1) ?? power;
    }
    const drawn = this.points.flatMap((point, k) => {
      const factor = full / this.unitGradient / radius;
      const tip = this.sight.project(plus(point.shown, -factor, rowsOf(gradients, point.kind)[point.row]));
      const [dx, dy] = [tip.x - point.x, tip.y - point.y];
      if (Math.hypot(dx, dy) < 1 || !lengths[k]) return [];
      // on the circle just outside its point: along the circle it would lie under the neighbours
      const out = sphere || (point.kind === "proxies" && semantic) ? 0 : point.kind === "samples" ? 15 : 20;
      const [fromX, fromY] = out ? [point.x + out * point.shown[0], point.y - out * point.shown[1]] : [point.x, point.y];
      return [svg("path", { d: arrowPath(fromX, fromY, dx, dy), class: `vptsp-sb-arrow${point.behind ? " vptsp-sb-behind" : ""}`, style: coloured(point.c) })];
    });
    const length = Math.min(full, 46);
    return { drawn, scale: { length, gradient: (this.unitGradient * length) / full } };
  }
}
