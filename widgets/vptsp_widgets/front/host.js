// A stand-in for the widget's model in a page without a kernel: it holds the state, and answers for thumbnails.

/** @import { Front, Message, Model } from "./model.js" */

/** @typedef {{ state: Record<string, any>, pages: string[] }} Saved - of a page: traits, and addresses of thumbnails */
/** @typedef {Window & { vptspPages?: string[], vptspModels?: Model[] }} Shared - what the blocks of a page share */
const shared = /** @type {Shared} */ (window);

/**
 * @param {Saved} saved
 * @param {Front["answer"]} extra
 */
function standIn({ state, pages }, extra) {
  /** @type {Record<string, any>} */
  const values = {};
  for (const [key, value] of Object.entries(state)) {
    values[key] = value && value.bytes !== undefined
      ? new DataView(bytesIn(value.bytes).buffer)
      : value;
  }
  /** @type {Map<string, ((...parts: any[]) => void)[]>} */
  const listeners = new Map();
  const fire = (/** @type {string} */ name, /** @type {any[]} */ ...parts) => [...(listeners.get(name) ?? [])].forEach((act) => act(...parts));
  /** @type {Model} */
  const model = {
    get: (key) => values[key],
    set(key, value) {
      values[key] = value;
      fire(`change:${key}`);
    },
    save_changes() {},
    on(name, act) {
      listeners.set(name, [...(listeners.get(name) ?? []), act]);
    },
    off(name, act) {
      listeners.set(name, (listeners.get(name) ?? []).filter((other) => other !== act));
    },
    send(message) {
      if (message.kind === "page" && pages[message.page]) {
        setTimeout(() => fire("msg:custom", { kind: "page", page: message.page, url: pages[message.page] }, []));
      } else extra?.(message, model, (answer) => fire("msg:custom", answer, []));
    },
    live: false, // front ends leave out what only a kernel can do
  };
  return model;
}

/**
 * What base64 holds; in a loop, as `Uint8Array.from` takes seconds for the 30 MB of a map of a million images.
 * @param {string} text
 */
function bytesIn(text) {
  const signs = atob(text);
  const bytes = new Uint8Array(signs.length);
  for (let at = 0; at < signs.length; at++) bytes[at] = signs.charCodeAt(at);
  return bytes;
}

/**
 * Mounts a front end into `element`. `front.answer(message, model, reply)`, if there is one, plays the kernel.
 * @param {Front} front
 * @param {HTMLElement} element
 * @param {Saved} data
 * @param {string} label - what a screen reader calls the view
 */
export function mount(front, element, data, label) {
  // The blocks of a page show the same images: thumbnails come once, and what is chosen in one moves the others.
  const pages = data.pages.length ? (shared.vptspPages = data.pages) : shared.vptspPages ?? [];
  const model = standIn({ ...data, pages }, front.answer);
  element.setAttribute("aria-label", label);
  front.render({ model, el: element });
  const models = (shared.vptspModels ??= []);
  for (const other of models) {
    for (const name of ["_focused", "_selected"]) {
      follow(model, other, name);
      follow(other, model, name);
    }
  }
  models.push(model);
}

/**
 * @param {Model} leader
 * @param {Model} model
 * @param {string} name - of a trait
 */
function follow(leader, model, name) {
  const plain = (/** @type {any} */ value) => (value instanceof DataView ? new Uint8Array(value.buffer, value.byteOffset, value.byteLength).join() : value);
  leader.on(`change:${name}`, () => {
    if (plain(leader.get(name)) !== plain(model.get(name))) model.set(name, leader.get(name));
  });
}
