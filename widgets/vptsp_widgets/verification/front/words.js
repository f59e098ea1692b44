// Rates in words; verification/words.py says the same in the same words.

/** A share, 0 to 1, in percent: with more digits where it is so near to none or to all that they matter. */
export function percent(share) {
  const value = 100 * share;
  if (value > 0 && value < 0.001) return "< 0.001 %";
  if (value > 99.999 && value < 100) return "> 99.999 %";
  const digits = (value > 0 && value < 0.1) || (value > 99.9 && value < 100) ? 3 : 1;
  return `${(Math.floor(value * 10 ** digits + 0.5) / 10 ** digits).toFixed(digits)} %`;
}

/** What a threshold does, as the end of a sentence. @param {{ tar: number, far: number }} at */
export const said = ({ tar, far }) => `accepts ${percent(tar)} of same-class pairs, and ${percent(far)} of others`;

/** A round share, such as 0.01, in percent. */
export const round = (share) => `${Number((100 * share).toPrecision(3))} %`;

export const KINDS = ["same class", "other classes"];
