// The panel of proxies as handles: a slider for alpha, what it changes, one proxy to move, and the forces on the image of focus.

import { make } from "../../front/dom.js";
import { count } from "../../front/text.js";
import { images } from "./cloud.js";
/** @import { Felt, Handled, Handles } from "./handles.js" */

const ARROWS = { ArrowLeft: [-1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1], ArrowRight: [1, 0] };
/** @type {[sign: string, name: string, dx: number, dy: number][]} */
const BUTTONS = [["←", "left", -1, 0], ["↑", "up", 0, -1], ["↓", "down", 0, 1], ["→", "right", 1, 0]];
const share = (/** @type {number} */ value) => `${(100 * value).toFixed(1)} %`;
const ways = (/** @type {[number, number]} */ [before, now]) => `${share(before)} → ${share(now)}`;
const hint = (text) => make("p", { className: "vptsp-space-hint" }, text);
const signed = (/** @type {number} */ value) => `${value < 0 ? "−" : "+"}${Math.abs(value) < 0.01 ? Math.abs(value).toExponential(0) : Math.abs(value).toPrecision(3)}`;

export class HandlePanel {
  /** @type {string[] | null} */ names = null; // of the proxies in the list

  /** @param {Handles} handles */
  constructor(handles) {
    this.handles = handles;
    this.slider = make("input", {
      type: "range", min: "0", max: "1", step: "0.01", "aria-label": "alpha, the share of the learned proxies",
      oninput: () => handles.setAlpha(Number(this.slider.value)),
    });
    this.value = make("output", {});
    this.own = make("button", { type: "button", className: "vptsp-space-own", title: "The run's own alpha", onclick: () => handles.setAlpha(handles.offer.alpha ?? 1) });
    this.mixing = make("div", { className: "vptsp-space-alpha" },
      make("label", {}, "α", this.slider, this.value),
      make("div", { className: "vptsp-space-alphas", "aria-hidden": "false" }, make("span", {}, "0: G"), this.own, make("span", {}, "1: O")));
    this.said = make("div", { "aria-live": "polite" });
    this.changed = make("button", { type: "button", title: "Select the images whose nearest proxy is another", onclick: () => handles.selectChanged() }, "Select them");
    this.colour = make("button", { type: "button", onclick: () => handles.answer && handles.parent.change({ colour: handles.answer.column, solo: [] }) }, "Colour by it");
    this.resetting = make("button", { type: "button", title: "The run's own alpha, and all proxies at their own places", onclick: () => handles.reset() }, "Reset");
    this.list = make("select", { "aria-label": "Proxy to move", onchange: () => handles.choose(Number(this.list.value)) });
    this.back = make("button", { type: "button", title: "To its own place", onclick: () => handles.putBack() }, "Put back");
    this.group = make("div", { className: "vptsp-space-acts", role: "group", "aria-label": "Move the proxy", onkeydown: (/** @type {KeyboardEvent} */ event) => this.press(event) },
      ...BUTTONS.map(([sign, name, dx, dy]) =>
        make("button", { type: "button", title: `Move it ${name} (arrow keys; with Shift farther)`, "aria-label": `Move ${name}`, onclick: (event) => handles.step(dx, dy, event.shiftKey) }, sign)),
      this.back);
    this.moving = make("div", { className: "vptsp-space-moving-proxy" },
      make("label", {}, "Proxy", this.list), this.group);
    this.movedNote = make("div", {});
    this.forces = make("div", { className: "vptsp-space-forces" });
    this.fold = make("details", { ontoggle: () => this.toggled() },
      make("summary", {}, "Proxies as handles"), this.mixing, this.said,
      make("div", { className: "vptsp-space-acts" }, this.changed, this.colour, this.resetting), this.moving, this.movedNote, this.forces);
    this.element = make("div", { className: "vptsp-space-handles" }, this.fold);
  }

  get open() {
    return this.fold.open && !this.element.hidden;
  }

  /** Opens it, or closes it; what it is opened for has the focus. */
  toggle() {
    this.fold.open = !this.fold.open;
    if (!this.fold.open) return;
    const side = this.element.parentElement;
    if (side) side.scrollTop = this.element.offsetTop - side.offsetTop; // where it scrolls, beside the map
    this.element.scrollIntoView({ block: "nearest" });
    (this.mixing.hidden ? this.list : this.slider).focus({ preventScroll: true });
  }

  toggled() {
    if (this.fold.open) this.handles.opened();
    else this.handles.closed();
    this.show();
  }

  renew() {
    this.names = null;
  }

  /** @param {KeyboardEvent} event */
  press(event) {
    const arrow = ARROWS[event.key];
    if (!arrow) return;
    this.handles.step(arrow[0], arrow[1], event.shiftKey);
    event.preventDefault();
    event.stopPropagation();
  }

