// Numbers of a column as text, and dates, which are days after the first of them (vptsp_widgets/space/dates.py).

import { count } from "../../front/text.js";
/** @import { Column } from "./cloud.js" */

export const SECOND = 7e-6; // of a day, and a little for rounding: to which states write dates
export const figure = (number) => (Number.isInteger(number) ? count(number) : Number(number.toPrecision(4)).toString());

/** @param {number} since @param {number} seconds - after it */
const written = (since, seconds) => new Date(since + 1000 * Math.round(seconds)).toISOString();

/**
 * A value of a column as people read it.
 * @param {Pick<Column, "since" | "days">} column
 * @param {number} value
 */
export function told({ since, days }, value) {
  if (since === undefined) return figure(value);
  return days ? written(since, 86400 * value).slice(0, 10) : written(since, 86400 * value + 30).slice(0, 16).replace("T", " ");
}

/**
 * A value of a column as the state has it: a number, or a date as text.
 * @param {Pick<Column, "since" | "days">} column
 * @param {number} value
 */
export function stated({ since, days }, value) {
  return since === undefined ? value : written(since, 86400 * value).slice(0, days ? 10 : 19);
}

/**
 * The value that the state means.
 * @param {Pick<Column, "since">} column
 * @param {number | string} end
 */
export function meant({ since }, end) {
  if (since === undefined || typeof end === "number") return Number(end);
  return (Date.parse(end.length > 10 ? `${end}Z` : end) - since) / 864e5;
}

/**
 * What lies between two ends of a condition; a high end that is a day ends with it.
 * @param {Pick<Column, "since">} column
 * @param {{ low?: number | string, high?: number | string }} condition
 * @returns {[number, number]}
 */
export function between(column, { low = -Infinity, high = Infinity }) {
  const [from, to] = [meant(column, low), meant(column, high)];
  if (column.since === undefined) return [from, to];
  return [from - SECOND, to + SECOND + (typeof high === "string" && high.length === 10 ? 1 - 2 * SECOND : 0)];
}
