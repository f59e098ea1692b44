// Numbers and names as text.

/** 12,345: by hand, as the first number by `Intl` takes 60 ms. @param {number} number */
export const count = (number) => String(number).replace(/\B(?=(\d{3})+(?!\d))/g, ",");
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
