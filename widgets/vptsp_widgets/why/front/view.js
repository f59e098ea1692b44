// Query and neighbour with attention over both, and what single prompts do to their similarity.

import { float32 } from "../../front/bytes.js";
import { make, penOf } from "../../front/dom.js";
import { onTraits } from "../../front/model.js";
import { total } from "../../front/numbers.js";
import { helpPanel, statusLine } from "../../front/status.js";
import { onTheme } from "../../front/theme.js";
import { debounced } from "../../front/timing.js";
/** @import { Message, Model } from "../../front/model.js" */

const SIDES = ["query", "neighbour"];

/**
 * Views on the numbers of the pair shown.
 * @param {Model} model
 */
function numbersOf(model) {
  const pair = model.get("_pair");
  const { blocks, heads, grid } = pair.shape;
  const [height, width] = grid;
  const patches = float32(model.get("_patches"));
  const prompts = float32(model.get("_prompts"));
  const cells = height * width;
  const over = (values, length, side, block, head) => {
    const sum = new Float64Array(length);
    const chosen = head < 0 ? [...Array(heads).keys()] : [head];
    for (const one of chosen) {
      const start = ((side * blocks + block) * heads + one) * length;
      for (let i = 0; i < length; i++) sum[i] += values[start + i] / chosen.length;
    }
    return sum;
  };
  return {
    pair, blocks, heads, height, width,
    patches: (side, block, head) => over(patches, cells, side, block, head),
    prompts: (side, block, head) => over(prompts, pair.prompts, side, block, head).filter((share) => !Number.isNaN(share)),
    effects: float32(model.get("_effects")),
  };
}

const percent = (share) => `${(100 * share).toFixed(share < 0.0995 ? 1 : 0)} %`;
/** Three digits of the largest value of the pair, for all of its values. */
const decimals = (most) => (most ? Math.min(8, Math.max(3, 2 - Math.floor(Math.log10(most)))) : 3);

