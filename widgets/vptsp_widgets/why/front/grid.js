// The effects of the prompts, block by block: what each does to the similarity of the pair.

import { make } from "../../front/dom.js";
import { decimals, promptName } from "./numbers.js";

/** @typedef {{ block: number, prompt: number, value: number | null, label: string, element: HTMLButtonElement }} Cell */

/** Blocks x prompts, coloured by the change of the similarity; arrows move, Enter chooses. */
export function effectGrid(choose, say) {
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
    /** @param {number} full - the change from which on a colour is full, unless there is a larger one */
    show(values, newRows, newColumns, block, marked, full, speaks = {}, visual = []) {
      if (newRows !== rows || newColumns !== columns) build(newRows, newColumns);
      const known = values.filter((value) => !Number.isNaN(value));
      const most = known.reduce((top, value) => Math.max(top, Math.abs(value)), 0);
      digits = decimals(most);
      const strongest = Math.max(most, full);
      cells.flat().forEach((cell, place) => {
        const classes = speaks[cell.block]?.[cell.prompt];
        cell.label = `block ${cell.block + 1}, ${promptName(cell.prompt, visual[cell.block])}${classes ? `, which speaks for ${classes}` : ""}`;
        const value = place < values.length ? values[place] : NaN;
        cell.value = place < values.length && Number.isNaN(value) ? null : value; // null: there is no such prompt
        const share = Math.round((100 * Math.abs(value)) / strongest);
        cell.element.style.background = Number.isNaN(value) ? "" : `color-mix(in srgb, var(${value < 0 ? "--cold" : "--warm"}) ${share}%, var(--field))`;
        cell.element.style.visibility = cell.value === null ? "hidden" : "";
        cell.element.classList.toggle("vptsp-why-pending", place >= values.length);
        cell.element.classList.toggle("vptsp-why-chosen", cell.block === block && cell.prompt === marked);
        cell.element.setAttribute("aria-label", Number.isNaN(value) ? `${cell.label}: being computed` : `${cell.label}: ${signed(value)}`);
      });
      [...table.children].forEach((line, index) => line.classList.toggle("vptsp-why-current", index === block + 1));
      const ends = strongest.toFixed(decimals(strongest));
      scale.replaceChildren(
        make("span", {}, `−${ends}`), make("span", { className: "vptsp-why-ramp", "aria-hidden": "true" }), make("span", {}, `+${ends}`),
        make("span", { className: "vptsp-why-ends" }, make("span", {}, "less similar without it"), make("span", {}, "more similar without it")),
        known.length && most < full ? make("span", { className: "vptsp-why-ends" }, `The largest change is ${most.toFixed(digits)}: no single prompt decides.`) : "",
      );
    },
  };
}
