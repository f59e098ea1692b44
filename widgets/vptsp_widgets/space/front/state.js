// The state of the view: what the buttons, keys and gestures change, shared with Python and with other copies of the view.

import { debounced } from "../../front/timing.js";

export class ViewState {
  constructor(model) {
    this.model = model;
    this.push = debounced(() => !this.closed && this.save(), 150);
    this.take();
  }

  /** As the model has it. */
  take() {
    this.now = { ...this.model.get("view_state") };
  }

  change(changes) {
    Object.assign(this.now, changes);
    this.push();
  }

  save() {
    this.saved = JSON.stringify(this.now);
    this.model.set("view_state", { ...this.now });
    this.model.save_changes();
  }

  /** Takes what Python, or another copy of this view, has set; answers whether it is news. */
  adopt() {
    const given = JSON.stringify(this.model.get("view_state"));
    if (given === this.saved || given === JSON.stringify(this.now)) return false;
    this.take();
    return true;
  }

  /** What is not saved yet is lost. */
  close() {
    this.closed = true;
  }
}
