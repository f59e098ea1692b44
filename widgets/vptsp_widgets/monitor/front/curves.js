// The curves of a run: its training loss, and its score on the validation images.

import { make } from "../../front/dom.js";
import { Chart } from "./chart.js";
/** @import { Model } from "../../front/model.js" */

/** @param {Model} model */
export function runCurves(model) {
  const loss = new Chart("Training loss", "loss", "orange", (value) => value.toFixed(3));
  const score = new Chart("Validation R@1", "percent", "blue", (value) => `${value.toFixed(1)} %`);
  const element = make("div", { className: "vptsp-charts" }, loss.element, score.element);

  function show() {
    const { epoch = [], loss: losses = [], judged = [], title = "R@1", live = [] } = model.get("_curves") ?? {};
    const most = Math.max(model.get("_now")?.epochs ?? 0, epoch.at(-1) ?? 0);
    const pairs = (values, scale) => epoch.map((number, index) => [number, values[index] === null ? null : values[index] * scale]).filter(([, value]) => value !== null);
    loss.show(pairs(losses, 1), live, most, live.length > 1 ? "thin: single steps" : "");
    const scored = pairs(judged, 100);
    score.rename(`Validation ${title}`);
    const best = scored.reduce((top, point) => (top === null || point[1] > top[1] ? point : top), null);
    score.show(scored, [], most, best ? `best ${best[1].toFixed(1)} % after epoch ${best[0]}` : "");
    score.element.hidden = epoch.length > 0 && !scored.length && model.get("_now")?.state !== "training";
  }

  function close() {
    loss.close();
    score.close();
  }
  return { element, show, close };
}