/** One image: the picture, dark where the model does not look, and the attention to prompts as bars. */
function sideView(index, say, where) {
  const role = SIDES[index];
  const canvas = make("canvas", { width: 640, height: 640, tabIndex: 0, role: "img", className: "vptsp-why-picture" });
  const name = make("div", { className: "vptsp-why-name" });
  const mark = make("span", {});
  const file = make("div", { className: "vptsp-why-file" });
  const split = make("div", { className: "vptsp-why-split", title: "where the attention goes" });
  const bars = make("div", { className: "vptsp-why-bars" });
  const axis = make("div", { className: "vptsp-why-axis", "aria-hidden": "true" });
  const chart = make("div", { className: "vptsp-why-chart" }, axis, bars);
  const root = make(
    "section", { className: "vptsp-why-side", "aria-label": role },
    make("div", { className: "vptsp-why-role" }, role, mark), name,
    canvas, file, split, chart,
  );
  const image = new Image();
  const state = { weights: new Float32Array(0), width: 1, height: 1, most: 1, opacity: 0, cursor: -1, loaded: false };

  function draw() {
    const context = penOf(canvas);
    context.clearRect(0, 0, 640, 640);
    context.imageSmoothingQuality = "high";
    if (state.loaded) context.drawImage(image, 0, 0, 640, 640);
    const veil = new ImageData(state.width, state.height);
    state.weights.forEach((weight, cell) => (veil.data[4 * cell + 3] = 255 * state.opacity * (1 - Math.sqrt(weight / state.most))));
    const small = make("canvas", { width: state.width, height: state.height });
    penOf(small).putImageData(veil, 0, 0);
    context.drawImage(small, 0, 0, 640, 640);
    if (state.cursor >= 0) {
      const [w, h] = [640 / state.width, 640 / state.height];
      const [x, y] = [(state.cursor % state.width) * w, Math.floor(state.cursor / state.width) * h];
      for (const { colour, inset } of [{ colour: "#000", inset: 1 }, { colour: "#fff", inset: 4 }]) {
        context.strokeStyle = colour;
        context.lineWidth = 3;
        context.strokeRect(x + inset, y + inset, w - 2 * inset, h - 2 * inset);
      }
    }
  }
  function point(cell) {
    if (cell === state.cursor) return;
    state.cursor = cell;
    draw();
    if (cell >= 0) {
      const row = Math.floor(cell / state.width) + 1;
      say(`${role}, patch in row ${row}, column ${(cell % state.width) + 1}: ${percent(state.weights[cell])} of the attention, ${where()}`);
    }
  }
  image.onload = () => {
    state.loaded = true;
    draw();
  };
  canvas.addEventListener("mousemove", (event) => {
    const box = canvas.getBoundingClientRect();
    const column = Math.floor(((event.clientX - box.left) / box.width) * state.width);
    const row = Math.floor(((event.clientY - box.top) / box.height) * state.height);
    const inside = column >= 0 && row >= 0 && column < state.width && row < state.height;
    point(inside ? row * state.width + column : -1);
  });
  canvas.addEventListener("mouseleave", () => point(-1));
  canvas.addEventListener("blur", () => point(-1));
  canvas.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -state.width, ArrowDown: state.width }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    const next = state.cursor < 0 ? 0 : state.cursor + step;
    const wraps = Math.abs(step) === 1 && Math.floor(next / state.width) !== Math.floor(Math.max(state.cursor, 0) / state.width);
    if (next >= 0 && next < state.weights.length && !wraps) point(next);
  });

  let url = "";
  return {
    root,
    picture(bytes) {
      if (url) URL.revokeObjectURL(url);
      url = URL.createObjectURL(new Blob([bytes], { type: "image/jpeg" }));
      state.loaded = false;
      image.src = url;
    },
    title(info, compared) {
      name.textContent = info.class;
      file.textContent = info.id;
      file.title = info.id;
      name.title = info.class;
      mark.className = info.same ? "vptsp-why-right" : "vptsp-why-wrong";
      mark.textContent = !compared ? "" : info.same ? " ✓ same class" : " ✗ another class";
      canvas.setAttribute("aria-label", `${role} of class ${info.class}; arrows read the attention patch by patch`);
    },
    /** `shares`: attention to each prompt; `most`: largest one of both images. */
    show(weights, grid, mostPatch, opacity, shares, mostPrompt, rest, pooled, marked) {
      Object.assign(state, { weights, width: grid[1], height: grid[0], most: mostPatch || 1, opacity });
      if (state.cursor >= weights.length) state.cursor = -1;
      draw();
      const toPrompts = total(shares);
      const shareOf = [["patches", total(weights)], ["prompts", shares.length ? toPrompts : 0], [pooled === "CLS" ? "itself" : "CLS", rest]];
      split.textContent = shareOf.filter(([, share]) => share > 0.0005).map(([what, share]) => `${what} ${percent(share)}`).join(" · ");
      chart.hidden = !shares.length;
      axis.replaceChildren(make("span", {}, percent(mostPrompt)), make("span", {}, "0"));
      bars.replaceChildren(...[...shares].map((share, prompt) => make(
        "div",
        {
          className: `vptsp-why-bar${prompt === marked ? " vptsp-why-marked" : ""}`, role: "img",
          "aria-label": `prompt ${prompt + 1}: ${percent(share)} of the attention`,
          title: `prompt ${prompt + 1}: ${percent(share)} of the attention`,
        },
        make("div", {}, make("span", { style: { height: `${mostPrompt ? (100 * share) / mostPrompt : 0}%` } })),
        shares.length <= 20 ? make("i", {}, String(prompt + 1)) : null,
      )));
    },
    close() {
      image.onload = null;
      if (url) URL.revokeObjectURL(url);
    },
  };
}

/** @typedef {{ block: number, prompt: number, value: number | null, label: string, element: HTMLButtonElement }} Cell */

