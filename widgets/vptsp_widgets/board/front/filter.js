// What narrows the table: a button for each state, and words.

import { make } from "../../front/dom.js";
import { count } from "../../front/text.js";
import { debounced } from "../../front/timing.js";
import { STATES, patch } from "./words.js";
/** @import { Sweep } from "./sweep.js" */

/**
 * `state` and `text` say what is wanted ("": all), `tell` says how many of how many are shown; `changed` is called
 * after each change.
 * @param {Sweep} sweep
 * @param {() => void} changed
 */
export function jobFilter(sweep, changed) {
  let state = "";
  const chips = make("span", { className: "vptsp-chips", role: "group", "aria-label": "show only jobs of one state" });
  const input = make("input", { type: "search", placeholder: "filter: every word must match", "aria-label": "filter jobs; every word must match some column", oninput: debounced(changed, 60) });
  const number = make("span", { className: "vptsp-count", "aria-live": "polite" });
  const element = make("div", { className: "vptsp-bar" }, chips, input, number);

  function chipOf(word) {
    const chip = make("button", { type: "button", onclick: () => {
      state = state === word ? "" : word;
      changed();
      show();
    } }, patch(word, "vptsp-dot"), make("span", {}));
    chip.dataset.word = word;
    return chip;
  }

  /** The states that there are, with how many jobs are in each. */
  function show() {
    const { counts } = sweep.head;
    const words = STATES.filter((word) => counts[word] || word === state);
    const key = words.join();
    if (chips.dataset.key !== key) chips.replaceChildren(...words.map(chipOf));
    chips.dataset.key = key;
    for (const chip of chips.querySelectorAll("button")) {
      const { word = "" } = chip.dataset;
      /** @type {Node} */ (chip.lastChild).textContent = `${count(counts[word] ?? 0)} ${word}`;
      chip.setAttribute("aria-pressed", String(state === word));
    }
  }

  function tell(shown, all) {
    const says = `${count(shown)} of ${count(all)} jobs shown`;
    if (number.textContent !== says) number.textContent = says;
  }

  return { element, input, show, tell, get state() { return state; }, get text() { return input.value; } };
}
