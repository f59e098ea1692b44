// A stand-in for the widget's model in a page without a kernel: it holds the state, and answers for thumbnails.

/** @import { Front, Message, Model } from "./model.js" */

/** @typedef {{ state: Record<string, any>, pages: number }} Saved - of a page: traits, and how many thumbnail pages come with it */
/** @typedef {Window & { vptspModels?: Model[] }} Shared - what the blocks of a page share */
const shared = /** @type {Shared} */ (window);

/**
 * The address of a page of thumbnails, once the document is there: views do not wait for them. The blocks of a page show
 * the same images, which come once.
 * @param {string} key - of the block
 * @param {boolean} own - whether it came with thumbnails
 * @param {number} number - of the page
 * @param {(address: string) => void} there
 */
function thumbnails(key, own, number, there) {
  const find = () => {
    const owner = own ? key : /** @type {HTMLElement | null} */ (document.querySelector("script[data-thumbnails]"))?.dataset.thumbnails;
    const page = owner && document.querySelectorAll(`script[data-thumbnails="${CSS.escape(owner)}"]`)[number];
    if (page) there(page.textContent);
  };
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", find, { once: true });
  else setTimeout(find);
}

/**
 * @param {string} key
 * @param {Saved} saved
 * @param {Front["answer"]} extra
 */
function standIn(key, { state, pages }, extra) {
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
      if (message.kind === "page") {
        thumbnails(key, pages > 0, message.page, (url) => fire("msg:custom", { kind: "page", page: message.page, url }, []));
      } else extra?.(message, model, (answer) => fire("msg:custom", answer, []));
    },
    live: false, // front ends leave out what only a kernel can do
  };
  return model;
}

/**
 * What base64 holds; where the browser does not do it in a loop, as `Uint8Array.from` takes seconds for the 30 MB of a map of
 * a million images.
 * @param {string} text
 */
function bytesIn(text) {
  const { fromBase64 } = /** @type {{ fromBase64?: (text: string) => Uint8Array<ArrayBuffer> }} */ (/** @type {unknown} */ (Uint8Array));
  if (fromBase64) return fromBase64.call(Uint8Array, text);
  const signs = atob(text);
  const bytes = new Uint8Array(signs.length);
  for (let at = 0; at < signs.length; at++) bytes[at] = signs.charCodeAt(at);
  return bytes;
}

/**
 * Mounts a front end before the script element that holds its state. `front.answer(message, model, reply)`, if there is
 * one, plays the kernel.
 * @param {Front} front
 * @param {string} key - the id of that script element
 * @param {string} label - what a screen reader calls the view
 */
export function mount(front, key, label) {
  const data = /** @type {HTMLElement} */ (document.getElementById(key));
  const element = /** @type {HTMLElement} */ (data.previousElementSibling);
  const model = standIn(key, JSON.parse(data.textContent), front.answer);
  data.remove(); // it is in the model now
  element.setAttribute("aria-label", label);
  front.render({ model, el: element });
  const models = (shared.vptspModels ??= []); // what is chosen in one moves the others
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
