// What waits until nothing more comes or a frame is there, and what does not wait the first time.

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

/**
 * Calls `act` at once, unless it was called less than `wait` ms ago: then as soon as nothing more comes for that long.
 * @template {any[]} Values
 * @param {(...values: Values) => void} act
 */
export function promptly(act, wait) {
  let last = -Infinity;
  const later = debounced(act, wait);
  return (/** @type {Values} */ ...values) => {
    const soon = performance.now() - last < wait;
    last = performance.now();
    if (soon) later(...values);
    else act(...values);
  };
}

/** Calls `act` once the next frame is painted. @param {() => void} act */
export const afterFrame = (act) => requestAnimationFrame(() => setTimeout(act));
