// Views with a name: what the map shows is kept with the run, with a picture, and opened again by a click.

import { bytesOf, int32 } from "../../front/bytes.js";
import { make } from "../../front/dom.js";
import { wordForm } from "./word_form.js";
/** @import { Message, Model } from "../../front/model.js" */
/** @import { Space } from "./view.js" */
/** @import { State } from "./state.js" */

/**
 * `said` is what is special in a view, `picture` an address of it or "", `key` that of the file.
 * @typedef {{ name: string, shown: string, said: string, date: string, key: string, picture: string }} KeptView
 */
/**
 * What a map shows: its state, rows selected, the row of focus, and the answer about proxies as handles, if any.
 * @typedef {{ state: State, rows: number[], focused: number, handled?: any }} Shown
 */

/** The panel below the bar: a field for a name, and a card for each view. */
export class KeptViews {
  opened = ""; // name of the view that was opened last

  /** @param {Space} space */
  constructor(space) {
    this.space = space;
    this.name = make("input", { type: "text", placeholder: "name", autocomplete: "off", "aria-label": "Name to keep this view under" });
    this.form = wordForm(this.name, "Keep this view", (word) => this.keep(word));
    this.list = make("ul", { className: "vptsp-space-cards", "aria-label": "Kept views" });
    this.hint = make("p", { className: "vptsp-space-hint" });
    this.element = make("div", { className: "vptsp-space-views", hidden: true, role: "group", "aria-label": "Kept views" }, this.form, this.hint, this.list);
    this.button = make("button", { type: "button", onclick: () => this.toggle() });
    this.hear = (/** @type {Message} */ message) => {
      if (message.kind === "opened") this.wasOpened(message);
      else if (message.kind === "view_kept") this.wasKept(message);
    };
    this.model.on("msg:custom", this.hear);
    this.show();
  }

  /** @returns {Model} */
  get model() {
    return this.space.model;
  }

  get live() {
    return this.model.live !== false;
  }

  /** @returns {KeptView[]} */
  get kept() {
    return this.model.get("_kept_views") ?? [];
  }

  toggle() {
    this.element.hidden = !this.element.hidden;
    this.button.setAttribute("aria-expanded", String(!this.element.hidden));
    if (this.element.hidden) return this.space.stage.over.focus({ preventScroll: true });
    if (!this.live) return /** @type {HTMLElement | null} */ (this.list.querySelector("button"))?.focus();
    this.name.focus();
    this.model.send({ kind: "views" }); // others may have kept some since
  }

  show() {
    const { kept, live } = this;
    const what = live ? "Keep this view under a name, or open one that was kept (K)" : "Open a view that was kept (K)";
    this.button.textContent = kept.length ? `Views (${kept.length})` : "Keep view";
    this.button.title = what;
    this.button.setAttribute("aria-label", what);
    this.button.setAttribute("aria-expanded", String(!this.element.hidden));
    this.button.hidden = !live && !kept.length;
    this.form.hidden = !live;
    this.hint.textContent = kept.length ? "" : "Kept are where you look, colours, filter, selection and focus, with a picture.";
    this.hint.hidden = Boolean(kept.length);
    const focused = this.list.contains(document.activeElement) ? /** @type {HTMLElement} */ (document.activeElement).dataset.of : undefined;
    this.list.replaceChildren(...kept.map((one) => this.card(one)));
    if (focused) [...this.list.querySelectorAll("button")].find((one) => one.dataset.of === focused)?.focus({ preventScroll: true });
  }

