// One class in the plane of its O and G: what q sees of the images, exactly.

import { make } from "../../front/dom.js";
import { clip } from "../../front/numbers.js";
import { count } from "../../front/text.js";
import { PROXIES } from "../../front/signs.js";
import { mostSimilarFirst } from "./parts.js";
import { plot } from "./plot.js";
import { arrow, cosine, degrees, percent, write } from "./words_and_arrows.js";
/** @import { Shown } from "./shown.js" */
/** @import { Kind } from "../../front/signs.js" */

/**
 * The panel: `title`, `signs`, `box` with the plane, `composition` and `facts`; `tell` and `paint` show them anew.
 * @param {Shown} shown
 */
export function classPlane(shown) {
  const title = make("h4", {});
  const facts = make("div", { className: "va-facts" });
  const composition = make("div", { className: "va-composition", role: "img" });
  const signs = make(
    "div", { className: "va-legend" }, make("span", {}, make("i", { className: "va-dot va-full" }), "own image, found"),
    make("span", {}, make("i", { className: "va-dot" }), "own, missed"), make("span", {}, make("b", { className: "va-cross" }, "✗"), "another class, found"), make("span", {}, make("i", { className: "va-dot va-other" }), "others"),
  );
  let dots = []; // where the images are, for the pointer
  let rank = new Int32Array(0);
  let similarity = new Float64Array(0);

  /** @param {CanvasRenderingContext2D} context */
  function draw(context, width, height) {
    const { parts, semantic, label, alpha } = shown;
    const [soft, paper, rule, main] = ["--soft", "--paper", "--rule", "--ink"].map((name) => shown.ink(name));
    const angle = parts.angle(label);
    const turn = parts.turn(label, alpha);
    const start = Math.PI / 2 + angle / 2; // O to the left, G to the right
    /** @type {(beyond: number) => [number, number]} */
    const direction = (beyond) => [Math.cos(start - beyond), Math.sin(start - beyond)];
    const points = [];
    for (let image = 0; image < parts.images; image++) {
      const [a, b] = parts.inPlane(label, image, angle);
      points.push([a * Math.cos(start) + b * Math.sin(start), a * Math.sin(start) - b * Math.cos(start)]);
    }
    let [left, far, low, high] = [-0.1, 0.1, -0.1, 0.1];
    const take = (/** @type {number[]} */ [x, y]) => ([left, far, low, high] = [Math.min(left, x), Math.max(far, x), Math.min(low, y), Math.max(high, y)]);
    for (let step = 0; step <= 12; step++) take(direction((angle * step) / 12));
    points.forEach(take);
    const [pad, top] = [34, 30];
    const scale = Math.min((width - 2 * pad) / (far - left), (height - top - 2 * pad) / (high - low));
    /** @type {(at: number[]) => [number, number]} */
    const to = ([x, y]) => [width / 2 + (x - (left + far) / 2) * scale, top + (height - top) / 2 - (y - (low + high) / 2) * scale];
    similarity = parts.similarities(label, alpha);
    const r = parts.own[label].length;
    const ranked = mostSimilarFirst(similarity);
    rank = new Int32Array(parts.images);
    ranked.forEach((image, place) => (rank[image] = place + 1));

    // everything beyond the line square to q is among its first R images
    if (r && ranked.length > r) {
      const edge = (similarity[ranked[r - 1]] + similarity[ranked[r]]) / 2;
      const [qx, qy] = direction(turn);
      const across = [qy, -qx];
      const corner = (along, beside) => to([qx * along + across[0] * beside, qy * along + across[1] * beside]);
      context.save();
      context.beginPath();
      context.rect(0, top - 2, width, height);
      context.clip();
      context.fillStyle = shown.colour(PROXIES.fused.colour);
      context.globalAlpha = 0.08;
      context.beginPath();
      for (const [along, beside] of [[edge, -4], [edge, 4], [4, 4], [4, -4]]) context.lineTo(...corner(along, beside));
      context.fill();
      context.globalAlpha = 0.9;
      context.strokeStyle = shown.colour(PROXIES.fused.colour);
      context.setLineDash([6, 4]);
      context.lineWidth = 1.2;
      context.beginPath();
      context.moveTo(...corner(edge, -4));
      context.lineTo(...corner(edge, 4));
      context.stroke();
      context.restore();
    }
    const origin = to([0, 0]);
    context.strokeStyle = rule;
    context.lineWidth = 1;
    context.beginPath();
    context.arc(...origin, scale, -start, -(start - angle)); // canvas angles turn the other way
    context.stroke();
    dots = points.map(to);
    context.fillStyle = soft;
    context.globalAlpha = 0.35;
    dots.forEach(([x, y], image) => {
      if (parts.labels[image] !== label && rank[image] > r) context.fillRect(x - 1.2, y - 1.2, 2.4, 2.4);
    });
    context.globalAlpha = 1;
    /** @type {[beyond: number, kind: Kind | "mean"][]} */
    const tips = [[0, "learned"], [angle, semantic ? "semantic" : "mean"]];
    if (semantic) tips.push([turn, "fused"]);
    for (const [beyond, kind] of tips) {
      const colour = kind === "mean" ? main : shown.colour(PROXIES[kind].colour);
      const tip = to(direction(beyond));
      context.strokeStyle = context.fillStyle = colour;
      context.lineWidth = kind === "fused" ? 3.4 : 2.2;
      arrow(context, ...origin, ...tip, kind === "fused" ? 14 : 11);
    }
    drawTelling(context, paper);
    context.font = "700 14px system-ui, sans-serif";
    context.textAlign = "center";
    context.textBaseline = "middle";
    const close = Math.min(turn, angle - turn) < 0.2;
    /** @type {[beyond: number, kind: Kind, name: string][]} */
    const names = [[0, "learned", "O"], [angle, "semantic", semantic ? "G" : "mean image"]];
    if (semantic) names.push([turn, "fused", "q"]);
    for (const [beyond, kind, name] of names) {
      const [x, y] = direction(beyond);
      const reach = 1 + (kind === "fused" && close ? 34 : 16) / scale;
      const [at, up] = to([x * reach, y * reach]);
      write(context, name, clip(at, 12, width - 12), clip(up, top + 8, height - 8), kind === "semantic" && !semantic ? main : shown.colour(PROXIES[kind].colour), paper);
    }
  }

  /**
   * The images that tell how good q is: the class's own, found or missed, and those of others among the first R.
   * @param {CanvasRenderingContext2D} context
   */
  function drawTelling(context, paper) {
    const { parts, label } = shown;
    const [right, wrong] = ["--right", "--wrong"].map((name) => shown.ink(name));
    const r = parts.own[label].length;
    for (let image = 0; image < parts.images; image++) {
      const own = parts.labels[image] === label;
      if (!own && rank[image] > r) continue;
      const [x, y] = dots[image];
      context.beginPath();
      if (own) {
        context.arc(x, y, 4.2, 0, 7);
        context.fillStyle = rank[image] <= r ? right : paper;
        context.fill();
        context.lineWidth = 1.5;
        context.strokeStyle = rank[image] <= r ? paper : right;
      } else {
        for (const [a, b] of [[-1, -1], [-1, 1]]) {
          context.moveTo(x + 3.6 * a, y + 3.6 * b);
          context.lineTo(x - 3.6 * a, y - 3.6 * b);
        }
        context.strokeStyle = wrong;
        context.lineWidth = 2;
      }
      context.stroke();
    }
  }

  function pick(x, y) {
    const { parts, label } = shown;
    let [best, hit] = [11 * 11, -1];
    const r = parts.own[label].length;
    dots.forEach(([px, py], image) => {
      const telling = parts.labels[image] === label || rank[image] <= r;
      const distance = ((px - x) ** 2 + (py - y) ** 2) * (telling ? 0.4 : 1);
      if (distance < best) [best, hit] = [distance, image];
    });
    if (hit < 0) return null;
    const text = `${shown.semantic ? "q" : "O"}: rank ${count(rank[hit])}, cosine ${cosine(similarity[hit])}`;
    return { content: () => shown.aboutImage(hit, text), act: () => shown.chooseImage(hit) };
  }

  /** Says what the plane shows, and what q is made of. */
  function tell() {
    const { parts, semantic, label, alpha } = shown;
    const [angle, turn] = [parts.angle(label), parts.turn(label, alpha)];
    title.replaceChildren(make("bdi", {}, parts.names[label]), make("small", {}, semantic ? " in the plane of its O and G" : " in the plane of its O and its mean image"));
    const long = Math.sqrt(parts.lengths[label]).toFixed(1);
    const share = parts.weight(label, alpha);
    composition.hidden = !semantic;
    composition.setAttribute("aria-label", `q is made of ${percent(share, 0)} O and ${percent(1 - share, 0)} G`);
    /** @param {Kind} kind */
    const side = (kind, part) => {
      const one = make("span", {}, part > 0.12 ? `${PROXIES[kind].letter} ${percent(part, 0)}` : "");
      Object.assign(one.style, { width: `${100 * part}%`, background: shown.colour(PROXIES[kind].colour) });
      return one;
    };
    composition.replaceChildren(side("learned", share), side("semantic", 1 - share));
    facts.textContent = semantic
      ? `O (length ${long}) and G (length 1) are ${degrees(angle)} apart; q lies ${degrees(turn)} from O and ${degrees(angle - turn)} from G. Beyond the dashed line: the ${parts.own[label].length} images nearest to q, exactly as retrieval ranks them.`
      : `O (length ${long}) is ${degrees(angle)} from the mean of its images. Beyond the dashed line: the ${parts.own[label].length} images nearest to O.`;
  }

  const stage = plot(370, "plane of the learned and the semantic proxy of the class looked at", draw, pick);
  return { title, signs, box: stage.box, composition, facts, tell, paint: stage.paint, close: stage.close };
}
