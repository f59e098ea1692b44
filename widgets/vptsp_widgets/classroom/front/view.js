// The classroom: the sandbox's stories on the whole screen, one by one, and an address that opens the board as it stands.

import { make } from "../../front/dom.js";
import { copyText } from "../../front/hand_over.js";
import { boardOf, withBoard } from "./address.js";
import { onSwipe } from "./swipe.js";
/** @import { Front, Model } from "../../front/model.js" */

const KEYS = "→ next · ← back · P play · C controls · F full screen · L link · T light and dark · Esc all stories. On a touch screen: swipe beside the circle.";

class Classroom {
  /**
   * @param {Model} model
   * @param {HTMLElement} el - of the sandbox
   */
  constructor(model, el) {
    this.model = model;
    this.root = el;
    this.names = Object.keys(model.get("_stories"));
    this.cover = this.makeCover();
    el.before(this.cover);
    model.on("change:_state", () => this.show());
    addEventListener("hashchange", () => this.take());
    addEventListener("keydown", (event) => this.onKey(event), true);
    onSwipe(el, ".vptsp-sb-stage, input, select, textarea, button, .vptsp-sb-panel", (by) => this.bar()?.querySelectorAll("button")[by > 0 ? 1 : 0].click());
    // the presenter is left by Esc, by its button and with the full screen: what all of them do is take its class away
    new MutationObserver(() => this.changed()).observe(el, { attributes: true, attributeFilter: ["class"] });
    this.changed();
    if (location.hash.length > 1) this.take();
  }

  makeCover() {
    const story = (/** @type {string} */ name, /** @type {number} */ at) => {
      const { title } = this.model.get("_stories")[name];
      return make("li", {}, make("button", { type: "button", onclick: () => this.tell(name) }, make("b", {}, String(at + 1)), make("span", {}, title)));
    };
    this.dark = make("button", { type: "button", onclick: () => this.turn() }, "light / dark");
    return make("main", { className: "vptsp-classroom-cover" },
      make("h1", {}, "The geometry of proxies"),
      make("p", {}, "Dots are images, diamonds the proxies of their classes, arrows what gradient descent does to each. Seven stories; drag anything."),
      make("ol", {}, ...this.names.map(story)),
      make("p", { className: "vptsp-classroom-keys" }, KEYS), this.dark);
  }

  bar() {
    return /** @type {HTMLElement | null} */ (this.root.querySelector(".vptsp-presenter"));
  }

  // --- what is shown ---------------------------------------------------------------------------------
  /** @param {string} name - of a story, which the address says from now on */
  tell(name) {
    this.model.set("_state", structuredClone(this.model.get("_stories")[name].state));
    this.begin();
  }

  /** The presenter, which asks for the whole screen: a browser gives it to who has just pressed something. */
  begin() {
    if (this.bar()) return;
    this.root.hidden = false; // what is hidden cannot take the keyboard
    /** @type {HTMLElement} */ (this.root.querySelector(".vptsp-present")).click();
    const button = (/** @type {string} */ text, /** @type {string} */ title, /** @type {() => void} */ onclick) => make("button", { type: "button", title, onclick }, text);
    this.bar()?.querySelector("button:last-child")?.before(
      button("Light / dark", "(T)", () => this.turn()),
      button("Link", "copies an address that opens the board as it stands (L)", () => this.link()),
      button("Full screen", "(F)", () => this.whole()),
    );
    this.show();
  }

  changed() {
    const presented = this.root.classList.contains("vptsp-presented");
    this.cover.hidden = presented;
    this.root.hidden = !presented;
    if (presented || !this.was) {
      this.was = presented;
      return;
    }
    this.was = false;
    history.replaceState(null, "", location.pathname + location.search);
    /** @type {HTMLElement} */ (this.cover.querySelector("button")).focus();
  }

  // --- the address -----------------------------------------------------------------------------------
  show() {
    if (this.bar()) history.replaceState(null, "", boardOf(this.model));
  }

  take() {
    try {
      const state = withBoard(this.model, location.hash);
      if (!state) return;
      this.model.set("_state", state);
      this.begin();
    } catch (error) {
      this.begin();
      this.say(/** @type {Error} */ (error).message);
    }
  }

  async link() {
    this.show();
    const done = await copyText(location.href);
    this.say(done ? "the address is copied: it opens the board as it stands" : "copy the address from the browser's bar: it opens the board as it stands");
  }

  say(text) {
    this.model.set("status", "");
    this.model.set("status", text);
  }

  // --- theme, screen, keys ---------------------------------------------------------------------------
  turn() {
    const { dataset } = document.documentElement;
    dataset.theme = this.root.classList.contains("vptsp-dark") ? "light" : "dark";
  }

  whole() {
    if (document.fullscreenElement) return;
    // a popover cannot be the whole screen: it is shown as one where there was no gesture to begin with
    this.root.removeAttribute("popover");
    this.root.requestFullscreen?.().catch(() => this.say("this browser does not give a page the whole screen; press F11"));
  }

  /** @param {KeyboardEvent} event */
  onKey(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || /** @type {Element} */ (event.target).matches?.("input, select, textarea")) return;
    const acts = { f: () => this.whole(), l: () => this.link(), t: () => this.turn() };
    const act = this.bar() ? acts[event.key.toLowerCase()] : this.first(event.key);
    if (!act) return;
    act();
    event.preventDefault();
    event.stopPropagation();
  }

  /** On the cover: a number tells its story, and what goes on in a lecture begins with the first. */
  first(/** @type {string} */ key) {
    const at = ["ArrowRight", "PageDown"].includes(key) ? 0 : Number(key) - 1;
    if (key === "t") return () => this.turn();
    return key.trim() && this.names[at] ? () => this.tell(this.names[at]) : null;
  }
}

/** A front end, in a classroom. @param {Front} front */
export function inClassroom(front) {
  return {
    ...front,
    /** @param {{ model: Model, el: HTMLElement }} parts */
    render({ model, el }) {
      const end = front.render({ model, el });
      setTimeout(() => new Classroom(model, el)); // once the page has all of its elements
      return end;
    },
  };
}
