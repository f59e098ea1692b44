// Tags: words of one's own for images, which the kernel makes a column.

import { images } from "./cloud.js";
/** @import { Model } from "../../front/model.js" */
/** @import { Cloud } from "./cloud.js" */
/** @import { History } from "./history.js" */

export class Tags {
  /**
   * @param {Model} model
   * @param {() => Cloud} cloud
   * @param {History} history
   * @param {(text: string) => void} say
   */
  constructor(model, cloud, history, say) {
    this.model = model;
    this.cloud = cloud;
    this.history = history;
    this.say = say;
  }

  /** Whether there is a kernel to keep them. */
  get offered() {
    return this.model.live !== false;
  }

  /** All tags given so far. */
  get known() {
    const { columns } = this.cloud();
    return columns.find(({ name }) => name === this.model.get("_tag_column"))?.values ?? [];
  }

  /**
   * Gives images a tag; an empty one takes theirs away.
   * @param {number[]} rows
   * @param {string} tag
   */
  give(rows, tag) {
    const name = this.model.get("_tag_column");
    const cloud = this.cloud();
    const has = cloud.columns.some((column) => column.name === name);
    const before = rows.map((row) => (has ? cloud.column(name).values[cloud.codes[cloud.column(name).start + row]] ?? "" : ""));
    const send = (/** @type {string[]} */ tags) => this.model.send({ kind: "tag", rows, tags });
    const after = rows.map(() => tag);
    const what = tag ? `${images(rows.length)} tagged ${tag}` : `${images(rows.length)} without a tag`;
    this.history.did({ what, undo: () => send(before), redo: () => send(after) });
    send(after);
    this.say(tag ? `${what}; “Colour by ${name}” shows them` : what);
  }
}
