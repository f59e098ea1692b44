// Gestures of the mouse on the map: drags that move it or draw a lasso, clicks, hovering, and the wheel.

import { clip } from "../../front/numbers.js";
import { placeIn } from "../../front/pixels.js";

export class Gestures {
  /**
   * Places are [x, y] on the screen. The parent answers and hears:
   * - `camera()`, and `change(changes)` of the state that a drag leads to;
   * - `turned(turn)`: a drag has turned the map, which was seen so before;
   * - `clicked(place, event)`, `lassoed(polygon, event)`, `hover(place)` (null: nowhere);
   * - `zoom(factor, x, y)`, `whole()`;
   * - `redraw()`: the lasso is another; `say(text)`;
   * - `grab(place, event)`: what is taken there to be moved, as {move(x, y), drop(), cancel()}, or null.
   * @param {HTMLCanvasElement} canvas
   * @param {any} acts
   */
  constructor(canvas, acts) {
    this.canvas = canvas;
    this.acts = acts;
    this.drag = null;
    this.lassoing = false; // a drag draws a lasso also without Shift; set by the parent
    this.turning = null; // whether a drag turns the map; null: it cannot be turned; set by the parent
    const on = (name, act, options) => canvas.addEventListener(name, act, options);
    on("pointerdown", (event) => this.down(event));
    on("pointermove", (event) => this.move(event));
    on("pointerup", (event) => this.up(event));
    on("pointercancel", () => this.cancel());
    on("pointerleave", () => acts.hover(null));
    on("wheel", (event) => this.wheel(event), { passive: false });
    on("dblclick", () => acts.whole());
  }

  get dragging() {
    return this.drag !== null;
  }

  /** The lasso being drawn, [x0, y0, x1, y1, ...], or null. */
  get polygon() {
    return this.drag?.polygon ?? null;
  }

  at(event) {
    return placeIn(this.canvas, event);
  }

  down(event) {
    if (event.button !== 0) return;
    this.canvas.setPointerCapture(event.pointerId);
    this.canvas.focus({ preventScroll: true });
    const [x, y] = this.at(event);
    const polygon = event.shiftKey || this.lassoing ? [x, y] : null;
    const turning = this.turning !== null && this.turning !== event.altKey;
    this.drag = { x, y, from: this.acts.camera(), moved: false, turning, polygon, held: polygon ? null : this.acts.grab([x, y], event) };
    this.acts.hover(null);
  }

  move(event) {
    const [x, y] = this.at(event);
    const { drag } = this;
    if (!drag) {
      this.acts.hover([x, y]);
      return;
    }
    drag.moved ||= Math.hypot(x - drag.x, y - drag.y) > 3;
    if (!drag.moved) return;
    if (drag.held) drag.held.move(x, y);
    else if (drag.polygon) {
      const { polygon } = drag;
      if (Math.hypot(x - polygon[polygon.length - 2], y - polygon[polygon.length - 1]) >= 2) polygon.push(x, y);
      this.acts.redraw();
    } else {
      this.canvas.classList.add("vptsp-space-moving");
      this.acts.change(drag.turning ? drag.from.turned(x - drag.x, y - drag.y) : drag.from.dragged(x - drag.x, y - drag.y));
    }
  }

  up(event) {
    const { drag } = this;
    if (!drag) return;
    this.drag = null; // what is held is dropped, and not put back
    this.cancel();
    if (drag.held) drag.held.drop();
    else if (drag.polygon && drag.moved) this.acts.lassoed(drag.polygon, event);
    else if (drag.moved && drag.turning) this.acts.turned(drag.from.turn);
    else if (!drag.moved) this.acts.clicked(this.at(event), event);
  }

  /** The drag is over; what it has moved of the map stays, what it held goes back. */
  cancel() {
    this.drag?.held?.cancel();
    this.drag = null;
    this.canvas.classList.remove("vptsp-space-moving");
    this.acts.redraw();
  }

  /** Zooms a map that is in use; over any other, the wheel goes on scrolling the page. */
  wheel(event) {
    if (!(event.ctrlKey || event.metaKey || /** @type {Document | ShadowRoot} */ (this.canvas.getRootNode()).activeElement === this.canvas)) {
      this.acts.say("click the map, or hold Ctrl or ⌘, to zoom with the wheel");
      return;
    }
    event.preventDefault();
    const lines = event.deltaMode === 1 ? 33 : 1;
    this.acts.zoom(Math.exp(clip(-event.deltaY * lines, -240, 240) / 400), ...this.at(event));
    this.acts.hover(null);
  }
}
