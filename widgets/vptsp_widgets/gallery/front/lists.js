// Lists of queries worth a look: the kernel makes each once; one of them is open, narrowed and stepped through.

import { make } from "../../front/dom.js";
import { count } from "../../front/text.js";
import { button, isolated, oneLine } from "./elements.js";
/** @import { Images } from "./images.js" */

const LISTS = {
  mistakes: "mistakes (first image wrong)",
  hardest: "hardest negatives",
  duplicates: "near duplicates",
};

/**
 * The lists, and the elements to choose and to step. `ask` takes the query one has come to, `fetch(name, text)` asks
 * the kernel for a list (it comes with `keep`, and `resume` goes on), `redraw` draws the view when there is no query.
 * @param {Images} images
 */
export function queryLists(images, { ask, fetch, redraw, say }) {
  let list = null; // {which, title, rows, others, values, note, at}: queries to step through
  let afterFetch = null;
  let asked = -1; // the query shown, as a row
  const known = new Map(); // lists that have come

  const which = make("select", { "aria-label": "list of queries", onchange: () => open(which.value) });
  const previous = button("‹", "previous query of the list (p)", () => step(-1));
  const next = button("›", "next query of the list (n)", () => step(1));
  const place = make("span", { className: "vg-place" });
  const stepper = make("span", { className: "vg-steps" }, previous, place, next);
  const atLeast = make("input", { type: "range", max: "1", step: "any", oninput: () => narrow() });
  const atLeastText = make("output", {});
  const atLeastBox = make("label", { hidden: true }, "similarity ≥", atLeast, atLeastText);

  function offer() {
    const options = [make("option", { value: "" }, "no list")];
    for (const [value, text] of Object.entries(LISTS)) options.push(make("option", { value }, text));
    if (list?.which === "class") options.push(make("option", { value: "class" }, list.title));
    which.replaceChildren(...options);
    which.value = list?.which ?? "";
  }

  function need(name, act) {
    if (known.has(name)) return act();
    const taken = Math.min(images.queries.length, 5000);
    const sample = taken < images.queries.length ? `a sample of ${count(taken)}` : count(taken);
    afterFetch = act;
    fetch(name, `working: comparing ${sample} queries with all images, once; waiting for the kernel`);
  }

  function open(name) {
    if (name === "class") return;
    list = null;
    if (!name) {
      offer();
      redraw();
      return;
    }
    need(name, () => {
      const found = known.get(name);
      list = { ...found, title: LISTS[name], at: -1 };
      if (name === "duplicates") {
        atLeast.min = String(Math.min(0.95, found.values.at(-1) ?? 0));
        atLeast.value = String(Math.max(0.95, found.values[199] ?? 0)); // a set of look-alikes starts with few
        narrow();
      } else first();
    });
  }

  /** Near duplicates above the similarity of the slider; they come in order. */
  function narrow() {
    atLeastText.textContent = Number(atLeast.value).toFixed(3);
    const found = known.get("duplicates");
    const kept = found.values.filter((value) => value >= Number(atLeast.value)).length;
    list = { ...list, rows: found.rows.slice(0, kept), others: found.others, values: found.values, most: found.values[0] };
    first();
  }

  function first() {
    offer();
    if (list.rows.length) {
      list.at = 0;
      ask({ row: list.rows[0] });
      return;
    }
    list.at = -1;
    redraw();
    const most = list.most === undefined ? "" : `; the most similar pair has ${list.most.toFixed(3)}`;
    say(`no queries in this list: ${list.title}${most}`);
  }

  function openClass(label) {
    const rows = images.rows.get(label) ?? [];
    const queries = rows.filter((row) => images.isQuery(row));
    const title = `class: ${oneLine(images.classes[label])}`;
    list = { which: "class", title, rows: queries.length ? queries : rows, at: -1, note: "" };
    first();
  }

  function step(by) {
    if (!list?.rows.length) return;
    const { length } = list.rows;
    list.at = list.at < 0 ? 0 : (list.at + by + length) % length;
    ask({ row: list.rows[list.at] });
  }

  /** A query was asked: where it is in the list, if it is. */
  function follow(row) {
    asked = row;
    if (list && list.rows[list.at] !== row) list.at = list.rows.indexOf(row);
  }

  const anyOf = (rows) => rows[Math.floor(Math.random() * rows.length)];
  function random() {
    ask({ row: anyOf(images.queries) });
  }
  function randomMistake() {
    need("mistakes", () => {
      const { rows } = known.get("mistakes");
      if (rows.length) ask({ row: anyOf(rows) });
      else say("there are no mistakes: the first image is right for every query");
    });
  }

  /** The image for which the query is in the list: its near duplicate, or its nearest wrong one. */
  function other() {
    return list?.others && list.at >= 0 ? list.others[list.at] : undefined;
  }

  /** What a presenter steps through: the open list, or else every query. */
  const steps = {
    count: () => list?.rows.length ?? images.queries.length,
    at: () => list?.at ?? images.queries.indexOf(asked),
    go(at) {
      if (list) step(at - list.at);
      else ask({ row: images.queries[at] });
    },
    title: (at) => oneLine(images.classes[images.labels[(list?.rows ?? images.queries)[at]]]),
  };

  function aboutPair() {
    const row = other();
    if (row === undefined) return "";
    const what = list.which === "duplicates" ? "Near duplicate" : "Nearest wrong image";
    const same = images.labels[row] === images.labels[list.rows[list.at]] ? "the same class" : "another class";
    return ` ${what}: ${isolated(images.ids[row])}, of ${same}, similarity ${list.values[list.at].toFixed(3)}.`;
  }

  function draw() {
    const most = list?.rows.length ?? 0;
    const number = list && list.at >= 0 ? count(list.at + 1) : "–";
    place.textContent = list ? `${number} of ${count(most)}` : "";
    place.title = list?.note ?? "";
    if (list?.note) place.textContent += ` (${list.note})`;
    stepper.hidden = !list;
    previous.disabled = next.disabled = !most;
    atLeastBox.hidden = list?.which !== "duplicates";
  }

  function close() {
    list = null;
    offer();
  }

  /** Other images have come in place of those that the lists are about. */
  function forget() {
    known.clear();
    close();
  }

  offer();
  return {
    which, stepper, steps, atLeastBox, openClass, step, follow, random, randomMistake, other, aboutPair, draw, close, forget,
    keep: (message) => known.set(message.which, message),
    resume: () => afterFetch?.(),
  };
}
