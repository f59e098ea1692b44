// What is chosen: the neighbour, the block, the head, and how much is dimmed.

import { make } from "../../front/dom.js";
import { debounced } from "../../front/timing.js";
/** @import { Model } from "../../front/model.js" */

/**
 * `elements` stand in a bar. `offer(pair)` lists what can be chosen, `show` what is.
 * @param {Model} model
 * @param {{ put: (name: string, value: any) => void, want: (wish: object) => void }} acts - set a trait; ask for a pair
 */
export function pairControls(model, { put, want }) {
  const wantLater = debounced((neighbour) => want({ query: model.get("_pair").query.row, neighbour }));
  const neighbour = make("select", { "aria-label": "neighbour", onchange: () => wantLater(Number(neighbour.value)) });
  const swap = make("button", { type: "button", title: "make the neighbour the query", onclick: () => {
    const pair = model.get("_pair");
    want({ query: pair.neighbour, neighbour: pair.query.row });
  } }, "⇄ swap");
  const mistake = make("button", { type: "button", title: "a random query whose nearest image is of another class", onclick: () => want({ mistake: true }) }, "random mistake");
  const block = make("input", { type: "range", min: 0, step: 1, oninput: () => put("block", Number(block.value)) });
  const blockText = make("output", {});
  const head = make("select", { onchange: () => put("head", Number(head.value)) });
  const opacity = make("input", { type: "range", min: 0, max: 1, step: 0.05, oninput: () => put("opacity", Number(opacity.value)) });
  const elements = [
    ...(model.live === false ? [] : [make("label", {}, "neighbour", neighbour), swap, mistake]),
    make("label", {}, "block", block, blockText), make("label", {}, "head", head), make("label", {}, "dim what it ignores", opacity),
  ];

  function offer(pair) {
    const said = (one) => `${one.rank || "–"} ${one.same ? "✓" : "✗"} ${one.similarity.toFixed(3)} ${one.class}`;
    neighbour.replaceChildren(...pair.candidates.map((one) => make("option", { value: one.row }, said(one))));
    neighbour.value = pair.neighbour;
    block.max = String(pair.shape.blocks - 1);
    const heads = [...Array(pair.shape.heads).keys()];
    head.replaceChildren(make("option", { value: -1 }, `mean of ${pair.shape.heads}`), ...heads.map((one) => make("option", { value: one }, String(one + 1))));
  }

  function show(at, one, blocks) {
    block.value = String(at);
    blockText.textContent = `${at + 1} of ${blocks}`;
    head.value = String(one);
    opacity.value = model.get("opacity");
  }

  return { elements, offer, show };
}
