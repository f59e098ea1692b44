// A canvas in its box: when it is painted, and what the pointer finds on it.

import { make, penOf } from "../../front/dom.js";
import { clip } from "../../front/numbers.js";
import { placeIn, sharpness } from "../../front/pixels.js";

/** A canvas that fits its box, redraws on demand and tells what lies under the pointer. */
export function plot(tall, label, draw, pick, choose) {
  const canvas = make("canvas", { className: "va-plot", role: "img", "aria-label": label });
  canvas.style.height = `var(--plot-room, ${tall}px)`; // on the whole screen, what is left of it
  const tip = make("div", { className: "va-tip", hidden: true });
  const box = make("div", { className: "va-stage" }, canvas, tip);
  const state = { width: 0, height: tall };
  const paint = () => {
    const ratio = sharpness(canvas);
    const [width, height] = [Math.round(box.clientWidth), Math.round(canvas.clientHeight)];
    if (!width || !height) return;
    if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) [canvas.width, canvas.height] = [Math.round(width * ratio), Math.round(height * ratio)];
    const context = penOf(canvas);
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, width, height);
    [state.width, state.height] = [width, height];
    draw(context, width, height);
  };
  const watcher = new ResizeObserver(paint);
  watcher.observe(box);
  const found = (event) => {
    return pick?.(...placeIn(canvas, event));
  };
  canvas.addEventListener("mousemove", (event) => {
    const hit = found(event);
    tip.hidden = !hit?.content;
    canvas.style.cursor = hit?.act ? "pointer" : "default";
    if (!hit?.content) return;
    tip.replaceChildren(...hit.content());
    const [x, y] = placeIn(canvas, event);
    tip.style.left = `${clip(x + 14, 4, Math.max(4, state.width - tip.offsetWidth - 4))}px`;
    tip.style.top = `${y + 18 + tip.offsetHeight < state.height ? y + 18 : Math.max(2, y - tip.offsetHeight - 12)}px`;
  });
  canvas.addEventListener("mouseleave", () => (tip.hidden = true));
  canvas.addEventListener("click", (event) => found(event)?.act?.());
  if (choose) canvas.addEventListener("pointerdown", (event) => choose(event, canvas));
  return { box, canvas, tip, paint, close: () => watcher.disconnect() };
}
