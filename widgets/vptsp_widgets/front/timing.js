// What waits until nothing more comes.

/**
 * Calls `act` after `wait` ms without another call; the latest arguments win.
 * @template {any[]} Values
 * @param {(...values: Values) => void} act
 */
export function debounced(act, wait = 80) {
  let timer = 0;
  return (/** @type {Values} */ ...values) => {
    clearTimeout(timer);
    timer = setTimeout(() => act(...values), wait);
  };
}
