// The state of the view: what the buttons, keys and gestures change, shared with Python and with other copies of the view.

import { debounced } from "../../front/timing.js";
/** @import { Condition } from "./filter.js" */
/** @import { Model } from "../../front/model.js" */

/**
 * What `view_state` holds. `x` and `y`: the middle of the screen in units of the map, null: that of the whole map.
 * @typedef {object} State
 * @property {number | null} x
 * @property {number | null} y
 * @property {number} zoom
 * @property {number[]} turn - of a map in three dimensions, a quaternion; empty: not turned
 * @property {string} colour - the column that colours the images
 * @property {string[]} solo - its values that are shown alone
 * @property {string} find - a class
 * @property {Condition[]} filter - of which all must hold
 * @property {boolean} labels
 * @property {boolean} pictures - of single images, where one has zoomed in
 * @property {boolean} examples - whether an image of each class stands on the map
 * @property {string} density - whose density is drawn: "shown", "categories", "selection", or "" for none
 * @property {string[]} proxies - kinds shown
 * @property {boolean} arrows
 * @property {boolean} neighbours - whether lines lead to those of the image focused
 * @property {boolean} truth - whether they do to those of the image pointed at, beside how far the map can be trusted
 * @property {boolean} all - instead of the sample
 */

/**
 * A state without the part that `handles.js` asks the kernel for by messages.
 * @template {object} Given
 * @param {Given} state
 * @returns {Given}
 */
function own(state) {
  const rest = Object.assign({}, state);
  delete (/** @type {any} */ (rest).handles);
  return rest;
}

export class ViewState {
  /** @type {State} */ now;
  /** @type {string | undefined} */ saved;
  closed = false;

  /** @param {Model} model */
  constructor(model) {
    this.model = model;
    this.push = debounced(() => !this.closed && this.save(), 150);
    this.take();
  }

  /** As the model has it. */
  take() {
    this.now = own(this.model.get("view_state"));
  }

  /** @param {Partial<State>} changes */
  change(changes) {
    Object.assign(this.now, own(changes));
    this.push();
  }

  save() {
    this.saved = JSON.stringify(this.now);
    const live = this.model.live !== false && this.model.get("_handle_offer")?.kind;
    const handles = live ? null : this.model.get("view_state").handles; // null: as they are, which the kernel knows best
    this.model.set("view_state", { ...this.now, handles });
    this.model.save_changes();
  }

  /** Takes what Python, or another copy of this view, has set; answers whether it is news. */
  adopt() {
    const given = JSON.stringify(own(this.model.get("view_state")));
    if (given === this.saved || given === JSON.stringify(this.now)) return false;
    this.take();
    return true;
  }

  /** What is not saved yet is lost. */
  close() {
    this.closed = true;
  }
}
