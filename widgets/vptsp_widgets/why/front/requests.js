// What the kernel is asked for: other pairs, and the effects of the prompts.

import { float32 } from "../../front/bytes.js";
/** @import { Message, Model } from "../../front/model.js" */

export class Requests {
  asked = -1; // stamp of the pair whose effects were asked for
  waiting = false;

  /**
   * @param {Model} model
   * @param {(waiting: boolean, text: string) => void} tell - what the status line is to say
   */
  constructor(model, tell) {
    this.model = model;
    this.tell = tell;
    this.sent = model.get("_pair").number;
    model.on("msg:custom", this.failed);
  }

  /** @param {object} wish - {query, neighbour} as rows, or {mistake: true} */
  want(wish) {
    this.sent = Math.max(this.sent, this.model.get("_pair").number) + 1;
    this.model.set("_wanted", { number: this.sent, ...wish });
    this.model.save_changes();
    this.wait(true, "waiting for the kernel …");
  }

  wait(waiting, text) {
    this.waiting = waiting;
    this.tell(waiting, text);
  }

  /** Whether a pair answers the latest wish; an older one is passed over. */
  answers(pair) {
    if (pair.number < this.sent) return false;
    if (this.waiting) this.wait(false, this.model.get("status") || "");
    return true;
  }

  effects(pair) {
    const have = pair.prompts ? float32(this.model.get("_effects")).length / pair.prompts : 0;
    if (this.model.live === false || pair.without || have >= pair.effect_rows || this.asked === pair.stamp) return;
    this.asked = pair.stamp;
    this.model.send({ kind: "effects" });
  }

  failed = (/** @type {Message} */ message) => {
    if (message.kind === "failed" && message.number === this.sent) this.wait(false, message.text);
  };

  close() {
    this.model.off("msg:custom", this.failed);
  }
}
