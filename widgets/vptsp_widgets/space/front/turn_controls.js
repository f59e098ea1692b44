// Turning a map in three dimensions: the buttons for it, its keys, and the way back.

import { make } from "../../front/dom.js";
import { turnedBy } from "./turning.js";
/** @import { Deed } from "./history.js" */
/** @import { Turn } from "./turning.js" */
/** @import { Space } from "./view.js" */

const STEP = Math.PI / 12; // of an arrow key

export class TurnControls {
  on = true; // whether a drag turns the map; if not, it moves it
  /** @type {Deed | undefined} */ deed; // turns one after the other are one step to be undone
  /** @type {Turn} */ before = []; // as it was before these

  /** @param {Space} space */
  constructor(space) {
    this.space = space;
    const button = (/** @type {string} */ text, /** @type {string} */ title, /** @type {() => void} */ act) =>
      make("button", { type: "button", title, "aria-label": title, onclick: act }, text);
    this.toggler = button("Turn", "A drag turns the map (T); with Alt, or when this is off, it moves the map", () => this.toggle());
    this.element = make("span", { className: "vptsp-space-zoom", hidden: true }, this.toggler,
      button("Front", "Turn it back to how it was at first (Home)", () => this.front()));
  }

  /** Whether there is anything to turn. */
  get offered() {
    return this.space.cloud.solid !== null;
  }

  show() {
    this.element.hidden = !this.offered;
    this.toggler.setAttribute("aria-pressed", String(this.on));
    this.space.stage.gestures.turning = this.offered ? this.on : null;
  }

  toggle() {
    if (!this.offered) return this.space.status.say("only a map in three dimensions can be turned");
    this.on = !this.on;
    this.show();
    this.space.status.say(this.on ? "a drag turns the map" : "a drag moves the map");
  }

  /** By a key, in a direction of the screen. @param {number} dx @param {number} dy */
  step(dx, dy) {
    const before = this.space.state.turn;
    this.space.change({ turn: turnedBy(before, dx * STEP, dy * STEP) });
    this.turned(before);
  }

  front() {
    const before = this.space.state.turn;
    if (!this.offered || !before.length) return;
    this.space.travel.fly({ turn: [] });
    this.deed = undefined; // the way back is a step of its own
    this.turned(before);
    this.deed = undefined;
    this.space.status.say("as it was at first");
  }

  /** It was turned, which can be undone. @param {Turn} before */
  turned(before) {
    const { history } = this.space;
    const now = this.space.state.turn;
    if (this.deed && history.past[history.past.length - 1] === this.deed) history.past.pop();
    else this.before = before;
    const go = (/** @type {Turn} */ turn) => () => this.space.travel.fly({ turn });
    this.deed = { what: "the map turned", undo: go(this.before), redo: go(now) };
    history.did(this.deed);
    this.space.showSelection(); // there is something to undo now
  }
}
