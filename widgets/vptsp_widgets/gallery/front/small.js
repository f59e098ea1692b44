// Thumbnails of a large set by row: the kernel sends those that are shown, not the pages that hold them.

/** @import { Message, Model } from "../../front/model.js" */

const KEPT = 2000;

/**
 * Of a few kilobytes within the address: two dozen blobs, each made and opened by another process, take ten times as long.
 * @param {DataView} file
 */
function addressOf(file) {
  const bytes = new Uint8Array(file.buffer, file.byteOffset, file.byteLength);
  return `data:image/jpeg;base64,${btoa(String.fromCharCode(...bytes))}`;
}

export class SmallImages {
  /** @type {Map<number, string>} */ known = new Map(); // row -> its file as an address, first come first
  /** @type {Set<number>} */ asked = new Set();
  /** @type {number[]} */ wanted = []; // to be asked for together

  /**
   * `came()` hears of thumbnails that have come.
   * @param {Model} model
   * @param {() => void} came
   */
  constructor(model, came) {
    this.model = model;
    this.came = came;
    model.on("msg:custom", this.receive);
  }

  /**
   * The address of a thumbnail; one that is not here is asked for, if `ask`.
   * @param {number} row
   */
  get(row, ask = false) {
    const url = this.known.get(row);
    if (!url && ask && !this.asked.has(row)) {
      this.asked.add(row);
      if (this.wanted.push(row) === 1) queueMicrotask(() => this.send());
    }
    return url;
  }

  send() {
    if (this.wanted.length) this.model.send({ kind: "tiles", rows: this.wanted });
    this.wanted = [];
  }

  receive = (/** @type {Message} */ message, /** @type {DataView[]} */ buffers) => {
    if (message.kind !== "tiles") return;
    const waited = message.rows.map((/** @type {number} */ row) => this.asked.has(row)); // others are of images before these
    this.take(message.rows.filter((_, place) => waited[place]), buffers.filter((_, place) => waited[place]));
    this.came();
  };

  /**
   * A thumbnail for each row, from whichever message.
   * @param {number[]} rows
   * @param {DataView[]} files - JPEG
   */
  take(rows, files) {
    rows.forEach((row, place) => {
      this.asked.delete(row);
      if (!this.known.has(row)) this.known.set(row, addressOf(files[place]));
    });
    while (this.known.size > KEPT) this.known.delete(/** @type {number} */ (this.known.keys().next().value));
  }

  /** Other images have come in place of these. */
  forget() {
    this.known.clear();
    this.asked.clear();
    this.wanted = [];
  }

  close() {
    this.model.off("msg:custom", this.receive);
    this.forget();
  }
}
