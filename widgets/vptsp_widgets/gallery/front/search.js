// What is searched with, the answer to it, and what was searched with before.

import { count, ofAll } from "../../front/text.js";
import { debounced, promptly } from "../../front/timing.js";
import { isolated } from "./elements.js";
/** @import { Message, Model } from "../../front/model.js" */
/** @import { Images } from "./images.js" */
/** @import { Query, Requests, Result } from "./requests.js" */

const REMEMBERED = 200; // queries
const REST = 100; // ms

/**
 * What a search tells the rest of the view.
 * @typedef {object} Listener
 * @property {(asked: Query) => void} asked - a query is about to be sent
 * @property {(message: Message, buffers: any[]) => void} answered - its answer has come
 * @property {() => void} ranked - the ranks of the right images have come after it
 * @property {(text: string) => void} failed - there is none
 * @property {(message: Message, wanted: boolean) => void} listed - a list of queries has come; whether it is waited for
 * @property {() => boolean} answerless - whether the query has no answer, and nothing else is shown
 */

/** @param {Query | null | undefined} query */
export const keyOf = (query) => JSON.stringify([query?.row, query?.proxy, query?.upload, query?.text]);

export class Search {
  /** @type {Query | null} */ query = null;
  /** @type {Result | null} */ result = null;
  /** @type {Query[]} */ history = [];
  own = false; // whether a change of the model is ours
  uploadName = ""; // of the file on its way

  /**
   * @param {Model} model
   * @param {Images} images
   * @param {Requests} requests
   * @param {Listener} listener
   */
  constructor(model, images, requests, listener) {
    this.model = model;
    this.images = images;
    this.requests = requests;
    this.listener = listener;
    const send = (/** @type {Query} */ asked) => {
      if (asked === this.query) requests.send("query", { query: asked }, "waiting for the kernel");
    };
    /** Where the right images are among all, once one rests on an answer: it takes longer than the answer. */
    this.askRanks = debounced((/** @type {Result} */ result) => {
      if (result !== this.result) return;
      const certain = result.recall ? [] : result.rows;
      requests.ask("ranks", { query: this.query, certain });
    }, REST);
    this.send = model.live === false ? debounced(send, 0) : promptly(send, 30); // a page answers before the call returns
  }

  /** Sets traits of the model; that they change is no news then. */
  tell(values) {
    this.own = true;
    for (const [name, value] of Object.entries(values)) this.model.set(name, value);
    this.model.save_changes();
    this.own = false;
  }

  /**
   * Search with a query; `told`: it comes from the model, which needs not be told.
   * @param {Query} asked
   */
  ask(asked, { remember = true, told = false } = {}) {
    if (asked.row !== undefined && !(asked.row in this.images.ids)) return;
    if (remember && this.query && keyOf(this.query) !== keyOf(asked)) this.history.push(this.query);
    this.history.splice(0, this.history.length - REMEMBERED);
    [this.query, this.result] = [asked, null];
    this.requests.dropAll();
    if (!told) this.tell({ _query: asked.row === undefined ? asked : {}, _focused: asked.row ?? -1 });
    this.requests.announce("waiting for the kernel");
    this.listener.asked(asked);
    this.send(asked);
  }

  again() {
    if (this.query) this.ask(this.query, { remember: false });
  }

  back() {
    const before = this.history.pop();
    if (before) this.ask(before, { remember: false });
  }

  /** No query, and none awaited. */
  drop() {
    [this.query, this.result] = [null, null];
    this.requests.dropAll();
    this.requests.done();
  }

  upload(name, bytes) {
    this.uploadName = name;
    this.requests.dropAll();
    this.requests.send("upload", { name }, `embedding ${isolated(name)}, waiting for the kernel`, [bytes]);
  }

  fetchList(name, text) {
    this.requests.drop("query");
    this.requests.send("list", { which: name }, text);
  }

  /** @param {Message} message */
  receive(message, buffers) {
    const { requests, listener } = this;
    if (message.kind === "result" && requests.answers(message, "query")) {
      requests.done();
      const result = this.result = /** @type {Result} */ (message);
      listener.answered(message, buffers);
      if (!result.ranks && result.label >= 0) this.askRanks(result); // of a query without a class none is right
    } else if (message.kind === "ranks") {
      if (!requests.answers(message, "ranks") || !this.result) return;
      [this.result.ranks, this.result.precision] = [message.ranks, message.precision];
      listener.ranked();
    } else if (message.kind === "uploaded" && requests.answers(message, "upload")) {
      requests.done();
      this.ask({ upload: message.upload, name: this.uploadName });
    } else if (message.kind === "list") {
      const wanted = requests.answers(message, "list");
      if (wanted) requests.done();
      listener.listed(message, wanted);
    } else if (message.kind === "failed" && requests.answersAny(message)) {
      requests.done();
      if (!requests.answers(message, "query") && listener.answerless()) this.again(); // its answer was dropped for this
      else listener.failed(message.text);
    }
  }

  /** Whether an image of the answer is right; null where nobody knows. */
  isRight(row) {
    const { label } = /** @type {Result} */ (this.result);
    return label < 0 ? null : this.images.labels[row] === label;
  }

  /** The answer in a sentence. */
  outcome() {
    const { rows, label, relevant } = /** @type {Result} */ (this.result);
    const right = rows.filter((row) => this.isRight(row) === true).length;
    const judged = label < 0 ? "" : `: ${right} right${ofAll(relevant, rows.length)}, ${rows.length - right} wrong`;
    return `${rows.length} nearest of ${count(this.images.gallery)} gallery images${judged}.`;
  }
}
