// Times as text.

const two = (/** @type {number} */ number) => String(number).padStart(2, "0");

/**
 * How long something takes: "1:02 h", "3:20 min", "45 s"; "–" where nobody knows.
 * @param {number | null | undefined} seconds
 */
export function duration(seconds) {
  if (seconds === null || seconds === undefined) return "–";
  const all = Math.max(0, Math.round(seconds));
  const [hours, minutes, rest] = [Math.floor(all / 3600), Math.floor(all / 60) % 60, all % 60];
  return hours ? `${hours}:${two(minutes)} h` : minutes ? `${minutes}:${two(rest)} min` : `${rest} s`;
}

/**
 * When something was, by the reader's clock: "2026-03-01 09:30".
 * @param {number} seconds - since 1970
 */
export function moment(seconds) {
  const time = new Date(seconds * 1000);
  return `${time.getFullYear()}-${two(time.getMonth() + 1)}-${two(time.getDate())} ${two(time.getHours())}:${two(time.getMinutes())}`;
}
