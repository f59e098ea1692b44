// Images that changed between two runs: a list of each with what it finds in either.

import { Atlas } from "../../front/atlas.js";
import { make } from "../../front/dom.js";
import { onTraits } from "../../front/model.js";
import { statusLine } from "../../front/status.js";
import { count, short } from "../../front/text.js";
import { onTheme } from "../../front/theme.js";
/** @import { Model } from "../../front/model.js" */

const ORDERS = { lost: "right → wrong", won: "wrong → right", neighbours: "neighbours lost", moved: "moved most" };
/** @typedef {{ found: [row: number, right: number][][], kept: number, jump: number }} Found */

class Flips {
  /**
   * @param {Model} model
   * @param {HTMLElement} el
   */
  constructor(model, el) {
    this.model = model;
    this.status = statusLine(model);
    this.atlas = new Atlas(model, () => this.atlas.refill(this.root));
    this.tabs = make("div", { className: "vptsp-bar", role: "group", "aria-label": "Which images are listed" });
    this.notes = make("p", { className: "vf-note" });
    this.list = make("div", { className: "vf-list", role: "list", tabIndex: 0, "aria-label": "Images that changed" });
    this.root = make("div", { className: "vptsp vf", role: "group", "aria-label": "images that changed" },
      this.tabs, this.notes, make("div", { className: "vf-stretch vptsp-stretch" }, this.list), this.status.line);
    el.append(this.root);
    this.ends = [onTheme(this.root), onTraits(model, { order: () => this.show(), _lists: () => this.show(), _focused: () => this.mark() }), this.status.end];
    this.show();
  }

  show() {
    const { model } = this;
    const [order, lists, totals] = ["order", "_lists", "_totals"].map((name) => model.get(name));
    const focused = [...this.tabs.children].indexOf(/** @type {Element} */ (document.activeElement));
    this.tabs.replaceChildren(...Object.entries(ORDERS).map(([name, text]) => {
      const tab = make("button", { type: "button", onclick: () => this.choose(name) }, `${text} (${count(totals[name])})`);
      tab.setAttribute("aria-pressed", String(name === order));
      return tab;
    }));
    /** @type {HTMLElement | undefined} */ (this.tabs.children[focused])?.focus({ preventScroll: true });
    const { titles, notes, noise } = model.get("_about");
    const rows = lists[order];
    const some = rows.length < totals[order] ? `the first ${count(rows.length)} of ${count(totals[order])}` : "";
    const still = order !== "moved" ? "" : noise ? `counted are jumps beyond ${noise}, which the projector makes of the same embeddings by itself` : "";
    this.notes.textContent = [...notes, some, still].filter(Boolean).join(" · ");
    this.notes.hidden = !this.notes.textContent;
    const head = make("div", { className: "vf-row vf-head", "aria-hidden": "true" }, make("span", {}, "image"),
      ...titles.map((title) => make("span", { dir: "auto", title }, `finds in ${short(title, 40)}`)));
    this.list.replaceChildren(...(rows.length ? [head, ...rows.map((row) => this.entry(row))] : [make("p", { className: "vf-note" }, "no image did")]));
    this.mark();
  }

  choose(order) {
    this.model.set("order", order);
    this.model.save_changes();
  }

  entry(row) {
    /** @type {Found} */
    const { found, kept, jump } = this.model.get("_found")[row];
    const { titles, neighbours } = this.model.get("_about");
    const said = `${Math.round(kept * neighbours)} of ${neighbours} neighbours kept, moved ${jump}`;
    return make("div", { className: "vf-row", role: "listitem" },
      make("div", { className: "vf-own" }, this.thumb(row, ""), make("div", {}, make("b", { dir: "auto" }, this.nameOf(row)), make("small", {}, said))),
      ...found.map((ones, run) => make("div", { className: "vf-found", role: "group", "aria-label": `finds in ${titles[run]}` },
        ...ones.map(([other, right]) => this.thumb(other, right ? "right" : "wrong")))));
  }

  nameOf(row) {
    return this.model.get("_classes")[row];
  }

  /** @param {"" | "right" | "wrong"} word */
  thumb(row, word) {
    const name = [this.nameOf(row), word].filter(Boolean).join(", ");
    const picture = this.model.get("_atlas")?.tile ? this.atlas.element(row, 44, name) : make("span", { className: "vf-blank" }, short(this.nameOf(row), 14));
    const made = make("button", { type: "button", className: `vf-thumb ${word ? `vf-${word}` : ""}`, title: name, "aria-label": name, onclick: () => this.look(row) }, picture);
    made.dataset.row = String(row);
    return made;
  }

  look(row) {
    this.model.set("_focused", row);
    this.model.save_changes();
    this.status.say(`an image of ${this.nameOf(row)} is looked at`);
  }

  mark() {
    const focused = String(this.model.get("_focused"));
    for (const each of this.list.querySelectorAll(".vf-own .vf-thumb")) each.setAttribute("aria-current", String(/** @type {HTMLElement} */ (each).dataset.row === focused));
  }

  close() {
    this.ends.forEach((end) => end());
    this.atlas.close();
    this.root.remove();
  }
}

export default {
  render({ model, el }) {
    const flips = new Flips(model, el);
    return () => flips.close();
  },
};
