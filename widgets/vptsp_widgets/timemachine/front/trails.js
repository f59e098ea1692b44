// Trails of classes: asked for by a class's name, and listed with how far the proxies turned.

import { make } from "../../front/dom.js";
/** @import { Choice } from "./choice.js" */
/** @import { Film } from "./film.js" */
/** @import { Looks } from "./looks.js" */

/** The field for a class's name; `say` tells what was not found. */
export class ClassFinder {
  /** @type {Film} */ film;

  /** @param {Choice} choice */
  constructor(choice, say) {
    this.choice = choice;
    this.say = say;
    this.names = make("datalist", { id: `vt-classes-${Math.random().toString(36).slice(2)}` });
    this.input = make("input", {
      type: "search", placeholder: "class name", "aria-label": "Trails of a class", autocomplete: "off",
      oninput: () => this.input.value && this.search(false), onkeydown: (event) => event.key === "Enter" && this.search(true),
    });
    this.input.setAttribute("list", this.names.id);
    this.label = make("label", {}, "Trails of", this.input);
  }

  /** @param {Film} film */
  load(film) {
    this.film = film;
    this.names.replaceChildren(...[...new Set(film.names)].map((name) => make("option", { value: name })));
  }

  search(entered) {
    const wanted = this.input.value.trim().toLowerCase();
    const names = this.film.names.map((name) => name.toLowerCase());
    let label = names.indexOf(wanted);
    if (label < 0 && entered && wanted) label = names.findIndex((name) => name.includes(wanted));
    if (label < 0) return entered && this.say(`no class is called "${this.input.value}"`);
    if (!entered && names.some((name, other) => other !== label && name.startsWith(wanted))) return; // maybe more to come
    this.input.value = "";
    if (!this.choice.trails.includes(label)) this.choice.switchTrail(label);
  }
}

export class TrailList {
  /** @param {Choice} choice */
  constructor(choice) {
    this.choice = choice;
    this.list = make("div", { className: "vt-trails" });
    this.element = make("div", { className: "vt-trailbox" }, make("h4", {}, "Trails, and how far they turned"), this.list);
  }

  /**
   * @param {Film} film
   * @param {Looks} looks
   */
  show(film, looks) {
    const { choice } = this;
    const chips = choice.trails.map((label) => {
      const name = film.names[label];
      const turned = film.kinds.filter(() => film.proxy[label] >= 0).map((kind) => `${kind} ${film.moved[kind][film.proxy[label]].toFixed(0)}°`);
      return make(
        "div", { className: "vt-chip" }, make("i", { style: { background: looks.classColour(label) } }),
        make("span", {}, name, make("small", {}, turned.length ? turned.join(", ") : "no proxy: its images only")),
        make("button", { type: "button", "aria-label": `Take away the trails of ${name}`, title: "Take away", onclick: () => choice.switchTrail(label) }, "×"),
      );
    });
    const hint = film.kinds.length ? "Click a proxy or type a class name for the way it went." : "This run has no proxies; type a class name to light up its images.";
    const explained = choice.trails.length ? "Degrees between first and last epoch, in the embedding space. The dots of a trail are epochs." : hint;
    const clear = choice.trails.length > 1 ? [make("button", { type: "button", onclick: () => choice.setTrails([]) }, "Take all away")] : [];
    this.list.replaceChildren(...chips, make("p", {}, explained), ...clear);
  }
}
