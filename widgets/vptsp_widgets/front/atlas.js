// Thumbnails by row, cut from pages of many.

import { make } from "./dom.js";

/** Thumbnails by row, on pages that are asked for when first needed and dropped when long unused. */
export class Atlas {
  // The model's trait `_atlas` = {tile, side, places: null | [place of row or -1]}; null: the row is the place.
  constructor(model, onPage, most = 12) {
    this.model = model;
    this.onPage = onPage;
    this.most = most;
    this.pages = new Map(); // page -> {bitmap, url}, least recently used first
    this.asked = new Set();
    this.receive = (message, buffers) => {
      if (message.kind === "page") this.arrived(message.page, buffers[0], message.url);
    };
    model.on("msg:custom", this.receive);
  }

  place(row) {
    const { tile, side, places } = this.model.get("_atlas");
    const place = places ? places[row] : row;
    if (place === undefined || place < 0) return null;
    const page = Math.floor(place / (side * side));
    const inPage = place % (side * side);
    return { page, x: (inPage % side) * tile, y: Math.floor(inPage / side) * tile, tile };
  }

  /** The page, or null while it is on its way. */
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
    while (this.pages.size > this.most) this.drop(this.pages.keys().next().value);
    this.onPage(number);
  }

  drop(number) {
    const page = this.pages.get(number);
    if (page && page.url.startsWith("blob:")) URL.revokeObjectURL(page.url);
    this.pages.delete(number);
  }

  /** Draws the thumbnail of a row; a grey tile while its page is on its way. */
  draw(context, row, x, y, size) {
    const place = this.place(row);
    const page = place && this.page(place.page);
    if (page) context.drawImage(page.bitmap, place.x, place.y, place.tile, place.tile, x, y, size, size);
    else {
      context.fillStyle = "#8b8f96";
      context.fillRect(x, y, size, size);
    }
    return Boolean(page);
  }

  /** A canvas with the thumbnail; it is filled once its page has come. `alt` is what a screen reader says. */
  element(row, size, alt) {
    const ratio = Math.max(1, Math.min(3, window.devicePixelRatio || 1));
    const canvas = make("canvas", { width: size * ratio, height: size * ratio, role: "img", "aria-label": alt, title: alt });
    canvas.style.width = canvas.style.height = `${size}px`;
    canvas.dataset.row = row;
    this.fill(canvas);
    return canvas;
  }

  fill(canvas) {
    const context = canvas.getContext("2d");
    context.imageSmoothingQuality = "high";
    const done = this.draw(context, Number(canvas.dataset.row), 0, 0, canvas.width);
    canvas.classList.toggle("vptsp-waiting", !done);
  }

  /** Fills the canvases in `root` that still wait. */
  refill(root) {
    for (const canvas of root.querySelectorAll("canvas.vptsp-waiting")) this.fill(canvas);
  }

  close() {
    this.closed = true; // a page that is being decoded comes too late
    this.model.off("msg:custom", this.receive);
    for (const number of [...this.pages.keys()]) this.drop(number);
  }
}
