// Whole pictures by row, which the kernel sends when they are first looked at; the last ones are kept.

/** @import { Message, Model } from "../../front/model.js" */

const KEPT = 40;

/** @typedef {{ url: string, note: string }} Large */

export class LargeImages {
  /** @type {Map<number, Large>} */ known = new Map(); // least recently used first
  /** @type {Set<number>} */ asked = new Set();

  /**
   * `came(row)` hears of pictures that have come.
   * @param {Model} model
   * @param {(row: number) => void} came
   */
  constructor(model, came) {
    this.model = model;
    this.came = came;
    model.on("msg:custom", this.receive);
  }

  /**
   * The picture, or undefined while it is on its way; without a kernel none ever comes. `ask`: whether it may be asked for.
   * @param {number} row
   */
  get(row, ask = true) {
    const found = this.known.get(row);
    if (found) {
      this.known.delete(row);
      this.known.set(row, found);
    } else if (ask && this.model.live !== false && !this.asked.has(row)) {
      this.asked.add(row);
      this.model.send({ kind: "large", row });
    }
    return found;
  }

  receive = (/** @type {Message} */ message, /** @type {BlobPart[]} */ buffers) => {
    if (message.kind !== "large" || !this.asked.delete(message.row)) return; // of images that were here before
    this.known.set(message.row, { url: URL.createObjectURL(new Blob([buffers[0]], { type: "image/jpeg" })), note: message.note });
    while (this.known.size > KEPT) this.drop(/** @type {number} */ (this.known.keys().next().value));
    this.came(message.row);
  };

  /** @param {number} row */
  drop(row) {
    URL.revokeObjectURL(/** @type {Large} */ (this.known.get(row)).url);
    this.known.delete(row);
  }

  /** Other images have come in place of these. */
  forget() {
    for (const row of [...this.known.keys()]) this.drop(row);
    this.asked.clear();
  }

  close() {
    this.model.off("msg:custom", this.receive);
    this.forget();
  }
}
