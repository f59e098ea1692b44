// Class by class, as a table to sort and to walk through: what semantics help and hurt.

import { make } from "../../front/dom.js";
import { clip } from "../../front/numbers.js";
import { count, short } from "../../front/text.js";
import { debounced } from "../../front/timing.js";
import { degrees, percent, signed } from "./words_and_arrows.js";
/** @import { Shown } from "./shown.js" */

// title, what it shows, why
const WITH_SEMANTICS = [
  ["class", "name", ""],
  ["gain", "gain", "AP@R with this alpha, against the learned proxy alone (points)"],
  ["AP@R now", "ap", "how well q finds its class's images"],
  ["right", "right", "images whose nearest proxy is their class's: learned alone → now"],
  ["O–G", "angle", "angle between the learned and the semantic proxy"],
  ["O in q", "weight", "real weight of O in q"],
];
const LEARNED_ALONE = [
  ["class", "name", ""],
  ["AP@R", "ap", "how well O finds its class's images"],
  ["right", "right", "images whose nearest proxy is their class's"],
  ["O–images", "angle", "angle between the learned proxy and the mean of its class's images"],
];
const GUIDED = ["prompt", "prompt", "the guided prompt that speaks for the class"];

/**
 * The panel: `title`, `tally` and `scroller` with the table. `build` makes its rows, `fill` writes their numbers,
 * `sortLater` puts them in order, `show` marks the class in focus, `placeOf` tells where a class stands and `labelAt`
 * which class stands at a place.
 * @param {Shown} shown
 */
export function classTable(shown) {
  const head = make("tr", { role: "row" });
  const body = make("tbody", {});
  const table = make("table", { className: "va-table", role: "grid", "aria-label": "classes, and how much semantics help or hurt each" }, make("thead", {}, head), body);
  const scroller = make("div", { className: "va-scroll" }, table);
  const title = make("h4", {});
  const tally = make("div", { className: "va-facts" });
  let sorted = { key: "gain", down: true };
  let order = []; // classes as the table lists them
  let lines = []; // by class
  const columns = () => [...(shown.semantic ? WITH_SEMANTICS : LEARNED_ALONE), ...(shown.parts.prompts.length ? [GUIDED] : [])];

  function valuesOf(label) {
    const { parts, alpha } = shown;
    const [now, base] = [parts.score(alpha), parts.score(1)];
    return {
      name: parts.names[label], gain: now.precision[label] - base.precision[label], ap: now.precision[label], right: now.right[label], before: base.right[label],
      angle: parts.angle(label), weight: parts.weight(label, alpha), prompt: parts.prompts[label],
    };
  }

  function build() {
    title.textContent = shown.semantic ? "Where semantics help or hurt" : "Class by class";
    sorted = { key: shown.semantic ? "gain" : "ap", down: shown.semantic };
    head.replaceChildren(...columns().map(([text, key, why]) => {
      const button = make("button", { type: "button", title: why || "by name", onclick: () => {
        sorted = { key, down: sorted.key === key ? !sorted.down : key !== "name" };
        sort();
      } }, text);
      return make("th", { scope: "col", role: "columnheader", className: `va-${key}` }, button);
    }));
    lines = shown.parts.names.map((name, label) => {
      const cells = Object.fromEntries(columns().map(([, key]) => [key, make("td", { className: `va-${key}`, role: "gridcell" })]));
      cells.name.append(make("bdi", {}, short(name, 40)));
      cells.name.title = name;
      const bar = make("span", { className: "va-bar" }, make("i", {}));
      const value = make("span", { className: "va-value" });
      cells.gain?.append(bar, value);
      const line = make("tr", { role: "row", tabIndex: -1, onclick: () => shown.chooseClass(label), onfocus: () => label !== shown.label && shown.chooseClass(label) }, ...Object.values(cells));
      return { label, cells, line, bar: bar.firstChild, value };
    });
    fill();
    sort();
  }

  function fill() {
    const { parts } = shown;
    const values = lines.map(({ label }) => valuesOf(label));
    const most = Math.max(0.02, ...values.map(({ gain }) => Math.abs(gain) || 0));
    let [helped, hurt] = [0, 0];
    lines.forEach(({ label, cells, bar, value }, place) => {
      const one = values[place];
      const total = parts.own[label].length;
      helped += Number(one.gain > 0.0005);
      hurt += Number(one.gain < -0.0005);
      if (cells.gain) {
        value.textContent = Number.isNaN(one.gain) ? "–" : signed(one.gain);
        const share = (50 * Math.abs(one.gain || 0)) / most;
        Object.assign(bar.style, { width: `${share}%`, left: one.gain < 0 ? `${50 - share}%` : "50%", background: one.gain < 0 ? "var(--wrong)" : "var(--right)" });
      }
      cells.ap.textContent = Number.isNaN(one.ap) ? "–" : percent(one.ap, 0);
      cells.right.textContent = shown.semantic ? `${one.before} → ${one.right} of ${total}` : `${one.right} of ${total}`;
      cells.angle.textContent = degrees(one.angle);
      if (cells.prompt) cells.prompt.textContent = String(one.prompt + 1);
      if (cells.weight) cells.weight.textContent = percent(one.weight, 0);
    });
    tally.textContent = shown.semantic
      ? `Against learned proxies alone, α = ${shown.alpha.toFixed(2)} helps ${helped} and hurts ${hurt} of ${count(parts.classes)} classes (AP@R).`
      : `${count(parts.classes)} training classes.`;
  }

  function sort() {
    if (!columns().some(([, key]) => key === sorted.key)) sorted = { key: "ap", down: false };
    const values = shown.parts.names.map((_, label) => valuesOf(label));
    order = [...values.keys()].sort((a, b) => {
      const [one, other] = [values[a][sorted.key], values[b][sorted.key]];
      const ahead = sorted.key === "name" ? one.localeCompare(other) : (Number.isNaN(one) ? -Infinity : one) - (Number.isNaN(other) ? -Infinity : other);
      return (sorted.down ? -ahead : ahead) || a - b;
    });
    body.replaceChildren(...order.map((label) => lines[label].line));
    [...head.children].forEach((cell, place) => {
      const mine = columns()[place][1] === sorted.key;
      cell.setAttribute("aria-sort", mine ? (sorted.down ? "descending" : "ascending") : "none");
    });
    show(false);
  }

  function show(scroll = true) {
    for (const { line, label } of lines) {
      const mine = label === shown.label;
      line.setAttribute("aria-selected", String(mine));
      line.tabIndex = mine ? 0 : -1;
    }
    const line = lines[shown.label].line;
    const [above, below] = [line.offsetTop - head.offsetHeight - scroller.scrollTop, line.offsetTop + line.offsetHeight - scroller.scrollTop - scroller.clientHeight];
    if (scroll && above < 0) scroller.scrollTop += above;
    else if (scroll && below > 0) scroller.scrollTop += below;
  }

  body.addEventListener("keydown", (event) => {
    const at = order.indexOf(shown.label);
    const next = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: order.length - 1, PageDown: at + 8, PageUp: at - 8 }[event.key];
    if (next === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    lines[order[clip(next, 0, order.length - 1)]].line.focus({ preventScroll: true });
  });
  return { title, tally, scroller, build, fill, sortLater: debounced(sort, 500), show, placeOf: (label) => order.indexOf(label), labelAt: (place) => order[place] };
}
