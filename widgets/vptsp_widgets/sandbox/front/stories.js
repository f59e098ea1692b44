// The stories: a choice of them, and the caption of the one that is told.

import { make } from "../../front/dom.js";
/** @import { State } from "./experiment.js" */

/** @typedef {{ title: string, caption: string, state: State, orthant?: boolean }} Story */

export class Stories {
  /** @type {Record<string, Story>} */ all = {};

  /** @param {(name: string) => void} tell */
  constructor(tell) {
    this.tell = tell;
    this.select = make("select", { onchange: () => tell(this.select.value) });
    this.label = make("label", {}, "story", this.select);
    this.caption = make("p", { className: "vptsp-sb-story" });
  }

  /**
   * @param {Record<string, Story>} all - by name
   * @param {string} name - of the one told
   */
  take(all, name) {
    this.all = all;
    this.select.replaceChildren(...Object.entries(all).map(([value, { title }]) => make("option", { value }, title)));
    this.select.value = name;
  }

  // --- as steps of the presenter ---------------------------------------------------------------------
  count() {
    return this.select.options.length;
  }

  at() {
    return this.select.selectedIndex;
  }

  title(at) {
    return this.select.options[at].text;
  }

  go(at) {
    this.tell(this.select.options[at].value);
  }

  show(name) {
    this.select.value = name;
    this.caption.textContent = this.all[name]?.caption ?? "";
  }

  /** Where a story starts, to be changed at will; that of the user's own points where there is none of the name. */
  start(name) {
    const story = this.all[name] ?? this.all.own;
    return story ? structuredClone(story.state) : null;
  }
}
