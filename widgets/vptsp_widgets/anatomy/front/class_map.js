// The map of all classes: where O and G lie among the images, and the way of q between them.

import { make } from "../../front/dom.js";
import { drawSign, signElement } from "../../front/glyphs.js";
import { clip } from "../../front/numbers.js";
import { short } from "../../front/text.js";
import { PROXIES } from "../../front/signs.js";
import { plot } from "./plot.js";
import { degrees, percent, signed, write } from "./words_and_arrows.js";
/** @import { Shown } from "./shown.js" */
/** @import { Kind } from "../../front/signs.js" */

/** @type {Kind[]} */
const KINDS = ["learned", "semantic", "fused"];
const TRAIL = 24; // pieces of a way

/** @typedef {{ label?: number, image?: number, at: number[] }} Drawn - a sign of a class, or an image */

/** Steps even on the arc where O is much longer than G: most of the way lies at small alpha. */
const trailAlpha = (share) => share ** 2.5;

/**
 * The panel: `axes` to choose, `signs` explained, and `box` with the map; `legend` and `paint` show them anew.
 * @param {Shown} shown
 */
export function classMap(shown) {
  let frame = 0;
  /** @type {Drawn[]} */
  let drawn = []; // where the map shows what, for the pointer
  const axes = make("select", { "aria-label": "axes of the map", onchange: () => ((frame = Number(axes.value)), stage.paint()) });
  axes.append(make("option", { value: 0 }, "axes of proxies and images"), make("option", { value: 1 }, "axes of the images alone"));
  const signs = make("div", { className: "va-legend" });

  /** All that the map shows, in its own units: [O, G, q] and the way from G to O of each class, and what holds them. */
  function laidOut() {
    const { parts, semantic, alpha } = shown;
    const { images } = parts.frames[frame];
    const ends = parts.names.map((_, label) => [parts.placed(frame, label, 1), parts.placed(frame, label, 0), parts.placed(frame, label, alpha)]);
    let [left, right, low, high] = [Infinity, -Infinity, Infinity, -Infinity];
    const take = (x, y) => ([left, right, low, high] = [Math.min(left, x), Math.max(right, x), Math.min(low, y), Math.max(high, y)]);
    for (let image = 0; image < parts.images; image++) take(images[2 * image], images[2 * image + 1]);
    const trails = parts.names.map((_, label) => {
      const points = semantic ? Array.from({ length: TRAIL + 1 }, (_, step) => parts.placed(frame, label, trailAlpha(step / TRAIL))) : ends[label].slice(0, 2);
      points.forEach(([x, y]) => take(x, y));
      return points;
    });
    return { ends, trails, left, right, low, high };
  }

  /** @param {CanvasRenderingContext2D} context */
  function draw(context, width, height) {
    const { parts, semantic, label: chosen } = shown;
    const [soft, paper, main] = ["--soft", "--paper", "--ink"].map((name) => shown.ink(name));
    const { images } = parts.frames[frame];
    const now = shown.alpha;
    const { ends, trails, left, right, low, high } = laidOut();
    const [pad, top] = [22, 26];
    const scale = Math.min((width - 2 * pad) / (right - left || 1), (height - 2 * pad - top) / (high - low || 1));
    /** @type {(at: number[]) => [number, number]} */
    const to = ([x, y]) => [width / 2 + (x - (left + right) / 2) * scale, top + (height - top) / 2 - (y - (low + high) / 2) * scale];
    drawn = [];
    context.fillStyle = soft;
    context.globalAlpha = 0.28;
    for (let image = 0; image < parts.images; image++) {
      const [x, y] = to([images[2 * image], images[2 * image + 1]]);
      context.fillRect(x - 1, y - 1, 2, 2);
    }
    const many = parts.classes > 100;
    const size = many ? 3.5 : parts.classes > 40 ? 4.5 : 6;
    const base = parts.score(1).precision;
    const fresh = parts.score(now).precision;
    for (const focused of [false, true]) {
      parts.names.forEach((name, label) => {
        if ((label === chosen) !== focused) return;
        const points = trails[label].map(to);
        const gain = fresh[label] - base[label];
        context.strokeStyle = focused ? main : Math.abs(gain) < 0.005 || !semantic ? soft : gain > 0 ? shown.ink("--right") : shown.ink("--wrong");
        context.globalAlpha = focused ? 1 : many ? 0.22 : 0.4;
        context.lineWidth = focused ? 2.2 : 1;
        context.beginPath();
        points.forEach(([x, y]) => context.lineTo(x, y));
        context.stroke();
        const [o, g, q] = ends[label].map(to);
        context.globalAlpha = 1;
        drawSign(context, "learned", o[0], o[1], focused ? 6 : size * 0.7, shown.colour(PROXIES.learned.colour), paper);
        if (semantic) drawSign(context, "semantic", g[0], g[1], focused ? 6 : size * 0.7, shown.colour(PROXIES.semantic.colour), paper);
        else context.fillStyle = main, context.fillRect(g[0] - 2.5, g[1] - 2.5, 5, 5);
        if (semantic) {
          if (focused || !many) {
            context.fillStyle = context.strokeStyle = focused ? main : soft;
            context.globalAlpha = focused ? 1 : 0.75;
            heads(context, (alpha) => to(parts.placed(frame, label, alpha)), now, focused ? 8 : 5);
            context.globalAlpha = 1;
          }
          drawSign(context, "fused", q[0], q[1], focused ? 8 : size, shown.colour(PROXIES.fused.colour), paper);
        }
        drawn.push({ label, at: q }, { label, at: o }, { label, at: g });
      });
    }
    context.fillStyle = main;
    for (const image of parts.own[chosen]) {
      const [x, y] = to([images[2 * image], images[2 * image + 1]]);
      context.beginPath();
      context.arc(x, y, 3.2, 0, 7);
      context.fill();
      context.strokeStyle = paper;
      context.lineWidth = 1;
      context.stroke();
      drawn.push({ image, at: [x, y] });
    }
    context.font = "600 12px system-ui, sans-serif";
    context.textBaseline = "middle";
    const [x, y] = to(ends[chosen][2]);
    const text = short(parts.names[chosen], 30);
    const half = context.measureText(text).width;
    context.textAlign = "left";
    write(context, text, x + 14 + half > width ? x - 14 - half : x + 14, clip(y - 12, 34, height - 8), main, paper);
    context.font = "11px system-ui, sans-serif";
    context.textAlign = "right";
    write(context, "principal component 1 →", width - 6, height - 8, soft, paper);
  }

  function pick(x, y) {
    let best = 13 * 13;
    let hit = /** @type {Drawn | null} */ (null);
    for (const one of drawn) {
      const distance = (one.at[0] - x) ** 2 + (one.at[1] - y) ** 2;
      if (distance < best) [best, hit] = [distance, one];
    }
    if (!hit) return null;
    const { image, label } = hit;
    if (image !== undefined) return { content: () => shown.aboutImage(image), act: () => shown.chooseImage(image) };
    return { content: () => aboutClass(label), act: () => shown.chooseClass(label) };
  }

  function aboutClass(label) {
    const { parts } = shown;
    const gain = parts.score(shown.alpha).precision[label] - parts.score(1).precision[label];
    const line = shown.semantic
      ? `AP@R ${signed(gain)} points against O alone; O and G ${degrees(parts.angle(label))} apart`
      : `AP@R ${percent(parts.score(1).precision[label])}`;
    return [make("div", {}, make("b", { dir: "auto" }, parts.names[label]), make("div", {}, line))];
  }

  function legend() {
    /** @param {Kind} kind */
    const entry = (kind) => {
      const sign = signElement(kind, shown.colour(PROXIES[kind].colour), shown.ink("--paper"), 16);
      return make("span", {}, sign, PROXIES[kind].title);
    };
    const words = shown.semantic
      ? [...KINDS.map(entry), make("span", {}, make("i", { className: "va-helped" }), "semantics help"), make("span", {}, make("i", { className: "va-hurt" }), "hurt")]
      : [entry("learned"), make("span", {}, "■ mean of the class's images")];
    signs.replaceChildren(...words);
  }

  const stage = plot(430, "map of all classes: learned and semantic proxies, and the fused one between them", draw, pick);
  return { axes, signs, box: stage.box, legend, paint: stage.paint, close: stage.close };
}

/**
 * Arrowheads on a way just before where it is `now`, from both sides; `at` tells where it is at an alpha.
 * @param {CanvasRenderingContext2D} context
 */
function heads(context, at, now, size) {
  for (const side of [-1, 1]) {
    const end = at(now);
    for (let reach = 0.02; reach <= 1; reach += 0.02) {
      const other = clip(now + side * reach, 0, 1);
      const start = at(other);
      const length = Math.hypot(start[0] - end[0], start[1] - end[1]);
      if (length > size * 2.6) {
        const [dx, dy] = [(end[0] - start[0]) / length, (end[1] - start[1]) / length];
        /** @type {[number, number]} */
        const tip = [end[0] - dx * size, end[1] - dy * size];
        context.beginPath();
        context.moveTo(...tip);
        context.lineTo(tip[0] - dx * size - dy * size * 0.5, tip[1] - dy * size + dx * size * 0.5);
        context.lineTo(tip[0] - dx * size + dy * size * 0.5, tip[1] - dy * size - dx * size * 0.5);
        context.fill();
        break;
      }
      if (other === 0 || other === 1) break;
    }
  }
}
