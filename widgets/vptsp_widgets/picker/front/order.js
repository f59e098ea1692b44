// Which runs are shown, and in which order.

import { COLUMNS, cellText } from "./columns.js";

/** @typedef {{ key: string, down: boolean }} Sort - by a column */

/** Rows in the order of a column; what has no value comes last either way, equals stay as they were. */
function sorted(runs, { key, down }) {
  const compare = new Intl.Collator("en", { numeric: true }).compare;
  return [...runs.keys()].sort((a, b) => {
    const [left, right] = [runs[a][key], runs[b][key]];
    if (left === null || right === null) return Number(left === null) - Number(right === null) || a - b;
    const way = typeof left === "number" ? left - right : compare(left, right);
    return (down ? -way : way) || a - b;
  });
}

/**
 * Of the runs that say every word of a text in some column.
 * @param {any[]} runs
 * @param {string} text
 * @param {Sort} sort
 */
export function ordered(runs, text, sort) {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  return sorted(runs, sort).filter((index) => {
    const all = COLUMNS.map((column) => cellText(runs[index], column).toLowerCase());
    return words.every((word) => all.some((one) => one.includes(word)));
  });
}

/**
 * How a click on a heading changes the order: the largest numbers first, names from A, the other way the next time.
 * @param {Sort} sort
 * @param {string} key
 * @returns {Sort}
 */
export function sortedBy(sort, key) {
  const largest = ["recall", "map", "trained", "when"].includes(key);
  return { key, down: sort.key === key ? !sort.down : largest };
}