/** Blocks x prompts, coloured by the change of the similarity; arrows move, Enter chooses. */
function effectGrid(choose, say) {
  const table = make("div", { className: "vptsp-why-grid", role: "grid", "aria-label": "change of the similarity without each prompt, blocks by prompts" });
  const scale = make("div", { className: "vptsp-why-scale" });
  let [rows, columns, at, digits] = [0, 0, [0, 0], 3];
  /** @type {Cell[][]} */
  let cells = [];
  const signed = (value) => (value < 0 ? "−" : "+") + Math.abs(value).toFixed(digits);

  const tell = (cell) => cell.value !== null && say(`${cell.label}: ${Number.isNaN(cell.value) ? "being computed" : signed(cell.value)}`
    + (Number.isNaN(cell.value) ? "" : cell.value < 0 ? " without it, so it brings the images together" : " without it, so it keeps the images apart"));
  function build(newRows, newColumns) {
    [rows, columns, at] = [newRows, newColumns, [0, 0]];
    cells = [];
    table.style.gridTemplateColumns = `auto repeat(${columns}, minmax(4px, 1fr))`;
    const heads = [...Array(columns).keys()].map((prompt) => make("span", { role: "columnheader" }, columns <= 20 || prompt % 10 === 9 ? String(prompt + 1) : ""));
    const lines = [make("div", { role: "row", className: "vptsp-why-row" }, make("span", { role: "columnheader", className: "vptsp-why-corner" }, "prompt"), ...heads)];
    for (let block = 0; block < rows; block++) {
      const line = [];
      for (let prompt = 0; prompt < columns; prompt++) {
        const element = make("button", {
          type: "button", role: "gridcell", tabIndex: block || prompt ? -1 : 0, className: "vptsp-why-cell",
          onmouseenter: () => tell(cell), onfocus: () => ((at = [block, prompt]), tell(cell)), onclick: () => choose(block, prompt),
        });
        /** @type {Cell} */
        const cell = { block, prompt, value: NaN, label: `block ${block + 1}, prompt ${prompt + 1}`, element };
        line.push(cell);
      }
      cells.push(line);
      lines.push(make("div", { role: "row", className: "vptsp-why-row" }, make("span", { role: "rowheader" }, `block ${block + 1}`), ...line.map((cell) => cell.element)));
    }
    table.replaceChildren(...lines);
  }
  table.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
    if (!step) return;
    event.preventDefault();
    const next = cells[at[0] + step[0]]?.[at[1] + step[1]];
    if (!next || next.value === null) return;
    cells[at[0]][at[1]].element.tabIndex = -1;
    next.element.tabIndex = 0;
    next.element.focus();
  });
  return {
    table, scale,
    show(values, newRows, newColumns, block, marked) {
      if (newRows !== rows || newColumns !== columns) build(newRows, newColumns);
      const known = values.filter((value) => !Number.isNaN(value));
      const most = known.reduce((top, value) => Math.max(top, Math.abs(value)), 0);
      digits = decimals(most);
      cells.flat().forEach((cell, place) => {
        const value = place < values.length ? values[place] : NaN;
        cell.value = place < values.length && Number.isNaN(value) ? null : value; // null: there is no such prompt
        const share = most ? Math.round((100 * Math.abs(value)) / most) : 0;
        cell.element.style.background = Number.isNaN(value) ? "" : `color-mix(in srgb, var(${value < 0 ? "--cold" : "--warm"}) ${share}%, var(--field))`;
        cell.element.style.visibility = cell.value === null ? "hidden" : "";
        cell.element.classList.toggle("vptsp-why-pending", place >= values.length);
        cell.element.classList.toggle("vptsp-why-chosen", cell.block === block && cell.prompt === marked);
        cell.element.setAttribute("aria-label", Number.isNaN(value) ? `${cell.label}: being computed` : `${cell.label}: ${signed(value)}`);
      });
      [...table.children].forEach((line, index) => line.classList.toggle("vptsp-why-current", index === block + 1));
      scale.replaceChildren(
        make("span", {}, signed(-most)), make("span", { className: "vptsp-why-ramp", "aria-hidden": "true" }), make("span", {}, signed(most)),
        make("span", { className: "vptsp-why-ends" }, make("span", {}, "less similar without it"), make("span", {}, "more similar without it")),
      );
    },
  };
}

