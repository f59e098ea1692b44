// What lies under the points: the circle's ticks, or the sphere's grid, axes and orthant.

import { svg } from "../../front/dom.js";
import { lineElement } from "./svg_parts.js";
/** @import { Sight } from "./circle_and_sphere.js" */

/** @param {Sight} sight */
export function ticks(sight) {
  return Array.from({ length: 12 }, (_, k) => k * 30).flatMap((angle) => {
    const [cos, sin] = [Math.cos((angle * Math.PI) / 180), Math.sin((angle * Math.PI) / 180)];
    const on = (part) => ({ x: sight.middle + part * sight.radius * cos, y: sight.middle - part * sight.radius * sin });
    const tick = lineElement(on(0.975), on(1), "vptsp-sb-rim", 0);
    if (angle % 90) return [tick];
    const at = on(0.88);
    return [tick, svg("text", { x: at.x, y: at.y, class: "vptsp-sb-tick" }, `${angle}°`)];
  });
}

/** @param {Sight} sight */
export function globe(sight, orthant) {
  const around = (count, at) => Array.from({ length: count + 1 }, (_, k) => at((2 * Math.PI * k) / count));
  const circles = [
    ...[-60, -30, 0, 30, 60].map((degrees) => {
      const height = Math.sin((degrees * Math.PI) / 180), wide = Math.cos((degrees * Math.PI) / 180);
      return around(60, (angle) => [wide * Math.cos(angle), wide * Math.sin(angle), height]);
    }),
    ...[0, 30, 60, 90, 120, 150].map((degrees) => {
      const [cos, sin] = [Math.cos((degrees * Math.PI) / 180), Math.sin((degrees * Math.PI) / 180)];
      return around(60, (angle) => [Math.cos(angle) * cos, Math.cos(angle) * sin, Math.sin(angle)]);
    }),
  ];
  const paths = { near: "", far: "" };
  for (const circle of circles) {
    const seen = circle.map((at) => sight.project(at));
    for (let k = 1; k < seen.length; k++) {
      paths[seen[k].depth + seen[k - 1].depth > 0 ? "near" : "far"] += `M${seen[k - 1].x.toFixed(1)} ${seen[k - 1].y.toFixed(1)}L${seen[k].x.toFixed(1)} ${seen[k].y.toFixed(1)}`;
    }
  }
  /** @type {SVGElement[]} */
  const drawn = [
    svg("path", { d: paths.far, class: "vptsp-sb-grid vptsp-sb-far" }),
    svg("path", { d: paths.near, class: "vptsp-sb-grid" }),
  ];
  if (orthant) drawn.push(eighth(sight));
  for (const k of [0, 1, 2]) {
    const axis = [0, 1, 2].map((other) => Number(other === k));
    const tip = sight.project(axis), label = sight.project(axis.map((value) => 1.1 * value));
    const behind = tip.depth < 0;
    drawn.push(svg("circle", { cx: tip.x, cy: tip.y, r: 2.5, fill: "var(--soft)", "fill-opacity": behind ? 0.4 : 1 }));
    if (!behind) drawn.push(svg("text", { x: label.x, y: label.y, class: "vptsp-sb-tick" }, `e${"₁₂₃"[k]}`));
  }
  return drawn;
}

/**
 * The orthant of the directions without a negative coordinate.
 * @param {Sight} sight
 */
function eighth(sight) {
  const arc = (from, to) => Array.from({ length: 16 }, (_, k) => {
    const angle = (Math.PI / 2) * (k / 16);
    return from.map((value, j) => Math.cos(angle) * value + Math.sin(angle) * to[j]);
  });
  const [x, y, z] = [[1, 0, 0], [0, 1, 0], [0, 0, 1]];
  const outline = [...arc(x, y), ...arc(y, z), ...arc(z, x)].map((at) => sight.project(at));
  return svg("path", { d: `M${outline.map((at) => `${at.x.toFixed(1)} ${at.y.toFixed(1)}`).join("L")}Z`, class: "vptsp-sb-eighth" });
}
