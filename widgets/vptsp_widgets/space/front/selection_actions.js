// What can be done with the images selected: zoom, clear, undo, copy, save, tag.

import { make } from "../../front/dom.js";
import { copyText, saveFile } from "../../front/hand_over.js";
import { count } from "../../front/text.js";
import { images } from "./cloud.js";
import { csvOf, idsOf } from "./table.js";
import { wordForm } from "./word_form.js";
/** @import { Cloud } from "./cloud.js" */
/** @import { History } from "./history.js" */
/** @import { KeptSelections } from "./kept.js" */
/** @import { Tags } from "./tags.js" */

const button = (text, title, act) => make("button", { type: "button", title, onclick: act }, text);

/** Rows shown in full. @param {Cloud} cloud */
const shownOf = (cloud) => [...cloud.lit.keys()].filter((row) => cloud.lit[row] === 2);
/** Whether the rows selected are those shown in full. */
const sameRows = (rows, bright, { lit }) => rows.length === bright && rows.every((row) => lit[row] === 2);
/** Rows shown in full that are not selected. @param {Cloud} cloud */
const othersOf = (cloud) => shownOf(cloud).filter((row) => !cloud.selected[row]);

export class ChosenActs {
  /** @type {number[]} */ rows = [];

  /**
   * @param {{ cloud: () => Cloud, title: () => string, history: History, tags: Tags, kept: KeptSelections,
   *   zoom: (rows: number[]) => void, alone: (rows: number[]) => void, select: (rows: number[]) => void, say: (text: string) => void }} parent
   */
  constructor({ cloud, title, history, tags, kept, zoom, alone, select, say }) {
    this.cloud = cloud;
    this.kept = kept;
    this.history = history;
    this.tags = tags;
    this.undo = button("Undo", "Take the last selection or tag back (Ctrl or ⌘ + Z; with Shift: again)", () => history.undo());
    const copy = async () => {
      const { rows } = this;
      say((await copyText(idsOf(cloud(), rows))) ? `ids of ${images(rows.length)} copied` : "this page may not use the clipboard");
    };
    const save = () => {
      const name = `${title().replace(/[^\p{L}\p{N}]+/gu, "-")}-selection.csv`;
      saveFile(name, csvOf(cloud(), this.rows));
      say(`${images(this.rows.length)} saved as ${name}`);
    };
    this.several = [
      button("Zoom to it", "", () => zoom(this.rows)), button("Clear", "", () => select([])),
      button("Invert", "Select all others that are shown", () => select(othersOf(cloud()))),
      this.alone = button("Map alone", "Project them anew, without all others", () => alone(this.rows)),
      button("Copy ids", "One a line, to the clipboard", copy), button("CSV", "Save what is known of them as a file", save),
    ];
    this.shown = button("", "Those of the class found, of what is shown alone, or of the filter", () => select(shownOf(cloud())));
    const id = `vptsp-${Math.random().toString(36).slice(2)}`;
    this.known = make("datalist", { id });
    this.tag = make("input", {
      type: "text", placeholder: "tag; empty: none", autocomplete: "off", "aria-label": "Tag of the selected images",
    });
    this.tagging = wordForm(this.tag, "Tag", (word) => tags.give([...this.rows], word), this.known);
    this.tag.setAttribute("list", id); // a property that cannot be set
    this.element = make("div", {}, make("div", { className: "vptsp-space-acts" }, this.shown, ...this.several, this.undo), this.tagging, kept.element);
  }

  /** @param {number[]} rows - selected */
  show(rows) {
    this.rows = rows;
    const { bright, shown } = this.cloud();
    const nothing = !bright || bright === shown || sameRows(rows, bright, this.cloud());
    this.shown.style.visibility = nothing ? "hidden" : ""; // its place stays: what was clicked in the legend must not move away
    this.shown.textContent = `Select the ${count(bright)} shown`;
    this.kept.show(rows);
    for (const each of this.several) each.hidden = !rows.length;
    this.undo.hidden = !this.history.past.length;
    this.alone.hidden = rows.length < 3 || !this.tags.offered;
    this.tagging.hidden = !rows.length || !this.tags.offered;
    this.known.replaceChildren(...this.tags.known.map((value) => make("option", { value })));
  }
}