  show() {
    const { handles } = this;
    this.element.hidden = !handles.offered;
    if (!this.open) return;
    const { answer, live, offer } = handles;
    this.mixing.hidden = offer.alpha === null || offer.alpha === undefined;
    if (!this.mixing.hidden) this.showAlpha(handles.alphaNow, offer.alpha ?? 0);
    const waits = handles.waiting !== null;
    this.said.replaceChildren(...this.counts(answer, waits));
    this.said.setAttribute("aria-busy", String(waits));
    this.changed.disabled = !answer?.changed;
    this.colour.disabled = !answer;
    this.colour.title = answer ? `Colour images by ${answer.column}` : "";
    this.slider.disabled = !live;
    this.resetting.disabled = !live || handles.atRest;
    this.moving.hidden = !live;
    this.listProxies();
    const moved = handles.moved.some(({ proxy }) => proxy === handles.chosen);
    for (const button of this.group.querySelectorAll("button")) button.disabled = handles.chosen < 0 || (button === this.back && !moved);
    this.movedNote.replaceChildren(...this.aboutPlaces());
    this.forces.replaceChildren(...(live ? this.tableOf(handles.felt) : []));
  }

  /** @param {number} alpha @param {number} own */
  showAlpha(alpha, own) {
    if (Number(this.slider.value) !== alpha) this.slider.value = String(alpha);
    this.value.textContent = alpha.toFixed(2);
    this.own.textContent = `▴ run ${own.toFixed(2)}`;
    this.own.style.setProperty("--own", String(own));
    this.own.setAttribute("aria-label", `Set alpha to the run's own ${own.toFixed(2)}`);
    this.own.disabled = !this.handles.live;
  }

  /**
   * What is predicted, in words.
   * @param {Handled | null} answer
   * @param {boolean} waits
   */
  counts(answer, waits) {
    const found = this.handles.model.get("_handled");
    if (!waits && found?.error) return [make("p", { role: "alert" }, found.error)];
    if (!answer) return [hint("counting …")];
    const { changed, known, accuracy, probes } = answer;
    const all = answer.images;
    const said = [make("p", {}, make("b", {}, `${count(changed)} of ${images(all)}`), ` change${changed === 1 ? "s" : ""} their nearest proxy${waits ? " (counting …)" : ""}`)];
    if (accuracy) said.push(make("p", {}, `Nearest is that of the class: `, make("b", {}, ways(accuracy)), known < all ? `, of the ${count(known)} whose class has a proxy` : ""));
    else {
      said.push(hint("No class here has a proxy, so none is right or wrong."));
      if (probes?.accuracy) said.push(make("p", {}, `Right of ${count(probes.images)} training images that the run watched: `, make("b", {}, ways(probes.accuracy))));
    }
    return said;
  }

  /** Where the signs stand, and what that means. */
  aboutPlaces() {
    const { handles } = this;
    const { answer } = handles;
    const said = [];
    if (handles.moved.length) {
      const moved = answer?.moved ?? [];
      const several = Math.max(...moved.map(({ rows }) => rows?.length ?? 0), 0);
      const dragged = moved.some(({ weights }) => new Set(weights).size > 1); // a cell takes images alike
      said.push(hint(`A moved proxy is the mean direction of the ${several > 1 ? `${several} images` : "image"} that lines lead to${
        dragged ? ": nearest to its place on the map, the nearer the more" : ""}.`));
    }
    if (!this.mixing.hidden && handles.alphaNow !== handles.offer.alpha) {
      const steps = (handles.model.get("_way_alphas") ?? []).length;
      said.push(hint(steps
        ? `Signs: projected at ${steps} values of α, on straight lines between these.`
        : "Signs: on straight lines between G, q and O, which is only about where they are."));
    }
    return said;
  }

  listProxies() {
    const { names } = this.handles.parent.cloud().proxies;
    if (this.names !== names) {
      this.names = names;
      this.list.replaceChildren(make("option", { value: "-1" }, "choose …"), ...names.map((name, proxy) => make("option", { value: String(proxy) }, name)));
    }
    this.list.value = String(this.handles.chosen);
  }

  /** The forces in numbers. @param {Felt | null} felt */
  tableOf(felt) {
    const head = make("h4", {}, "Forces on the image of focus");
    if (!felt) return [head, hint("Focus an image to see which proxies pull it and which push it.")];
    if (felt.error) return [head, hint(`None: ${felt.error}.`)];
    const { names } = this.handles.parent.cloud().proxies;
    const effects = felt.effects ?? [];
    if (!effects.length) return [head, hint("None: the loss has no slope here.")];
    const lines = effects.map(({ proxy, cosine, gradient }, turn) => {
      const pulls = gradient < 0;
      return make("tr", {},
        make("td", {}, String(turn + 1)),
        make("td", { className: pulls ? "vptsp-space-right" : "vptsp-space-wrong" }, pulls ? "— pull" : "╌ push"),
        make("th", { scope: "row", dir: "auto", title: names[proxy] }, names[proxy]),
        make("td", {}, cosine.toFixed(2).replace("-", "−")), make("td", {}, signed(gradient)));
    });
    const more = felt.more ? `${count(felt.more)} more push or pull by ${(felt.rest ?? 0).toPrecision(2)} together. ` : "";
    return [
      head,
      make("table", {},
        make("thead", {}, make("tr", {}, make("td", {}), make("td", {}), make("td", {}), make("th", { scope: "col" }, "cos"), make("th", { scope: "col" }, "∂L/∂cos"))),
        make("tbody", {}, ...lines)),
      hint(`${more}${felt.loss} of a batch of this image alone${felt.note ? `; ${felt.note}` : ""}.`),
    ];
  }
}
