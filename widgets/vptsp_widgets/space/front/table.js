// The images selected as text: their ids, and what is known of them as CSV.

import { told } from "./dates.js";
/** @import { Cloud } from "./cloud.js" */

/**
 * @param {Cloud} cloud
 * @param {number[]} rows
 */
export const idsOf = (cloud, rows) => rows.map((row) => cloud.wholeId(row)).join("\n");

/**
 * A line for each image, of its id and all columns; RFC 4180.
 * @param {Cloud} cloud
 * @param {number[]} rows
 */
export function csvOf(cloud, rows) {
  const names = cloud.columns.map(({ name }) => name);
  const lines = rows.map((row) => [cloud.wholeId(row), ...names.map((name) => valueOf(cloud, name, row))]);
  return [["id", ...names], ...lines].map((line) => `${line.map(quoted).join(",")}\r\n`).join("");
}

/** What a column says of an image in full; empty where it says nothing. */
function valueOf(cloud, name, row) {
  const column = cloud.column(name);
  if (column.kind === "category") return column.values[cloud.codes[column.start + row]] ?? "";
  const value = cloud.numbers[column.start + row];
  if (column.since !== undefined) return Number.isFinite(value) ? told(column, value) : "";
  return Number.isFinite(value) ? String(Number(value.toPrecision(7))) : ""; // what a float32 holds
}

const quoted = (text) => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
