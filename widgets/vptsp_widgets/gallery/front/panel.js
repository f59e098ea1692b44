// The query's panel: its picture and name, and where the images of its class are among all.

import { make, penOf } from "../../front/dom.js";
import { count } from "../../front/text.js";
import { bdi } from "./elements.js";
/** @import { Model } from "../../front/model.js" */
/** @import { Images } from "./images.js" */
/** @import { Pictures } from "./pictures.js" */
/** @import { Query, Result } from "./requests.js" */

/**
 * Where the images of the query's class are among all, on a logarithmic line of ranks.
 * @param {HTMLCanvasElement} canvas
 */
function drawRanks(canvas, ranks, last) {
  const ratio = Math.max(2, window.devicePixelRatio || 1); // sharp also where the view is zoomed
  const [width, height] = [196, 34];
  Object.assign(canvas, { width: width * ratio, height: height * ratio });
  Object.assign(canvas.style, { width: `${width}px`, height: `${height}px` });
  const pen = penOf(canvas);
  const colour = (name) => getComputedStyle(canvas).getPropertyValue(name);
  const place = (rank) => 6 + (Math.log(rank) / Math.max(Math.log(last), 1e-9)) * (width - 14);
  pen.scale(ratio, ratio);
  pen.fillStyle = colour("--rule");
  pen.fillRect(0, 17, width, 1);
  pen.fillStyle = colour("--right");
  for (const rank of ranks) pen.fillRect(place(rank) - 1, 2, 2, 15);
  pen.fillStyle = colour("--soft");
  pen.font = "10px system-ui, sans-serif";
  for (let rank = 1; rank <= last; rank *= 10) {
    pen.fillRect(place(rank), 17, 1, 4);
    const text = rank < 1000 ? String(rank) : `${rank / 1000}k`;
    pen.textAlign = rank === 1 ? "left" : place(rank) > width - 12 ? "right" : "center";
    pen.fillText(text, place(rank) + (rank === 1 ? -2 : 0), 31);
  }
}

/**
 * A panel; `draw(query, result)` shows a query and what is known of its answer; without a query it is hidden.
 * @param {Model} model
 * @param {Images} images
 * @param {Pictures} pictures
 */
export function queryPanel(model, images, pictures) {
  const element = make("section", { className: "vg-panel", "aria-label": "query" });

  /**
   * @param {Query | null} query
   * @param {Result | null} result
   */
  function draw(query, result) {
    element.hidden = !query;
    if (!query) return;
    const facts = [];
    let heading;
    if (query.row !== undefined) {
      heading = bdi(images.nameOf(query.row));
      facts.push(make("div", { className: "vg-id vg-soft" }, bdi(images.ids[query.row])));
    } else if (query.upload) {
      heading = bdi(query.name);
      facts.push(make("div", { className: "vg-soft" }, "a file of your own; its class is not known"));
    } else if (query.text !== undefined) {
      heading = bdi(query.text);
      facts.push(make("div", { className: "vg-soft" }, "words; which class they mean is not known"));
    } else if (query.proxy) {
      heading = bdi(model.get("_proxy_names")[query.proxy[1]]);
      facts.push(make("div", { className: "vg-soft" }, "what this proxy takes its class to look like"));
      if (result && result.label < 0) facts.push(make("div", {}, "None of these images is of this class."));
    }
    if (result?.note) facts.push(make("div", { className: "vg-note" }, bdi(result.note)));
    if (result && result.label >= 0) facts.push(...factsOf(result));
    if (result?.recall) facts.push(make("div", { className: "vg-soft vg-recall" }, `an approximate search, which ${result.recall}`));
    element.replaceChildren(
      make("div", { className: "vg-query" }, pictures.ofQuery(query, Boolean(result))),
      make("div", { className: "vg-facts" }, make("div", { className: "vg-soft" }, "Query"), make("h3", {}, heading), ...facts),
    );
  }

  /** @param {Result} result */
  function factsOf({ ranks, relevant, precision }) {
    if (!relevant) return [make("div", {}, "No other image of its class is in the gallery.")];
    const some = (ranks?.slice(0, 8).map(count).join(", ") ?? "…") + (ranks && relevant > 8 ? ", …" : "");
    const strip = make("canvas", { role: "img", "aria-label": `ranks of the images of its class: ${some}` });
    const rows = [
      ["to find (R)", count(relevant)],
      ["first right image", ranks ? `rank ${count(ranks[0])}` : "…"],
      [`right in the top ${count(relevant)}`, precision === undefined ? "…" : `${(100 * precision).toFixed(0)} %`],
    ];
    requestAnimationFrame(() => strip.isConnected && drawRanks(strip, ranks ?? [], Math.max(2, images.gallery)));
    return [
      make("table", {}, ...rows.map(([what, value]) => make("tr", {}, make("th", { scope: "row" }, what), make("td", {}, value)))),
      make("div", { className: "vg-soft" }, "ranks of the right images"),
      strip,
      make("div", { className: "vg-ranks" }, some),
    ];
  }

  return { element, draw };
}
