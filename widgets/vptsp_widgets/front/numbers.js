// A little arithmetic.

/**
 * @param {number} value
 * @param {number} low
 * @param {number} high
 */
export const clip = (value, low, high) => Math.min(high, Math.max(low, value));
/** @param {{ reduce: (add: (sum: number, value: number) => number, start: number) => number }} values - an array */
export const total = (values) => values.reduce((sum, value) => sum + value, 0);
