// The numbers of the pair shown, as arrays; and how shares are written.

import { float32 } from "../../front/bytes.js";
/** @import { Model } from "../../front/model.js" */

/** @typedef {ReturnType<typeof numbersOf>} Numbers */

/**
 * A prompt by its number; behind the `visual` ones of a block learned keys and values have numbers of their own.
 * @param {number} prompt
 * @param {number} [visual] - none: all are visual
 */
export function promptName(prompt, visual = Infinity) {
  return prompt < visual ? `prompt ${prompt + 1}` : `key-value prompt ${prompt - visual + 1}`;
}

/**
 * Attention to `patches` and to `prompts` of a side (0: the query) in a block, of a head or (-1) their mean; `effects`
 * of the prompts known so far.
 * @param {Model} model
 */
export function numbersOf(model) {
  const pair = model.get("_pair");
  const { blocks, heads, grid } = pair.shape;
  const [height, width] = grid;
  const patches = float32(model.get("_patches"));
  const prompts = float32(model.get("_prompts"));
  const over = (values, length, side, block, head) => {
    const sum = new Float64Array(length);
    const chosen = head < 0 ? [...Array(heads).keys()] : [head];
    for (const one of chosen) {
      const start = ((side * blocks + block) * heads + one) * length;
      for (let i = 0; i < length; i++) sum[i] += values[start + i] / chosen.length;
    }
    return sum;
  };
  return {
    pair, blocks, heads,
    patches: (side, block, head) => over(patches, height * width, side, block, head),
    prompts: (side, block, head) => over(prompts, pair.prompts, side, block, head).filter((share) => !Number.isNaN(share)),
    effects: float32(model.get("_effects")),
  };
}

export const percent = (share) => `${(100 * share).toFixed(share < 0.0995 ? 1 : 0)} %`;
/** Three digits of the largest value of the pair, for all of its values. */
export const decimals = (most) => (most ? Math.min(8, Math.max(3, 2 - Math.floor(Math.log10(most)))) : 3);
