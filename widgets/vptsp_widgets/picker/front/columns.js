// The columns of the table of runs: their titles, and how values are written.

import { count } from "../../front/text.js";
import { moment } from "../../front/time.js";

/** @typedef {[key: string, title: string, form?: (value: any, row: any) => string]} Column */

/** @type {Column[]} */
export const COLUMNS = [
  ["name", "run"],
  ["state", "state"],
  ["method", "method"],
  ["dataset", "data set"],
  ["recall", "R@1", (value, row) => `${(100 * value).toFixed(1)} % ${row.metrics[0]}`.trim()], // of recognition: top-1
  ["map", "MAP@R", (value, row) => `${(100 * value).toFixed(1)} % ${row.metrics[1]}`.trim()],
  ["trained", "trained", count],
  ["when", "when", moment],
];

/** @type {(row: any, column: Column) => string} */
export const cellText = (row, [key, , form]) => (row[key] === null ? "–" : form ? form(row[key], row) : row[key]);

/** @param {Column} column */
export const isNumber = ([key, , form]) => Boolean(form) && key !== "when";
