// Which jobs are shown, and in which order.

/** @import { Column } from "./columns.js" */
/** @import { Job } from "./sweep.js" */

/** @typedef {{ key: string, down: boolean }} Sort - by a column; "": the plan's order */

/** Numbers as numbers wherever both are, else as text. */
const collator = new Intl.Collator("en", { numeric: true });
function compared(left, right) {
  const numbers = [Number(left), Number(right)];
  return numbers.some(Number.isNaN) || left === "" || right === "" ? collator.compare(left, right) : numbers[0] - numbers[1];
}

/**
 * Rows of the jobs of a state ("": of any) of which each word says something.
 * @param {Job[]} jobs
 * @param {string} text - of the filter
 * @param {string} state
 */
export function matching(jobs, text, state) {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  return [...jobs.keys()].filter((index) => {
    const job = jobs[index];
    if (state && job.state !== state) return false;
    const all = [job.state, job.title, job.label, job.error, ...job.parameters.map(([key, value]) => `${key}=${value}`)].join("\n").toLowerCase();
    return words.every((word) => all.includes(word));
  });
}

/**
 * These rows as a column orders them; what has no value comes last either way, equals stay as they were.
 * @param {number[]} rows
 * @param {Job[]} jobs
 * @param {Column[]} columns
 * @param {Sort} sort
 */
export function ordered(rows, jobs, columns, sort) {
  const value = columns.find(([key]) => key === sort.key)?.[2];
  if (!value) return rows;
  return [...rows].sort((a, b) => {
    const [left, right] = [value(jobs[a]) ?? null, value(jobs[b]) ?? null];
    if (left === null || right === null) return Number(left === null) - Number(right === null) || a - b;
    const way = compared(left, right);
    return (sort.down ? -way : way) || a - b;
  });
}

/**
 * How a click on a heading changes the order: largest first where that matters, the other way, back to the plan's.
 * @param {Sort} sort
 * @param {string} key
 * @returns {Sort}
 */
export function sortedBy(sort, key) {
  const first = ["progress", "best", "test", "seconds", "attempts"].includes(key); // the largest of these
  if (sort.key !== key) return { key, down: first };
  return sort.down === first ? { key, down: !first } : { key: "", down: false };
}
