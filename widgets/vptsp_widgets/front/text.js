// Numbers and names as text.

/** @param {number} number */
export const count = (number) => number.toLocaleString("en-US");
/**
 * @param {string} text
 * @param {number} most - letters
 */
export const short = (text, most) => (text.length > most ? `${text.slice(0, most - 1)}…` : text);
