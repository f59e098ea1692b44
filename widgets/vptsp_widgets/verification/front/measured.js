// What a threshold is worth, from counts of pairs in bins of cosines; vptsp/analysis/verification.py computes the same.

/** @typedef {{ threshold: number, accepted: number[], total: number[], tar: number, far: number, frr: number, precision: number | null, accuracy: number }} At */

export class Measured {
  /**
   * Thresholds are the edges of the bins, by number: edge 0 accepts all pairs, the last one none.
   * @param {Float64Array} genuine - pairs of one class in bins from cosine -1 to 1
   * @param {Float64Array} impostors - other pairs
   */
  constructor(genuine, impostors) {
    this.counts = [genuine, impostors];
    this.bins = genuine.length;
    this.accepted = this.counts.map((counts) => {
      const above = new Float64Array(counts.length + 1);
      for (let bin = counts.length - 1; bin >= 0; bin -= 1) above[bin] = above[bin + 1] + counts[bin];
      return above;
    });
    this.totals = this.accepted.map((above) => above[0]);
  }

  cosine(edge) {
    return -1 + (2 * edge) / this.bins;
  }

  edge(threshold) {
    return Math.min(this.bins, Math.max(0, Math.round(((threshold + 1) * this.bins) / 2)));
  }

  /** @returns {At} */
  at(edge) {
    const accepted = this.accepted.map((above) => above[edge]);
    const [tar, far] = accepted.map((count, kind) => count / this.totals[kind]);
    const all = accepted[0] + accepted[1];
    return {
      threshold: this.cosine(edge), accepted, total: this.totals, tar, far,
      frr: (this.totals[0] - accepted[0]) / this.totals[0],
      precision: all ? accepted[0] / all : null,
      accuracy: (tar + 1 - far) / 2,
    };
  }

  /** The first edge and the last between which there are pairs. */
  occupied() {
    const held = (bin) => this.counts.some((counts) => counts[bin] > 0);
    let [low, high] = [0, this.bins];
    while (low < high - 1 && !held(low)) low += 1;
    while (high > low + 1 && !held(high - 1)) high -= 1;
    return [low, high];
  }

  /**
   * Shares of both kinds, each of its own pairs, in bars of `group` bins from `low` to `high`.
   * @returns {number[][]}
   */
  shares(group, low, high) {
    return this.accepted.map((above, kind) => {
      const bars = [];
      for (let edge = low; edge < high; edge += group) {
        bars.push((above[edge] - above[Math.min(edge + group, this.bins)]) / this.totals[kind]);
      }
      return bars;
    });
  }
}
