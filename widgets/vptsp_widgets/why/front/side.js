// One image of the pair: its name, the picture with the attention over it, and the attention to prompts.

import { make } from "../../front/dom.js";
import { total } from "../../front/numbers.js";
import { attentionBars } from "./bars.js";
import { percent } from "./numbers.js";
import { attentivePicture } from "./picture.js";

/**
 * `role` is query or neighbour; `say` tells what is pointed at, and `where` of which block and head it is.
 * @param {string} role
 * @param {(text: string) => void} say
 * @param {() => string} where
 */
export function sideView(role, say, where) {
  const name = make("div", { className: "vptsp-why-name" });
  const mark = make("span", {});
  const file = make("div", { className: "vptsp-why-file" });
  const picture = attentivePicture((cell) => {
    const { row, column, share } = picture.patch(cell);
    say(`${role}, patch in row ${row}, column ${column}: ${percent(share)} of the attention, ${where()}`);
  });
  const bars = attentionBars();
  const root = make(
    "section", { className: "vptsp-why-side", "aria-label": role },
    make("div", { className: "vptsp-why-role" }, role, mark), name,
    picture.canvas, file, bars.split, bars.chart,
  );

  /** Another image; `compared`: whether it is said if its class is that of the query. */
  function title(info, compared) {
    name.textContent = name.title = info.class;
    file.textContent = file.title = info.id;
    mark.className = info.same ? "vptsp-why-right" : "vptsp-why-wrong";
    mark.textContent = !compared ? "" : info.same ? " ✓ same class" : " ✗ another class";
    picture.canvas.setAttribute("aria-label", `${role} of class ${info.class}; arrows read the attention patch by patch`);
  }

  /**
   * Attention of one image; `most` are the largest to a patch and to a prompt of both.
   * @param {{ patches: Float64Array, prompts: Float64Array }} shares
   * @param {{ patch: number, prompt: number }} most
   */
  function show(shares, most, { grid, pooled }, opacity, marked, visual) {
    picture.show(shares.patches, grid, most.patch, opacity);
    const toPatches = total(shares.patches);
    bars.show(toPatches, shares.prompts, most.prompt, Math.max(0, 1 - toPatches - total(shares.prompts)), pooled, marked, visual);
  }

  return { root, title, show, load: picture.load, close: picture.close };
}
