// Where the attention of one image goes: in words, and to each prompt as bars.

import { make } from "../../front/dom.js";
import { total } from "../../front/numbers.js";
import { percent, promptName } from "./numbers.js";

/** `split` are the words, `chart` the bars. */
export function attentionBars() {
  const split = make("div", { className: "vptsp-why-split", title: "where the attention goes" });
  const bars = make("div", { className: "vptsp-why-bars" });
  const axis = make("div", { className: "vptsp-why-axis", "aria-hidden": "true" });
  const title = make("div", { className: "vptsp-why-bars-title" }, "attention to each prompt");
  const chart = make("div", { className: "vptsp-why-chart" }, title, axis, bars);

  function bar(share, prompt, most, numbered, marked, visual) {
    const said = `${promptName(prompt, visual)}: ${percent(share)} of the attention`;
    return make(
      "div", { className: `vptsp-why-bar${marked ? " vptsp-why-marked" : ""}`, role: "img", "aria-label": said, title: said },
      make("div", {}, make("span", { style: { height: `${most ? (100 * share) / most : 0}%` } })),
      numbered ? make("i", {}, String(prompt + 1)) : null,
    );
  }

  /**
   * `toPatches`: of the attention; `shares`: to each prompt, `most` the largest of both images; `rest`: what else gets.
   * @param {Float64Array} shares
   */
  function show(toPatches, shares, most, rest, pooled, marked, visual) {
    const parts = [["patches", toPatches], ["prompts", shares.length ? total(shares) : 0], [pooled === "CLS" ? "itself" : "CLS", rest]];
    split.textContent = parts.filter(([, share]) => share > 0.0005).map(([what, share]) => `${what} ${percent(share)}`).join(" · ");
    chart.hidden = !shares.length;
    axis.replaceChildren(make("span", {}, percent(most)), make("span", {}, "0"));
    bars.replaceChildren(...[...shares].map((share, prompt) => bar(share, prompt, most, shares.length <= 20, prompt === marked, visual)));
  }

  return { split, chart, show };
}
