// Pictures: thumbnails on pages or sent one by one, and those of uploads; the URLs made for them are given back.

import { Atlas } from "../../front/atlas.js";
import { make } from "../../front/dom.js";
import { PROXIES } from "../../front/signs.js";
import { bdi, oneLine } from "./elements.js";
import { LargeImages } from "./large.js";
import { SmallImages } from "./small.js";
/** @import { Model } from "../../front/model.js" */
/** @import { Images } from "./images.js" */
/** @import { Query } from "./requests.js" */

export class Pictures {
  /**
   * @param {Model} model
   * @param {Images} images
   * @param {HTMLElement} root
   * @param {() => void} largeCame
   */
  constructor(model, images, root, largeCame) {
    this.model = model;
    this.live = model.live !== false;
    this.large = new LargeImages(model, largeCame);
    this.images = images;
    this.atlas = new Atlas(model, () => this.atlas.refill(root));
    this.previews = new Map(); // upload -> URL
    this.root = root;
    this.small = new SmallImages(model, () => this.refill());
  }

  /** What came with an answer: last a tile for each of `rows`, and before them the picture of an upload, if any. */
  take(rows, buffers, upload) {
    const tiles = buffers?.slice(buffers.length - (rows?.length ?? 0)) ?? [];
    this.small.take(rows ?? [], tiles);
    if (buffers?.length > tiles.length && upload && !this.previews.has(upload)) {
      this.previews.set(upload, URL.createObjectURL(new Blob([buffers[0]], { type: "image/jpeg" })));
    }
  }

  /** The picture of an image; `alt` is what a screen reader says. */
  element(row, size, alt) {
    const { tile } = this.model.get("_atlas") ?? {};
    if (tile && this.atlas.place(row)) return this.singly ? this.single(row, size, alt) : this.atlas.element(row, size, alt);
    const id = this.images.ids[row];
    return make(
      "span", { className: "vg-missing", role: "img", "aria-label": `${alt}; no picture`, title: id, style: { width: `${size}px`, height: `${size}px` } },
      "no picture of", bdi(id.split("/").at(-1)),
    );
  }

  /** Whether thumbnails come one by one. */
  get singly() {
    return this.live && this.model.get("_singly");
  }

  /** A thumbnail, or a grey tile until it comes. */
  single(row, size, alt) {
    const url = this.small.get(row, true);
    if (url) return make("img", { src: url, alt, width: size, height: size });
    const waiting = make(
      "span", { className: "vptsp-waiting vg-waiting", role: "img", "aria-label": alt, style: { width: `${size}px`, height: `${size}px` } });
    Object.assign(waiting.dataset, { row: String(row), size: String(size) });
    return waiting;
  }

  refill() {
    for (const waiting of /** @type {NodeListOf<HTMLElement>} */ (this.root.querySelectorAll("span.vptsp-waiting"))) {
      const { row, size } = waiting.dataset;
      if (this.small.get(Number(row))) waiting.replaceWith(this.single(Number(row), Number(size), waiting.getAttribute("aria-label")));
    }
  }

  /** The picture of an upload, or a sign that it is on its way. */
  ofUpload(upload, alt) {
    const url = this.previews.get(upload);
    return url ? make("img", { src: url, alt }) : make("span", { className: "vg-missing" }, "…");
  }

  /**
   * What is searched with, sharp: the whole picture once it is here, till then, and without a kernel, the thumbnail. It is
   * asked for after the answer has come, which is waited for.
   * @param {Query} query
   */
  ofQuery(query, answered = true) {
    if (query.upload) return this.ofUpload(query.upload, `query: the file ${oneLine(query.name)}`);
    if (query.text !== undefined) return make("span", { className: "vg-missing vg-words" }, "“", make("bdi", {}, oneLine(query.text)), "”");
    if (query.proxy) return ofProxy(query.proxy[0]);
    const row = /** @type {number} */ (query.row);
    const alt = `query: ${oneLine(this.images.nameOf(row))}`;
    const large = this.large.get(row, answered);
    if (large) return make("img", { src: large.url, alt });
    return this.element(row, this.live ? 196 : Math.min(196, this.model.get("_atlas")?.tile ?? 196), alt);
  }

  /** Other images have come in place of these. */
  forget() {
    for (const number of [...this.atlas.pages.keys()]) this.atlas.drop(number);
    this.atlas.asked.clear();
    this.large.forget();
    this.small.forget();
  }

  close() {
    this.atlas.close();
    this.large.close();
    this.small.close();
    for (const url of this.previews.values()) URL.revokeObjectURL(url);
  }
}

/** A proxy has no picture: its sign. */
function ofProxy(kind) {
  const sign = { fontSize: "52px", lineHeight: "1.1", color: `var(--${kind in PROXIES ? kind : "accent"})` };
  return make(
    "span", { className: "vg-missing vg-proxy" },
    make("span", { style: sign }, PROXIES[kind]?.glyph ?? PROXIES.fused.glyph), make("span", {}, PROXIES[kind]?.title ?? `${oneLine(kind)} proxy`),
  );
}
