// What the kernel was asked and has not answered yet: of each kind only the latest request counts.

export class Requests {
  /** While an answer is awaited, `root` is marked as busy, and `say` says what for. */
  constructor(model, root, say) {
    this.model = model;
    this.root = root;
    this.say = say;
    this.count = 0;
    this.latest = {}; // kind of request -> its number; answers to older ones are dropped
    this.waiting = false;
  }

  send(kind, message, text, buffers) {
    this.latest[kind] = ++this.count;
    this.waiting = true;
    this.announce(text);
    this.root.setAttribute("aria-busy", "true");
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

  /** Whether a message answers the latest request of a kind. */
  answers(message, kind) {
    return message.number === this.latest[kind];
  }

  /** Whether a message answers the latest request of any kind. */
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
