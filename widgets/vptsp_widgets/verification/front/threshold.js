// The threshold: a line across the histograms, moved by mouse, touch and keys.

import { svg } from "../../front/dom.js";
import { clip } from "../../front/numbers.js";
import { placeIn } from "../../front/pixels.js";
import { said } from "./words.js";
/** @import { Measured } from "./measured.js" */
/** @import { Scale } from "./histogram.js" */

const STEP = 10; // bins of an arrow key; with Shift one, with Page Up and Down a hundred

/**
 * @param {SVGSVGElement} plot - which hears of the pointer: a click anywhere in it brings the line there
 * @param {(edge: number) => void} move
 */
export function thresholdLine(plot, move) {
  /** @type {Scale | null} */
  let scale = null;
  let now = 0;
  const hit = svg("rect", { class: "vv-hit", width: 32 });
  const line = svg("line", { class: "vv-line" });
  const pill = svg("rect", { class: "vv-pill", rx: 9, width: 58, height: 19, y: 1 });
  const text = svg("text", { class: "vv-value", "text-anchor": "middle", y: 15 });
  const [before, after] = [svg("text", { "text-anchor": "end", y: 15 }, "← rejected"), svg("text", { y: 15 }, "accepted →")];
  const element = svg("g", { class: "vv-threshold", role: "slider", tabindex: "0", "aria-label": "threshold", "aria-orientation": "horizontal" }, hit, line, pill, text);
  element.dataset.lmSuppressShortcuts = "true"; // JupyterLab's keys are not meant here
  const sides = svg("g", { class: "vv-sides", "aria-hidden": "true" }, before, after);

  /**
   * @param {Measured} measured
   * @param {Scale} drawn
   */
  function show(measured, edge, drawn) {
    [scale, now] = [drawn, edge];
    const at = measured.at(edge);
    const place = drawn.x(clip(edge, drawn.low, drawn.high));
    const middle = clip(place, drawn.left + 29, drawn.width - 30);
    hit.setAttribute("x", String(place - 16));
    hit.setAttribute("height", String(drawn.bottom));
    for (const [name, value] of Object.entries({ x1: place, x2: place, y1: 20, y2: drawn.bottom })) line.setAttribute(name, String(value));
    pill.setAttribute("x", String(middle - 29));
    text.setAttribute("x", String(middle));
    text.textContent = at.threshold.toFixed(3);
    before.setAttribute("x", String(middle - 36));
    after.setAttribute("x", String(middle + 36));
    before.style.display = middle - 110 < drawn.left ? "none" : "";
    after.style.display = middle + 110 > drawn.width ? "none" : "";
    const spoken = {
      "aria-valuemin": measured.cosine(drawn.low).toFixed(4), "aria-valuemax": measured.cosine(drawn.high).toFixed(4),
      "aria-valuenow": at.threshold.toFixed(4), "aria-valuetext": `${at.threshold.toFixed(3)}: ${said(at)}`,
    };
    for (const [name, value] of Object.entries(spoken)) element.setAttribute(name, value);
  }

  const to = (edge) => scale && move(clip(Math.round(edge), scale.low, scale.high));

  plot.addEventListener("pointerdown", (event) => {
    if (event.button !== 0 || !scale) return;
    plot.setPointerCapture(event.pointerId);
    to(scale.edge(placeIn(plot, event)[0]));
    element.focus({ preventScroll: true });
    event.preventDefault(); // no text is selected
  });
  plot.addEventListener("pointermove", (event) => {
    if (plot.hasPointerCapture(event.pointerId) && scale) to(scale.edge(placeIn(plot, event)[0]));
  });
  element.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || !scale) return;
    const step = event.shiftKey ? 1 : STEP;
    const next = {
      ArrowRight: now + step, ArrowUp: now + step, ArrowLeft: now - step, ArrowDown: now - step,
      PageUp: now + 10 * STEP, PageDown: now - 10 * STEP, Home: scale.low, End: scale.high,
    }[event.key];
    if (next === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    to(next);
  });
  return { parts: [sides, element], show };
}
