// Alpha is chosen, and the tiles say what the proxies fused by it are good for.

import { make } from "../../front/dom.js";
import { PROXIES } from "../../front/signs.js";
import { STEPS } from "./shown.js";
import { percent } from "./words_and_arrows.js";
/** @import { Shown } from "./shown.js" */

/**
 * The panel: `line` with the slider and `tiles`; `tell` shows them anew, `focus` goes to the slider.
 * @param {Shown} shown
 */
export function fusionPanel(shown) {
  const slider = make("input", {
    type: "range", min: 0, max: 1, step: 1 / STEPS, className: "va-slider", "aria-label": "alpha: share of the learned proxy",
    oninput: () => shown.setAlpha(Number(slider.value)),
  });
  const number = make("output", { className: "va-alpha" });
  const trained = make("button", { type: "button", onclick: () => shown.setAlpha(shown.parts.facts.trained) });
  const line = make(
    "div", { className: "va-fusion" },
    make("span", { className: "va-end va-semantic" }, PROXIES.semantic.title), slider, make("span", { className: "va-end va-learned" }, PROXIES.learned.title), number, trained,
  );
  const tiles = make("div", { className: "va-tiles", role: "group", "aria-label": "what these proxies are good for" });

  function tell() {
    const { parts, semantic, alpha: now } = shown;
    slider.value = now;
    slider.setAttribute("aria-valuetext", `alpha ${now.toFixed(2)}`);
    number.textContent = `α = ${now.toFixed(2)}`;
    trained.textContent = `as trained, ${parts.facts.trained}`;
    trained.disabled = Math.abs(now - parts.facts.trained) < 1e-9;
    const [score, base, other] = [parts.score(now), parts.score(1), parts.score(0)];
    const tile = (key, name, why) => make(
      "div", { className: "va-tile", title: why, "data-key": key }, make("small", {}, name), make("b", {}, percent(score[key])),
      semantic ? make("small", {}, `O alone ${percent(base[key])} · G alone ${percent(other[key])}`) : null,
    );
    tiles.replaceChildren(
      tile("accuracy", "images classified by their nearest proxy", "proxy classification: share of training images whose nearest proxy is their class's"),
      tile("recall", "proxies whose nearest image is right", "recall@1 of proxies as queries against the training images"),
      tile("map", "MAP@R, proxy to images", "mean average precision at R of proxies as queries"),
      ...(semantic ? [make("div", { className: "va-tile", title: "O is not normalised before fusion: |O| is several times |G|" }, make("small", {}, "real weight of O in q"), make("b", {}, percent(parts.meanWeight(now), 0)), make("small", {}, `α says ${percent(now, 0)}, but O is ${parts.meanLength().toFixed(1)} long and G is 1`))] : []),
    );
  }

  return { line, tiles, tell, focus: () => slider.focus() };
}
