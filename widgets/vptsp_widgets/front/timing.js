// What waits until nothing more comes.

/** Calls `act` after `wait` ms without another call; the latest arguments win. */
export function debounced(act, wait = 80) {
  let timer = 0;
  return (...values) => {
    clearTimeout(timer);
    timer = setTimeout(() => act(...values), wait);
  };
}
