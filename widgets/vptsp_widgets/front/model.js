// The model that a view reads, sets and hears of: the widget's, or the stand-in of `host.js`.

/**
 * What anywidget hands to a front end, as far as front ends use it.
 * @typedef {object} Model
 * @property {(name: string) => any} get - a trait
 * @property {(name: string, value: any) => void} set - changes a trait here; `save_changes` tells Python
 * @property {() => void} save_changes
 * @property {(name: string, act: (...parts: any[]) => void) => void} on - `change:<trait>`, or `msg:custom`
 * @property {(name: string, act: (...parts: any[]) => void) => void} off
 * @property {(message: Message, callbacks?: undefined, buffers?: (ArrayBuffer | ArrayBufferView)[]) => void} send
 * @property {boolean} [live] - false in a page without a kernel
 */
/** @typedef {{ kind: string } & Record<string, any>} Message */

/**
 * What a view's `view.js` exports as its default.
 * @typedef {object} Front
 * @property {(parts: { model: Model, el: HTMLElement }) => () => void} render - returns what takes the view away
 * @property {(message: Message, model: Model, reply: (answer: Message) => void) => void} [answer] - plays the kernel
 */

/**
 * Listens to several traits of the model; returns a function that ends it.
 * @param {Model} model
 * @param {Record<string, () => void>} handlers
 */
export function onTraits(model, handlers) {
  for (const [name, act] of Object.entries(handlers)) model.on(`change:${name}`, act);
  return () => {
    for (const [name, act] of Object.entries(handlers)) model.off(`change:${name}`, act);
  };
}
