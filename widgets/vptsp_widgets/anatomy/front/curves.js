// What every alpha would give: curves of the scores, filled while nothing else happens, on which alpha is dragged.

import { clip } from "../../front/numbers.js";
import { placeIn } from "../../front/pixels.js";
import { PROXIES, SCORES } from "../../front/signs.js";
import { plot } from "./plot.js";
import { STEPS } from "./shown.js";
import { percent, write } from "./words_and_arrows.js";
/** @import { Shown } from "./shown.js" */

const CURVES = [
  { key: "accuracy", title: "accuracy", ...SCORES[0], dash: [] },
  { key: "recall", title: "recall@1", ...SCORES[1], dash: [] },
  { key: "map", title: "MAP@R", ...SCORES[2], dash: [] },
  { key: "rho", title: "ρ attributes", ...SCORES[3], dash: [5, 4] },
];

/**
 * The panel: `box` with the curves; `clear` forgets them, `fill` begins to make them. `grabbed` hears of a drag.
 * @param {Shown} shown
 */
export function alphaCurves(shown, grabbed) {
  const curve = new Map(); // step of alpha -> score
  let timer = 0;
  let area = null; // inside the axes

  /** @param {CanvasRenderingContext2D} context */
  function draw(context, width, height) {
    const { parts } = shown;
    const [soft, paper, rule, main] = ["--soft", "--paper", "--rule", "--ink"].map((name) => shown.ink(name));
    area = { left: 44, right: width - 96, top: 40, bottom: height - 40 };
    const x = (value) => area.left + value * (area.right - area.left);
    const y = (value) => area.bottom - value * (area.bottom - area.top);
    drawAxes(context, x, y, soft, rule);
    context.setLineDash([2, 3]);
    context.strokeStyle = main;
    context.beginPath();
    context.moveTo(x(parts.facts.trained), area.top);
    context.lineTo(x(parts.facts.trained), area.bottom);
    context.stroke();
    context.setLineDash([]);
    const now = shown.alpha;
    context.strokeStyle = main;
    context.lineWidth = 1.6;
    context.beginPath();
    context.moveTo(x(now), area.top - 4);
    context.lineTo(x(now), area.bottom + 4);
    context.stroke();
    const steps = [...curve.keys()].sort((a, b) => a - b);
    const score = parts.score(now);
    const names = [];
    for (const line of CURVES) {
      if (line.key === "rho" && !parts.rho.length) continue;
      context.strokeStyle = shown.colour(line);
      context.lineWidth = 2.2;
      context.setLineDash(line.dash);
      context.beginPath();
      for (const step of steps) context.lineTo(x(step / STEPS), y(clip(curve.get(step)[line.key], 0, 1)));
      context.stroke();
      context.setLineDash([]);
      context.beginPath();
      context.arc(x(now), y(clip(score[line.key], 0, 1)), 4.5, 0, 7);
      context.fillStyle = shown.colour(line);
      context.fill();
      context.strokeStyle = paper;
      context.lineWidth = 1.5;
      context.stroke();
      if (curve.has(STEPS)) names.push({ line, at: y(clip(curve.get(STEPS)[line.key], 0, 1)) });
    }
    names.sort((a, b) => a.at - b.at).forEach((one, place) => place && (one.at = Math.max(one.at, names[place - 1].at + 15)));
    context.textAlign = "left";
    context.font = "600 12px system-ui, sans-serif";
    for (const { line, at } of names) {
      context.fillStyle = shown.colour(line);
      context.fillText(line.title, area.right + 8, at);
    }
    context.font = "11px system-ui, sans-serif";
    context.textAlign = "center";
    write(context, "trained", x(parts.facts.trained), area.bottom - 9, soft, paper);
  }

  /**
   * Shares at the left, alpha below, and above what alpha amounts to.
   * @param {CanvasRenderingContext2D} context
   */
  function drawAxes(context, x, y, soft, rule) {
    context.font = "11px system-ui, sans-serif";
    context.textBaseline = "middle";
    context.lineWidth = 1;
    for (const value of [0, 0.25, 0.5, 0.75, 1]) {
      context.strokeStyle = rule;
      context.globalAlpha = 0.6;
      context.beginPath();
      context.moveTo(area.left, y(value));
      context.lineTo(area.right, y(value));
      context.stroke();
      context.globalAlpha = 1;
      context.fillStyle = soft;
      context.textAlign = "right";
      context.fillText(`${100 * value} %`, area.left - 6, y(value));
      context.textAlign = "center";
      context.fillText(String(value), x(value), area.bottom + 13);
    }
    context.fillText(`α  (0: ${PROXIES.semantic.title} alone,  1: ${PROXIES.learned.title} alone)`, (area.left + area.right) / 2, area.bottom + 29);
    context.textAlign = "left";
    context.fillText("real weight of O in q", area.left, 9);
    context.textAlign = "center";
    for (const value of [0, 0.1, 0.25, 0.5, 1]) {
      context.fillText(percent(shown.parts.meanWeight(value), 0), x(value), 26);
      context.strokeStyle = soft;
      context.beginPath();
      context.moveTo(x(value), area.top - 5);
      context.lineTo(x(value), area.top);
      context.stroke();
    }
  }

  /** @param {HTMLCanvasElement} canvas */
  function drag(event, canvas) {
    const move = (at) => {
      const share = (placeIn(canvas, at)[0] - area.left) / (area.right - area.left);
      shown.setAlpha(Math.round(clip(share, 0, 1) * STEPS) / STEPS);
    };
    move(event);
    canvas.setPointerCapture(event.pointerId);
    canvas.onpointermove = move;
    canvas.onpointerup = canvas.onpointercancel = () => (canvas.onpointermove = canvas.onpointerup = canvas.onpointercancel = null);
    event.preventDefault();
    grabbed();
  }

  /** Fills the curves a few steps at a time, coarsest first, so that nothing waits for them. */
  function fill() {
    clearTimeout(timer);
    const wanted = [100, 0, 50, ...[10, 5, 2, 1].flatMap((step) => Array.from({ length: STEPS / step + 1 }, (_, at) => at * step))].filter((step) => !curve.has(step));
    if (!wanted.length) return;
    const until = performance.now() + 14;
    for (const step of wanted) {
      if (!curve.has(step)) curve.set(step, shown.parts.score(step / STEPS));
      if (performance.now() > until) break;
    }
    stage.paint();
    timer = setTimeout(fill, 10);
  }

  function close() {
    stage.close();
    clearTimeout(timer);
  }

  const stage = plot(300, "accuracy and retrieval of fused proxies over alpha", draw, null, drag);
  stage.canvas.classList.add("va-drag");
  return { box: stage.box, paint: stage.paint, clear: () => curve.clear(), fill, close };
}
