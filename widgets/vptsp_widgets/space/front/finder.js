// Finding a class: the search field and the list of names that match what is typed.

import { make } from "../../front/dom.js";
import { images } from "./cloud.js";
/** @import { Cloud } from "./cloud.js" */

export class Finder {
  /**
   * `cloud()` is the images shown now; `found(name)` is called with the class chosen, `emptied()` when nothing is wanted.
   * @param {{ cloud: () => Cloud, found: (name: string) => void, emptied: () => void, say: (text: string) => void }} parent
   */
  constructor({ cloud, found, emptied, say }) {
    this.cloud = cloud;
    this.found = found;
    this.emptied = emptied;
    this.say = say;
    this.matched = [];
    this.marked = 0;
    this.field = make("input", {
      type: "search", placeholder: "class name", role: "combobox", autocomplete: "off",
      "aria-label": "Find a class", "aria-expanded": "false", "aria-autocomplete": "list",
      oninput: () => this.suggest(), onkeydown: (event) => this.key(event), onblur: () => this.close(),
    });
    this.list = make("ul", { className: "vptsp-space-matches", role: "listbox", hidden: true, "aria-label": "Classes" });
    this.element = make("div", { className: "vptsp-space-find" }, make("label", {}, "Find", this.field), this.list);
  }

  get text() {
    return this.field.value;
  }

  focus() {
    this.field.focus();
  }

  /** Shows the class that the state names, unless somebody is typing. */
  show(name) {
    if (document.activeElement !== this.field) this.field.value = name;
  }

  clear() {
    this.field.value = "";
    this.close();
  }

  close() {
    this.list.hidden = true;
    this.field.setAttribute("aria-expanded", "false");
  }

  suggest() {
    const wanted = this.field.value.trim().toLocaleLowerCase();
    const cloud = this.cloud();
    const names = [...new Set([...cloud.bySize.map((code) => cloud.classes[code]), ...cloud.proxies.names])];
    const rank = (name) => (name === wanted ? 0 : name.startsWith(wanted) ? 1 : name.includes(wanted) ? 2 : 3);
    const ranked = names.map((name) => [rank(name.toLocaleLowerCase()), name]).filter(([place]) => place < 3);
    ranked.sort(([one], [other]) => one - other);
    this.matched = wanted ? ranked.slice(0, 8).map(([, name]) => name) : [];
    this.marked = 0;
    if (!wanted) this.emptied();
    this.list.replaceChildren(
      ...this.matched.map((name, turn) => {
        const code = cloud.classes.indexOf(name);
        const what = code >= 0 && cloud.rows[code].length ? images(cloud.rows[code].length) : "proxies only";
        const item = make("li", { role: "option" }, make("span", { dir: "auto" }, name), make("small", {}, what));
        item.addEventListener("pointerdown", (event) => {
          event.preventDefault(); // the field keeps the focus until the class is found
          this.choose(name);
        });
        item.setAttribute("aria-selected", String(turn === 0));
        return item;
      }),
    );
    if (wanted && !this.matched.length) this.list.replaceChildren(make("li", { className: "vptsp-space-none" }, "no class has this in its name"));
    this.list.hidden = !wanted;
    this.field.setAttribute("aria-expanded", String(Boolean(wanted)));
  }

  key(event) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step && this.matched.length) {
      this.marked = (this.marked + step + this.matched.length) % this.matched.length;
      [...this.list.children].forEach((item, turn) => item.setAttribute("aria-selected", String(turn === this.marked)));
      this.say(this.matched[this.marked]);
      event.preventDefault();
    } else if (event.key === "Enter" && this.matched.length) this.choose(this.matched[this.marked]);
  }

  choose(name) {
    this.field.value = name;
    this.close();
    this.found(name);
  }
}
