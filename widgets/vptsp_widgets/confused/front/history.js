// The way back: what was shown before a pair or an image was chosen, with the place on the page.

/** @import { Pairs } from "./pairs.js" */

const MOST = 50; // steps kept

/** @typedef {ReturnType<Pairs["now"]> & { kind: "pair" | "image", scroll: number, thumb: number }} Step */

export class Steps {
  /** @type {Step[]} */ past = [];

  /**
   * @param {Pairs} pairs
   * @param {{ place: () => { scroll: number, thumb: number }, put: (step: Step) => void, changed: () => void }} page - where the
   *   list is scrolled to and which thumbnail has the focus of the keyboard; `put` brings both back
   */
  constructor(pairs, page) {
    this.pairs = pairs;
    this.page = page;
  }

  /** Called before something is chosen; pairs that arrows pass by are one step. */
  remember(kind, passing = false) {
    if (passing && this.past.at(-1)?.kind === "pair") return;
    this.past.push({ kind, ...this.pairs.now(), ...this.page.place() });
    if (this.past.length > MOST) this.past.shift();
    this.page.changed();
  }

  /** Answers whether there was a step to take back. */
  back() {
    const step = this.past.pop();
    if (!step) return false;
    this.pairs.restore(step);
    this.page.put(step);
    this.page.changed();
    return true;
  }

  forget() {
    this.past.length = 0;
    this.page.changed();
  }
}