  /** @param {KeptView} one */
  card(one) {
    const label = [one.shown, one.said, one.date].filter(Boolean).join(", ");
    const open = make("button", { type: "button", className: "vptsp-space-card-open", title: `Open ${label}`, "aria-label": `Open ${label}`, onclick: () => this.open(one.name) },
      one.picture ? make("img", { src: one.picture, alt: "" }) : make("span", { className: "vptsp-space-nopicture" }, "no picture"),
      make("b", { dir: "auto" }, one.shown), make("small", { dir: "auto" }, one.said));
    open.dataset.of = one.key;
    open.setAttribute("aria-current", String(one.name === this.opened));
    const forget = make("button", { type: "button", className: "vptsp-space-forget", title: `Forget ${one.shown}`, "aria-label": `Forget ${one.shown}`, onclick: () => this.forget(one) }, "×");
    return make("li", {}, open, this.live ? forget : null);
  }

  // --- what is done -----------------------------------------------------------------------------
  /** @param {string} name */
  keep(name) {
    if (!name) return this.space.status.say("type a name to keep this view under");
    this.space.shared.save(); // the kernel keeps what is seen now
    this.model.send({ kind: "keep_view", name });
    this.space.status.say(`keeping ${name} …`);
    this.name.value = "";
  }

  /** @param {string} name */
  open(name) {
    this.space.shared.save();
    this.model.send({ kind: "open_view", name });
  }

  /** @param {KeptView} one */
  forget(one) {
    const send = (/** @type {string} */ key) => () => this.model.send({ kind: "view_back", name: one.name, key });
    const what = `the view ${one.shown} forgotten`;
    this.space.history.did({ what, undo: send(one.key), redo: send("") });
    send("")();
    this.space.status.say(what);
    this.space.showSelection(); // there is something to undo now
  }

  // --- what the kernel says ---------------------------------------------------------------------
  /** @param {Message} message */
  wasKept({ name, key, before, code }) {
    const send = (/** @type {string} */ which) => () => this.model.send({ kind: "view_back", name, key: which });
    const what = `the view ${name} kept`;
    this.space.history.did({ what, undo: send(before), redo: send(key) });
    this.opened = name;
    this.show();
    this.space.status.say(`${what}${before ? ", instead of the one before" : ""}; ${code} puts its picture into a notebook`);
    this.space.showSelection();
  }

  /** The model has what the view has by now; all of it is one step to be undone. @param {Message} message */
  wasOpened({ name, note, before, after }) {
    const { space } = this;
    const [last] = space.history.past.slice(-1);
    if (last && last === space.choice.deed && before.rows.join() !== after.rows.join()) space.history.past.pop(); // it is a part of this
    space.history.did({ what: `the view ${name} opened`, undo: () => this.bring(before), redo: () => this.bring(after) });
    this.opened = name;
    this.show();
    space.travel.aim(after.state); // the focus may have moved the camera
    space.status.say(note || `${name} opened`);
  }

  /** @param {Shown} shown */
  bring({ state, rows, focused, handled }) {
    const { space } = this;
    space.handles.bring(handled?.alpha ?? null, handled?.moved ?? []);
    space.choice.restore(rows);
    if (space.choice.focused !== focused) space.choice.focus(focused);
    space.travel.fly(state); // at last: the focus may have moved the camera
  }

  close() {
    this.model.off("msg:custom", this.hear);
  }
}

/**
 * Opens a view on a page without a kernel, as `open_view` does in Python.
 * @param {Message} message
 * @param {Model} model
 * @param {(answer: Message) => void} reply
 */
export function openOffline(message, model, reply) {
  const found = model.get("_view_answers")?.[message.name];
  if (!found) return;
  const shown = { state: model.get("view_state"), rows: [...int32(model.get("_selected"))], focused: model.get("_focused") };
  const before = { ...shown, handled: model.get("_handled"), changed: [...int32(model.get("_changed"))] };
  model.set("_changed", bytesOf(Int32Array.from(found.changed)));
  model.set("_handled", found.handled);
  model.set("view_state", found.state);
  model.set("_selected", bytesOf(Int32Array.from(found.rows)));
  model.set("_focused", found.focused);
  reply({ kind: "opened", name: message.name, note: found.note, before, after: found });
}
