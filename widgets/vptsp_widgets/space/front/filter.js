// Which images a filter leaves: conditions on columns, all of which must hold.

import { between } from "./dates.js";
/** @import { Cloud } from "./cloud.js" */

/**
 * On a column of numbers or dates `low` to `high`; on one of categories, those in `values`, or those that have `text` in them. The
 * column "" is the ids. What an image does not have passes nothing.
 * @typedef {{ column: string, low?: number | string, high?: number | string, values?: string[], text?: string }} Condition
 */

/**
 * Says of a row whether it passes; null where there is no condition.
 * @param {Cloud} cloud
 * @param {Condition[]} conditions
 * @returns {((row: number) => boolean) | null}
 */
export function filterOf(cloud, conditions) {
  const tests = conditions.filter(({ column }) => column === "" || cloud.columns.some(({ name }) => name === column)).map((one) => testOf(cloud, one));
  return tests.length ? (row) => tests.every((test) => test(row)) : null;
}

/**
 * @param {Cloud} cloud
 * @param {Condition} condition
 * @returns {(row: number) => boolean}
 */
function testOf(cloud, { column, low, high, values, text }) {
  const wanted = text?.trim().toLocaleLowerCase() ?? "";
  const has = (/** @type {string} */ value) => value.toLocaleLowerCase().includes(wanted);
  if (column === "") return (row) => has(cloud.wholeId(row));
  const own = cloud.column(column);
  const { kind, start, values: names } = own;
  if (kind === "number") {
    const [from, to] = between(own, { low, high });
    return (row) => cloud.numbers[start + row] >= from && cloud.numbers[start + row] <= to;
  }
  const passes = names.map((name) => (values ? values.includes(name) : has(name)));
  return (row) => passes[cloud.codes[start + row]] ?? false;
}

/**
 * How many images are in each of `bins` equal parts of a column of numbers.
 * @param {Cloud} cloud
 * @param {string} name
 * @param {number} bins
 */
export function histogram(cloud, name, bins) {
  const { start, least, most } = cloud.column(name);
  const counts = new Array(bins).fill(0);
  for (let row = 0; row < cloud.size; row++) {
    const value = cloud.numbers[start + row];
    if (cloud.drawable[row] && Number.isFinite(value)) counts[Math.min(bins - 1, Math.floor(((value - least) / (most - least || 1)) * bins))] += 1;
  }
  return counts;
}
