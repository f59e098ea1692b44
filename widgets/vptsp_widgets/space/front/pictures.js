// Pictures on the map: images where one has zoomed in, and one image of each class where that is wanted.

import { glyph } from "./verdict.js";
import { unpacked } from "./colours.js";
/** @import { Atlas } from "../../front/atlas.js" */
/** @import { Camera } from "./camera.js" */
/** @import { Scene } from "./overlay.js" */

/** @typedef {{ row: number, x: number, y: number, code: number }} Placed - a picture's middle; of a class it stands for, or -1 */

const NEAR = 1.5; // zoom from which on single images are shown
const FEW = 60; // images in view up to which all that have room are shown
const MOST = 300; // pictures at once
const LOOKED = 20000; // images in view that are tried
const PAGES = 8; // of thumbnails: more would drive each other out
const RIM = 3;
const REST = 120; // ms without a move after which the camera rests

/**
 * Those of `rows`, the most important first, whose squares of `side` pixels around their points touch no other, `gap` apart.
 * @param {Iterable<number>} rows
 * @param {ArrayLike<number>} xs
 * @param {ArrayLike<number>} ys
 */
export function withRoom(rows, xs, ys, side, gap, most = MOST) {
  const apart = side + gap;
  /** @type {Map<string, number[]>} */
  const cells = new Map();
  const kept = [];
  for (const row of rows) {
    if (kept.length >= most) break;
    const [x, y] = [xs[row], ys[row]];
    const [column, line] = [Math.floor(x / apart), Math.floor(y / apart)];
    let free = true;
    for (let dx = -1; dx <= 1 && free; dx++) for (let dy = -1; dy <= 1 && free; dy++) {
      free = !(cells.get(`${column + dx} ${line + dy}`) ?? []).some((other) => Math.abs(xs[other] - x) < apart && Math.abs(ys[other] - y) < apart);
    }
    if (!free) continue;
    kept.push(row);
    const key = `${column} ${line}`;
    cells.set(key, [...(cells.get(key) ?? []), row]);
  }
  return kept;
}

/** What is shown stays the same while the camera moves, as far as it has room, and is chosen anew once it rests. */
export class MapPictures {
  /** @type {Placed[]} */ shown = [];
  side = 0; // of a picture with its rim
  /** @type {string} */ from = ""; // the camera of the frame before
  focused = -1;
  old = true; // whether what is shown has to be chosen anew
  timer = 0;
  closed = false;

  /** @param {() => void} redraw */
  constructor(redraw) {
    this.redraw = redraw;
  }

  /** Whether an image is shown as a picture. */
  has(row) {
    return this.shown.some((one) => one.row === row);
  }

  /** The image whose picture is at a place of the screen, or -1. */
  at(x, y) {
    const half = this.side / 2;
    return this.shown.find((one) => Math.abs(one.x - x) <= half && Math.abs(one.y - y) <= half)?.row ?? -1;
  }

  /**
   * @param {CanvasRenderingContext2D} context
   * @param {Scene} scene
   * @param {number} focused
   */
  draw(context, scene, focused) {
    const { cloud, camera, pictures, flying } = scene;
    const at = [camera.x, camera.y, camera.scale, camera.turn].join();
    const moved = this.from !== "" && at !== this.from;
    this.from = at;
    this.side = camera.width < 560 ? 38 : 50;
    const wanted = pictures ? wantedOf(scene) : null;
    if (!pictures || !wanted) this.shown = [];
    else if (moved || flying) {
      this.wait();
      const codes = new Map(this.shown.map(({ row, code }) => [row, code]));
      this.take(withRoom(codes.keys(), cloud.sx, cloud.sy, this.side, 0), scene, codes);
    } else if (this.old || focused !== this.focused) this.choose(scene, focused, wanted, pictures);
    this.focused = focused;
    if (pictures) for (const one of this.shown) this.drawOne(context, one, scene, pictures);
    return this.shown;
  }

  /** Once the camera rests, what is shown is chosen anew. */
  wait() {
    this.old = true;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => !this.closed && this.redraw(), REST);
  }

  /**
   * @param {Scene} scene
   * @param {number} focused
   * @param {{ near: boolean, examples: boolean }} wanted
   * @param {Atlas} pictures
   */
  choose(scene, focused, wanted, pictures) {
    const { near, examples } = wanted;
    const { cloud, camera } = scene;
    const { width, height } = camera;
    this.old = false;
    const inView = (row) => row >= 0 && cloud.lit[row] === 2 && cloud.sx[row] >= 0 && cloud.sy[row] >= 0 && cloud.sx[row] <= width && cloud.sy[row] <= height;
    const codes = new Map();
    if (examples) for (const code of cloud.bySize) if (inView(cloud.examples[code])) codes.set(cloud.examples[code], code);
    const rows = [...codes.keys()];
    let many = false;
    if (near) {
      const others = [];
      for (const row of cloud.order(cloud.columns[0])) if (others.length < LOOKED && inView(row)) others.push(row);
      many = others.length > FEW;
      const chosen = others.filter((row) => cloud.selected[row]);
      rows.unshift(...(inView(focused) ? [focused] : []), ...(chosen.length <= FEW ? chosen : []));
      rows.push(...others);
    }
    const pages = new Set();
    const here = [...new Set(rows)].filter((row) => {
      const number = pictures.place(row)?.page;
      if (number === undefined || (pages.size >= PAGES && !pages.has(number))) return false;
      const asked = pictures.asked.has(number);
      const page = pictures.page(number);
      if (page || !asked || pictures.model.live !== false) pages.add(number); // a page without a kernel may not hold it
      return Boolean(page);
    });
    this.take(withRoom(here, cloud.sx, cloud.sy, this.side, many ? Math.round(0.6 * this.side) : 4), scene, codes);
  }

  /** @param {number[]} rows @param {Scene} scene @param {Map<number, number>} codes */
  take(rows, { cloud }, codes) {
    this.shown = rows.map((row) => ({ row, x: cloud.sx[row], y: cloud.sy[row], code: codes.get(row) ?? -1 }));
  }

  /**
   * A picture in the colour of its point, with a sign for whether its nearest image is of the same class.
   * @param {CanvasRenderingContext2D} context
   * @param {Placed} one
   * @param {Scene} scene
   * @param {Atlas} pictures
   */
  drawOne(context, { row, x, y }, { cloud, inks, colours }, pictures) {
    const half = this.side / 2;
    context.fillStyle = inks.paper;
    context.fillRect(x - half, y - half, this.side, this.side);
    context.fillStyle = cloud.selected[row] ? inks.ink : unpacked(colours.rows[row]);
    context.fillRect(x - half + 1, y - half + 1, this.side - 2, this.side - 2);
    pictures.draw(context, row, x - half + RIM, y - half + RIM, this.side - 2 * RIM);
    const right = cloud.isRight(row);
    if (right !== null) glyph(context, x + half - 9, y + half - 9, right, inks);
  }

  close() {
    this.closed = true;
    clearTimeout(this.timer);
  }
}

/** Which pictures the state and the zoom ask for; null: none. @param {Scene} scene */
function wantedOf({ state, cloud }) {
  const near = state.pictures && state.zoom >= NEAR;
  const examples = state.examples && cloud.examples.length > 0;
  return near || examples ? { near, examples } : null;
}
