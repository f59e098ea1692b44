// Thumbnails by row, cut from pages of many.

import { make, penOf } from "./dom.js";

/** @import { Model } from "./model.js" */

/** Thumbnails by row, on pages that are asked for when first needed and dropped when long unused. */
export class Atlas {
  /**
   * The model's trait `_atlas` = {tile, side, places: null | [place of row or -1]}; null: the row is the place.
   * @param {Pick<Model, "get" | "on" | "off" | "send" | "live">} model
   * @param {(page: number) => void} onPage - hears of pages that have come
   */
  constructor(model, onPage, most = 12) {
    this.model = model;
    this.onPage = onPage;
    this.most = most;
    /** @type {Map<number, { bitmap: HTMLImageElement, url: string }>} */
    this.pages = new Map(); // by page, least recently used first
    /** @type {Set<number>} */
    this.asked = new Set();
    this.closed = false;
    this.receive = (/** @type {any} */ message, /** @type {DataView<ArrayBuffer>[]} */ buffers) => {
      if (message.kind === "page") this.arrived(message.page, buffers[0], message.url);
    };
    model.on("msg:custom", this.receive);
  }

  /** @param {number} row */
  place(row) {
    const { tile, side, places } = this.model.get("_atlas");
    const place = places ? places[row] : row;
    if (place === undefined || place < 0) return null;
    const page = Math.floor(place / (side * side));
    const inPage = place % (side * side);
    return { page, x: (inPage % side) * tile, y: Math.floor(inPage / side) * tile, tile };
  }

  /**
   * The page, or null while it is on its way.
   * @param {number} number
   */
  page(number) {
    const page = this.pages.get(number);
    if (page) {
      this.pages.delete(number);
      this.pages.set(number, page);
      return page;
    }
    if (!this.asked.has(number)) {
      this.asked.add(number);
      this.model.send({ kind: "page", page: number });
    }
    return null;
  }

  /**
   * @param {number} number
   * @param {BlobPart} buffer - JPEG, unless there is an address
   * @param {string} [url]
   */
  async arrived(number, buffer, url) {
    const source = url ?? URL.createObjectURL(new Blob([buffer], { type: "image/jpeg" }));
    const image = new Image();
    image.src = source;
    let readable = true;
    try {
      await image.decode();
    } catch {
      readable = false; // its tiles stay grey
    }
    if (!readable || this.closed) {
      if (source.startsWith("blob:")) URL.revokeObjectURL(source);
      return;
    }
    this.asked.delete(number);
    this.pages.set(number, { bitmap: image, url: source });
    while (this.pages.size > this.most) this.drop(/** @type {number} */ (this.pages.keys().next().value));
    this.onPage(number);
  }

  /** @param {number} number */
  drop(number) {
    const page = this.pages.get(number);
    if (page && page.url.startsWith("blob:")) URL.revokeObjectURL(page.url);
    this.pages.delete(number);
  }

  /**
   * Draws the thumbnail of a row; a grey tile while its page is on its way.
   * @param {CanvasRenderingContext2D} context
   * @param {number} row
   * @param {number} x
   * @param {number} y
   * @param {number} size
   */
  draw(context, row, x, y, size) {
    const place = this.place(row);
    const page = place && this.page(place.page);
    if (place && page) context.drawImage(page.bitmap, place.x, place.y, place.tile, place.tile, x, y, size, size);
    else {
      context.fillStyle = "#8b8f96";
      context.fillRect(x, y, size, size);
    }
    return Boolean(page);
  }

  /**
   * A canvas with the thumbnail; it is filled once its page has come. `alt` is what a screen reader says.
   * @param {number} row
   * @param {number} size
   * @param {string} alt
   */
  element(row, size, alt) {
    const ratio = Math.max(1, Math.min(3, window.devicePixelRatio || 1));
    const canvas = make("canvas", { width: size * ratio, height: size * ratio, role: "img", "aria-label": alt, title: alt });
    canvas.style.width = canvas.style.height = `${size}px`;
    canvas.dataset.row = String(row);
    this.fill(canvas);
    return canvas;
  }

  /** @param {HTMLCanvasElement} canvas */
  fill(canvas) {
    const context = penOf(canvas);
    context.imageSmoothingQuality = "high";
    const done = this.draw(context, Number(canvas.dataset.row), 0, 0, canvas.width);
    canvas.classList.toggle("vptsp-waiting", !done);
  }

  /**
   * Fills the canvases in `root` that still wait.
   * @param {ParentNode} root
   */
  refill(root) {
    for (const canvas of root.querySelectorAll("canvas.vptsp-waiting")) this.fill(/** @type {HTMLCanvasElement} */ (canvas));
  }

  close() {
    this.closed = true; // a page that is being decoded comes too late
    this.model.off("msg:custom", this.receive);
    for (const number of [...this.pages.keys()]) this.drop(number);
  }
}
