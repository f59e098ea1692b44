// What a page without a kernel can answer: kept views, and of a selection, as the measures of each query are in it.

import { float32, int32, typed } from "../../front/bytes.js";
import { openOffline } from "./views.js";
/** @import { Message, Model } from "../../front/model.js" */

const RESAMPLES = 1000;
const [FEWEST_CLASSES, MOST_DRAWN] = [8, 2000]; // as in vptsp/analysis/resampling.py; of more queries a mean is as good as normal

/** @typedef {(row: number) => number} Values - of a measure, for each query */

/**
 * Plays the kernel for `measure` and `open_view`.
 * @param {Message} message
 * @param {Model} model
 * @param {(answer: Message) => void} reply
 */
export function answerOffline(message, model, reply) {
  if (model.live === false && message.kind === "open_view") openOffline(message, model, reply);
  if (model.live === false && message.kind === "measure") reply({ kind: "measured", question: message.question, turn: message.turn, ...measured(message.rows, model) });
}

/**
 * @param {number[]} rows
 * @param {Model} model
 */
function measured(rows, model) {
  const values = float32(model.get("_query_values"));
  /** @type {string[]} */
  const names = model.get("_query_names");
  const isQuery = typed(Uint8Array, model.get("_is_query"));
  const size = isQuery.length;
  const labels = int32(model.get("_codes")).subarray(0, size);
  const chosen = new Set(rows);
  const scored = [...isQuery.keys()].filter((row) => !Number.isNaN(values[row]));
  const [here, rest] = [scored.filter((row) => chosen.has(row)), scored.filter((row) => !chosen.has(row))];
  const asked = rows.filter((row) => isQuery[row]).length;
  if (!here.length) {
    return { error: `none of the ${rows.length} images selected is a query that has something to find `
      + `(${rows.length - asked} are no queries, ${asked} have no other image of their class in the gallery); select others` };
  }
  const whole = new Set(here.map((row) => labels[row])).size >= FEWEST_CLASSES;
  const metrics = names.map((name, place) => {
    const of = (/** @type {number} */ row) => values[place * size + row];
    const [ours, theirs] = [meanOf(here, of), rest.length ? meanOf(rest, of) : null];
    const draws = whole ? drawClasses(of, here, rest, labels) : drawQueries(of, here, rest);
    const apart = theirs === null ? null : [ours - theirs, ...middle(draws.map(([one, other]) => one - other))];
    return { name, here: [ours, ...middle(draws.map(([one]) => one))], rest: theirs, difference: apart };
  });
  return { metrics, images: rows.length, scored: here.length, lone: asked - here.length, not_queries: rows.length - asked,
    rest_scored: rest.length, unit: whole ? "classes" : "queries" };
}

/**
 * @param {number[]} rows
 * @param {Values} of
 */
const meanOf = (rows, of) => rows.reduce((sum, row) => sum + of(row), 0) / rows.length;

/** The middle 95 %. @param {number[]} numbers */
function middle(numbers) {
  const sorted = numbers.filter(Number.isFinite).sort((one, other) => one - other);
  return [0.025, 0.975].map((part) => sorted[Math.round(part * (sorted.length - 1))]);
}

const any = (/** @type {number} */ number) => Math.floor(Math.random() * number);

/**
 * Means of both sides, of as many queries of each, drawn with repetition.
 * @param {Values} of
 * @param {number[]} here
 * @param {number[]} rest
 */
function drawQueries(of, here, rest) {
  const [ours, theirs] = [here, rest].map((rows) => {
    const mean = meanOf(rows, of);
    if (rows.length <= MOST_DRAWN) return () => rows.reduce((sum) => sum + of(rows[any(rows.length)]), 0) / rows.length;
    const error = Math.sqrt(meanOf(rows, (row) => (of(row) - mean) ** 2) / rows.length);
    return () => mean + error * Math.sqrt(-2 * Math.log(1 - Math.random())) * Math.cos(2 * Math.PI * Math.random());
  });
  return Array.from({ length: RESAMPLES }, () => [ours(), theirs()]);
}

/**
 * The same for whole classes, drawn for both sides at once.
 * @param {Values} of
 * @param {number[]} here
 * @param {number[]} rest
 * @param {Int32Array} labels
 */
function drawClasses(of, here, rest, labels) {
  /** @type {Map<number, number[]>} */
  const classes = new Map(); // label -> sum and number here, sum and number in the rest
  [here, rest].forEach((rows, side) => rows.forEach((row) => {
    const sums = classes.get(labels[row]) ?? [0, 0, 0, 0];
    sums[2 * side] += of(row);
    sums[2 * side + 1] += 1;
    classes.set(labels[row], sums);
  }));
  const all = [...classes.values()];
  return Array.from({ length: RESAMPLES }, () => {
    const total = [0, 0, 0, 0];
    all.forEach(() => all[any(all.length)].forEach((number, place) => (total[place] += number)));
    return [total[0] / total[1], total[2] / total[3]];
  });
}
