// What was done and can be undone: other selections and tags.

const KEPT = 100;

/** @typedef {{ what: string, undo: () => void, redo: () => void }} Deed - `what` it was, in words */

export class History {
  /** @type {Deed[]} */ past = [];
  /** @type {Deed[]} */ future = [];

  /** @param {(text: string) => void} say */
  constructor(say) {
    this.say = say;
  }

  /** @param {Deed} deed - that was done just now */
  did(deed) {
    this.past.push(deed);
    this.past.splice(0, this.past.length - KEPT);
    this.future.length = 0;
  }

  undo() {
    const deed = this.past.pop();
    if (!deed) return this.say("nothing to undo");
    this.future.push(deed);
    deed.undo();
    this.say(`undone: ${deed.what}`);
  }

  redo() {
    const deed = this.future.pop();
    if (!deed) return this.say("nothing to do again");
    this.past.push(deed);
    deed.redo();
    this.say(`done again: ${deed.what}`);
  }

  /** Of images that are here no longer. */
  clear() {
    this.past.length = this.future.length = 0;
  }
}
