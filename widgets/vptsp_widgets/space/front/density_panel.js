// Whose density is drawn, and what its lines mean.

import { make, svg } from "../../front/dom.js";
import { count } from "../../front/text.js";
import { images } from "./cloud.js";
import { figure } from "./dates.js";
import { ONLY_FLAT, inkOf, widthOf } from "./contours.js";
/** @import { Found, Group } from "./contours.js" */
/** @import { Space } from "./view.js" */

/** @type {[of: string, text: string][]} */
const KINDS = [["", "none"], ["shown", "of images shown"], ["categories", "of each category"], ["selection", "of selection and rest"]];
const listed = (/** @type {number[]} */ shares) => `${shares.slice(0, -1).map((share) => 100 * share).join(", ")} and ${100 * shares[shares.length - 1]} %`;

export class DensityPanel {
  /** @param {Space} space */
  constructor(space) {
    this.space = space;
    this.list = make("select", { "aria-label": "Density", title: "Lines around where most images are (D: the next of these)", onchange: () => this.set(this.list.value) },
      ...KINDS.map(([of, text]) => make("option", { value: of }, text)));
    this.about = make("div", {});
    this.element = make("div", { className: "vptsp-space-density" }, make("h4", {}, "Density"), this.list, this.about);
  }

  /** What can be undone. @param {string} of */
  set(of) {
    const { space } = this;
    const before = space.state.density;
    const go = (/** @type {string} */ which) => () => space.change({ density: which });
    space.history.did({ what: `density: ${KINDS.find(([one]) => one === of)?.[1]}`, undo: go(before), redo: go(of) });
    space.change({ density: of });
    space.status.say(this.said());
  }

  /** The next kind, by the key. */
  next() {
    if (this.space.cloud.solid) return this.space.status.say(ONLY_FLAT);
    const at = KINDS.findIndex(([of]) => of === this.space.state.density);
    this.set(KINDS[(at + 1) % KINDS.length][0]);
  }

  /** In words what is drawn. */
  said() {
    const { groups, why } = this.space.contours.found;
    if (why) return why;
    if (!groups.length) return "density: none";
    const of = groups[0].code < 0 ? groups.map((group) => `${count(group.images)} ${group.name}`).join(" and ") : `${count(groups.length)} categories`;
    return `density of ${of}: lines enclose ${listed(groups[0].shares)}`;
  }

  /** @param {Found} found */
  show({ groups, why, note }) {
    const { space } = this;
    const solid = space.cloud.solid !== null;
    this.list.disabled = solid;
    this.list.value = solid ? "" : space.state.density;
    const hint = (/** @type {string} */ text) => make("p", { className: "vptsp-space-hint" }, text);
    if (solid || why || !groups.length) return this.about.replaceChildren(...(solid || why ? [hint(solid ? ONLY_FLAT : why)] : []));
    const [first] = groups;
    const inside = first.code < 0 ? "the images" : "a category's images";
    this.about.replaceChildren(
      ...(first.code < 0 ? groups.map((group) => this.key(group)) : [this.key(first)]),
      hint(`Lines enclose these shares of ${inside}, where the map is densest; a projection stretches and squeezes the space of embeddings. ${note}`));
    this.about.title = groups.slice(0, 3).map((group) => `${group.name}: ${images(group.images)}, smoothed over ${figure(group.width)} units of the map`).join("\n");
  }

  /** Its lines as they are drawn. @param {Group} group */
  key(group) {
    const { inks, colours } = this.space;
    const ink = group.code >= 0 ? inks.ink : inkOf(group, inks, colours.css);
    const swatches = group.shares.map((share) => make("span", {},
      svg("svg", { width: 22, height: 8, "aria-hidden": "true" },
        svg("line", { x1: 0, x2: 22, y1: 4, y2: 4, stroke: ink, "stroke-width": widthOf(share), "stroke-dasharray": group.rest ? "7 4" : "none" })),
      `${100 * share} %`));
    return make("div", { className: "vptsp-space-shares" }, ...swatches,
      make("small", {}, group.code < 0 ? `of ${count(group.images)} ${group.name}` : "in the colour of each"));
  }
}
