// An image, dark where the model does not look; pointer and arrows read the attention patch by patch.

import { make, penOf } from "../../front/dom.js";

const SIDE = 640; // pixels

/**
 * `read(cell)` is called for the patch that is pointed at.
 * @param {(cell: number) => void} read
 */
export function attentivePicture(read) {
  const canvas = make("canvas", { width: SIDE, height: SIDE, tabIndex: 0, role: "img", className: "vptsp-why-picture" });
  const image = new Image();
  const state = { weights: new Float64Array(0), width: 1, height: 1, most: 1, opacity: 0, cursor: -1, loaded: false };
  let url = "";

  function draw() {
    const context = penOf(canvas);
    context.clearRect(0, 0, SIDE, SIDE);
    context.imageSmoothingQuality = "high";
    if (state.loaded) context.drawImage(image, 0, 0, SIDE, SIDE);
    const veil = new ImageData(state.width, state.height);
    state.weights.forEach((weight, cell) => (veil.data[4 * cell + 3] = 255 * state.opacity * (1 - Math.sqrt(weight / state.most))));
    const small = make("canvas", { width: state.width, height: state.height });
    penOf(small).putImageData(veil, 0, 0);
    context.drawImage(small, 0, 0, SIDE, SIDE);
    if (state.cursor >= 0) drawCursor(context);
  }

  /** @param {CanvasRenderingContext2D} context */
  function drawCursor(context) {
    const [w, h] = [SIDE / state.width, SIDE / state.height];
    const [x, y] = [(state.cursor % state.width) * w, Math.floor(state.cursor / state.width) * h];
    for (const { colour, inset } of [{ colour: "#000", inset: 1 }, { colour: "#fff", inset: 4 }]) {
      context.strokeStyle = colour;
      context.lineWidth = 3;
      context.strokeRect(x + inset, y + inset, w - 2 * inset, h - 2 * inset);
    }
  }

  function point(cell) {
    if (cell === state.cursor) return;
    state.cursor = cell;
    draw();
    if (cell >= 0) read(cell);
  }

  image.onload = () => {
    state.loaded = true;
    draw();
  };
  canvas.addEventListener("mousemove", (event) => {
    const box = canvas.getBoundingClientRect();
    const column = Math.floor(((event.clientX - box.left) / box.width) * state.width);
    const row = Math.floor(((event.clientY - box.top) / box.height) * state.height);
    const inside = column >= 0 && row >= 0 && column < state.width && row < state.height;
    point(inside ? row * state.width + column : -1);
  });
  canvas.addEventListener("mouseleave", () => point(-1));
  canvas.addEventListener("blur", () => point(-1));
  canvas.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -state.width, ArrowDown: state.width }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    const next = state.cursor < 0 ? 0 : state.cursor + step;
    const wraps = Math.abs(step) === 1 && Math.floor(next / state.width) !== Math.floor(Math.max(state.cursor, 0) / state.width);
    if (next >= 0 && next < state.weights.length && !wraps) point(next);
  });

  return {
    canvas,
    /** Another image, as bytes of a JPEG. */
    load(bytes) {
      if (url) URL.revokeObjectURL(url);
      url = URL.createObjectURL(new Blob([bytes], { type: "image/jpeg" }));
      state.loaded = false;
      image.src = url;
    },
    /**
     * Attention to the patches, `most` the largest of both images.
     * @param {Float64Array} weights
     */
    show(weights, [height, width], most, opacity) {
      Object.assign(state, { weights, width, height, most: most || 1, opacity });
      if (state.cursor >= weights.length) state.cursor = -1;
      draw();
    },
    /** Row, column (from 1) and attention of a patch. */
    patch: (cell) => ({ row: Math.floor(cell / state.width) + 1, column: (cell % state.width) + 1, share: state.weights[cell] }),
    close() {
      image.onload = null;
      if (url) URL.revokeObjectURL(url);
    },
  };
}