export default {
  render({ model, el }) {
    const live = model.live !== false;
    const ends = [];
    const status = statusLine(model);
    const readout = make("div", { className: "vptsp-why-readout", "aria-live": "polite" });
    const say = (text) => (readout.textContent = text);
    const headName = () => (model.get("head") < 0 ? "mean of the heads" : `head ${model.get("head") + 1}`);
    const where = () => `block ${model.get("block") + 1}, ${headName()}`;
    const sides = SIDES.map((_, index) => sideView(index, say, where));
    let marked = -1;
    let sent = model.get("_pair").number;
    let asked = -1; // stamp of the pair whose effects were asked for

    const put = (name, value) => {
      model.set(name, value);
      model.save_changes();
    };
    const grid = effectGrid((block, prompt) => {
      marked = prompt;
      put("block", Math.min(block, model.get("_pair").shape.blocks - 1));
      draw();
    }, say);
    const want = (wish) => {
      sent = Math.max(sent, model.get("_pair").number) + 1;
      put("_wanted", { number: sent, ...wish });
      root.setAttribute("aria-busy", "true");
      status.say("waiting for the kernel …");
    };
    const wantLater = debounced((neighbour) => want({ query: model.get("_pair").query.row, neighbour }));

    // --- controls
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
    const help = helpPanel([
      ["Tab", "next control, image or grid"],
      ["arrows on an image", "read the attention patch by patch"],
      ["arrows in the grid", "read the effect of each prompt"],
      ["Enter in the grid", "show the attention of that block, mark that prompt"],
      ["Esc", "no prompt marked"],
      ["?", "these keys"],
    ]);
    const helper = make("button", { type: "button", "aria-label": "keys", onclick: () => help.toggle() }, "?");
    const bar = make(
      "div", { className: "vptsp-bar" },
      live ? make("label", {}, "neighbour", neighbour) : null, live ? swap : null, live ? mistake : null,
      make("label", {}, "block", block, blockText), make("label", {}, "head", head), make("label", {}, "dim what it ignores", opacity), helper,
    );
    const similarity = make("div", { className: "vptsp-why-similarity" });
    const without = make("p", { className: "vptsp-why-without" });
    const effects = make("div", {}, make("div", { className: "vptsp-why-title" }, "Change of the similarity when one prompt is switched off"), grid.table, grid.scale);
    const panel = make("section", { className: "vptsp-why-effects", "aria-label": "effects of the prompts" }, similarity, effects, without, readout);
    const legend = make("div", { className: "vptsp-why-legend" });
    const root = make(
      "div", { className: "vptsp vptsp-why", role: "group", "aria-label": "why is this a neighbour" },
      bar, help.table,
      make("div", { className: "vptsp-why-stage" }, sides[0].root, sides[1].root, panel), legend, status.line,
    );
    root.addEventListener("keydown", (event) => {
      if (event.key === "?") help.toggle();
      else if (event.key === "Escape") {
        marked = -1;
        draw();
      } else return;
      event.stopPropagation();
    });

    // --- drawing
    function draw() {
      const numbers = numbersOf(model);
      const at = Math.min(model.get("block"), numbers.blocks - 1);
      const one = Math.min(model.get("head"), numbers.heads - 1);
      const [patches, prompts] = [numbers.patches, numbers.prompts].map((read) => sides.map((_, side) => read(side, at, one)));
      const top = (lists) => lists.reduce((most, list) => list.reduce((a, b) => Math.max(a, b), most), 0);
      const mostPatch = top(patches);
      sides.forEach((side, index) => {
        const rest = Math.max(0, 1 - total(patches[index]) - total(prompts[index]));
        side.show(patches[index], numbers.pair.shape.grid, mostPatch, model.get("opacity"), prompts[index], top(prompts), rest, numbers.pair.shape.pooled, marked);
      });
      const looker = numbers.pair.shape.pooled === "CLS" ? "of CLS" : "of all patches";
      legend.textContent = `Attention ${looker} in ${where()}: darkest where a patch gets none of it, clear where it gets ${percent(mostPatch)}, on a square-root scale that both images share.`;
      block.value = String(at);
      blockText.textContent = `${at + 1} of ${numbers.blocks}`;
      head.value = String(one);
      opacity.value = model.get("opacity");
      effects.hidden = Boolean(numbers.pair.without);
      without.hidden = !numbers.pair.without;
      without.textContent = numbers.pair.without;
      if (!numbers.pair.without) grid.show(numbers.effects, numbers.pair.effect_rows, numbers.pair.prompts, at, marked);
    }
    function answered(text) {
      root.removeAttribute("aria-busy");
      status.say(text);
    }
    /** @param {Message} message */
    const failed = (message) => message.kind === "failed" && message.number === sent && answered(message.text);
    model.on("msg:custom", failed);
    ends.push(() => model.off("msg:custom", failed));
    function showPair() {
      const pair = model.get("_pair");
      if (pair.number < sent) return; // an older wish; the latest is under way
      if (root.getAttribute("aria-busy")) answered(model.get("status") || "");
      const chosen = pair.candidates.find((one) => one.row === pair.neighbour);
      sides[0].title(pair.query, false);
      sides[1].title(chosen, true);
      sides[0].picture(model.get("_query_picture"));
      sides[1].picture(model.get("_neighbour_picture"));
      similarity.replaceChildren("cosine similarity ", make("b", {}, pair.similarity.toFixed(3)), chosen.rank ? `, rank ${chosen.rank}` : "");
      neighbour.replaceChildren(...pair.candidates.map((one) => make("option", { value: one.row }, `${one.rank || "–"} ${one.same ? "✓" : "✗"} ${one.similarity.toFixed(3)} ${one.class}`)));
      neighbour.value = pair.neighbour;
      block.max = String(pair.shape.blocks - 1);
      head.replaceChildren(make("option", { value: -1 }, `mean of ${pair.shape.heads}`), ...[...Array(pair.shape.heads).keys()].map((one) => make("option", { value: one }, String(one + 1))));
      draw();
      askForEffects(pair);
    }
    function askForEffects(pair) {
      const have = pair.prompts ? float32(model.get("_effects")).length / pair.prompts : 0;
      if (live && !pair.without && have < pair.effect_rows && asked !== pair.stamp) {
        asked = pair.stamp;
        model.send({ kind: "effects" });
      }
    }
    ends.push(
      onTraits(model, { _pair: showPair, _effects: draw, block: draw, head: draw, opacity: draw }),
      onTheme((dark) => root.classList.toggle("vptsp-dark", dark)),
      status.end, ...sides.map((side) => side.close),
    );
    showPair();
    el.append(root);
    return () => {
      ends.forEach((end) => end());
      root.remove();
    };
  },
};
