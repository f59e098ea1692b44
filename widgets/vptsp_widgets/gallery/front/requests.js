// What the kernel was asked and has not answered yet: of each kind only the latest request counts.

/** @import { Message, Model } from "../../front/model.js" */

/**
 * What is searched with: an image, a proxy, a file of one's own, or words.
 * @typedef {object} Query
 * @property {number} [row]
 * @property {[kind: string, number: number]} [proxy]
 * @property {string} [upload]
 * @property {string} [name] - of the file
 * @property {string} [text]
 */
/**
 * The answer: rows of images, the most similar first; `label` is the query's class, -1 if it is not known. `ranks` of the
 * right images and `precision` may come after it.
 * @typedef {Message & { rows: number[], similarities: number[], label: number, relevant: number, ranks?: number[],
 *   precision?: number, recall?: string, note?: string }} Result
 */

export class Requests {
  /**
   * While an answer is awaited, `root` is marked as busy, and `say` says what for.
   * @param {Model} model
   * @param {HTMLElement} root
   */
  constructor(model, root, say) {
    this.model = model;
    this.root = root;
    this.say = say;
    this.count = 0;
    this.latest = {}; // kind of request -> its number; answers to older ones are dropped
    this.waiting = false;
  }

  /**
   * @param {string} kind
   * @param {Record<string, any>} message
   * @param {string} text - what is waited for
   * @param {ArrayBuffer[]} [buffers]
   */
  send(kind, message, text, buffers) {
    this.waiting = true;
    this.announce(text);
    this.root.setAttribute("aria-busy", "true");
    this.ask(kind, message, buffers);
  }

  /**
   * Without a word to anybody.
   * @param {string} kind
   * @param {Record<string, any>} message
   * @param {ArrayBuffer[]} [buffers]
   */
  ask(kind, message, buffers) {
    this.latest[kind] = ++this.count;
    this.model.send({ kind, number: this.count, ...message }, undefined, buffers);
  }

  /** Shows that a request is about to be sent. */
  announce(text) {
    this.say(`${text} …`);
    this.root.classList.add("vg-busy");
  }

  /** Nothing is awaited any more. */
  done() {
    this.waiting = false;
    this.root.classList.remove("vg-busy");
    this.root.setAttribute("aria-busy", "false");
  }

  /**
   * Whether a message answers the latest request of a kind.
   * @param {Message} message
   */
  answers(message, kind) {
    return message.number === this.latest[kind];
  }

  /**
   * Whether a message answers the latest request of any kind.
   * @param {Message} message
   */
  answersAny(message) {
    return Object.values(this.latest).includes(message.number);
  }

  /** The answer to the latest request of a kind is no longer wanted. */
  drop(kind) {
    this.latest[kind] = 0;
  }

  /** Whatever is under way is no longer wanted. */
  dropAll() {
    this.latest = {};
  }
}
