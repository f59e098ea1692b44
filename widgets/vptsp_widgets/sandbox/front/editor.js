// What adds points and classes and takes them away, and the board as text.

import { make } from "../../front/dom.js";
import { copyText } from "../../front/hand_over.js";
import { MOST, withClass, withSample, without } from "./board.js";
import { LETTERS } from "./svg_parts.js";
import { fromText, toText } from "./text.js";
/** @import { State } from "./experiment.js" */
/** @import { Point } from "./points.js" */

export class Editor {
  /** @type {Point | null} */ point = null; // the one looked at last: what is added is of its class, what is removed is it

  /**
   * `state()` is what stands on the board, `losses` those there are, `put(parts, text)` changes it and says so, and
   * `say(text)` tells what could not be done.
   * @param {{ state: () => State, losses: () => string[], put: (parts: Partial<State>, text: string) => void, say: (text: string) => void }} acts
   */
  constructor(acts) {
    this.acts = acts;
    const button = (text, title, act) => make("button", { type: "button", title, onclick: act }, text);
    this.kind = make("select", { "aria-label": "class of the sample to add" });
    this.one = button("− remove", "remove the point looked at last (Delete); with a proxy goes its class", () => this.remove());
    this.more = button("+ class", "a new class where there is room", () => this.grow());
    this.sample = button("+ sample", "a sample of this class beside the others (A); a double click puts one anywhere", () => this.add());
    this.area = make("textarea", { rows: 6, spellcheck: false, "aria-label": "the board as text", oninput: () => (this.own = true) });
    this.box = make("div", { className: "vptsp-sb-text", hidden: true }, this.area, make("div", { className: "vptsp-sb-buttons" },
      button("copy", "copy the board as text", () => this.copy()),
      button("show this text", "put what the text says on the board", () => this.take())));
    this.open = button("as text", "the board as text, to copy, keep and show again", () => this.toggle());
    this.element = make("fieldset", { className: "vptsp-fold", "aria-label": "points" },
      make("div", { className: "vptsp-sb-buttons" }, this.sample, this.kind, this.more, this.one, this.open), this.box);
    this.own = false; // whether the text is the reader's, not the board's
  }

  /** @param {Point | null} point - that is looked at */
  choose(point) {
    if (!point) return;
    this.point = point;
    this.kind.value = String(point.c);
    this.showPoint();
  }

  /** After a change of the board. @param {State} state */
  show(state) {
    const names = state.class_names.map((name, c) => (/^class [A-H]$/.test(name) ? LETTERS[c] : `${LETTERS[c]} · ${name}`));
    const key = JSON.stringify(names);
    if (this.kind.dataset.key !== key) {
      const before = this.kind.value;
      this.kind.dataset.key = key;
      this.kind.replaceChildren(...names.map((name, c) => make("option", { value: String(c) }, name)));
      this.kind.value = Number(before) < names.length ? before || "0" : "0";
    }
    this.sample.disabled = state.samples.length >= MOST.samples;
    this.more.disabled = state.proxies.length >= MOST.classes;
    if (!this.box.hidden && !this.own) this.area.value = toText(state);
  }

  /** After other points: none of those before is there. */
  renew() {
    this.point = null;
    this.showPoint();
  }

  showPoint() {
    const what = !this.point ? "" : this.point.kind === "samples" ? ` ${this.point.name}` : ` class ${LETTERS[this.point.c]}`;
    this.one.textContent = `− remove${what}`; // never disabled: it would lose the keyboard's focus
  }

  // --- what is done ----------------------------------------------------------------------------------
  /** Does it, or says why not; whether it was done. @param {() => Partial<State>} make */
  try(make, text) {
    try {
      this.acts.put(make(), text);
      return true;
    } catch (error) {
      this.acts.say(/** @type {Error} */ (error).message);
      return false;
    }
  }

  /** @param {number[]} [at] - a direction */
  add(at) {
    const c = Number(this.kind.value);
    if (this.try(() => withSample(this.acts.state(), c, at), `a sample of class ${LETTERS[c]} more`)) this.kind.value = String(c);
  }

  grow() {
    const c = this.acts.state().proxies.length;
    if (this.try(() => withClass(this.acts.state()), `class ${LETTERS[c]} is new`)) this.kind.value = String(c);
  }

  remove(point = this.point) {
    if (!point) {
      this.acts.say("click a point or Tab to it first; then it can be removed");
      return false;
    }
    return this.try(() => without(this.acts.state(), point), point.kind === "samples" ? `${point.name} removed` : `class ${LETTERS[point.c]} removed`);
  }

  // --- as text ---------------------------------------------------------------------------------------
  toggle() {
    this.box.hidden = !this.box.hidden;
    this.open.setAttribute("aria-expanded", String(!this.box.hidden));
    this.own = false;
    this.show(this.acts.state());
    if (this.box.hidden) return;
    this.area.select();
    this.area.scrollTop = 0;
  }

  async copy() {
    const done = await copyText(this.area.value);
    this.acts.say(done ? "copied" : "the browser does not let a page copy; mark the text and press Ctrl+C");
  }

  take() {
    if (this.try(() => fromText(this.area.value, this.acts.state(), this.acts.losses()), "as the text says")) this.own = false;
    this.show(this.acts.state());
  }
}
