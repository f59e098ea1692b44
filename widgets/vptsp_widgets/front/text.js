// Numbers and names as text.

/** @param {number} number */
export const count = (number) => number.toLocaleString("en-US");
/**
 * @param {string} text
 * @param {number} most - letters
 */
export const short = (text, most) => (text.length > most ? `${text.slice(0, most - 1)}…` : text);
/**
 * Behind how many of `shown` are right: of how many, where all there are would not fill the list.
 * @param {number | undefined} relevant
 * @param {number} shown
 */
export const ofAll = (relevant, shown) => (relevant !== undefined && relevant < shown ? ` of the ${relevant} there are` : "");
