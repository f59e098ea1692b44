// The legend: what the glyphs and lines of the stage mean, and how long an arrow is.

import { make, svg } from "../../front/dom.js";
import { PROXIES } from "../../front/signs.js";
import { isSphere } from "./circle_and_sphere.js";
import { DISC, arrowPath, digits, glyphElement, proxySign } from "./svg_parts.js";
/** @import { Kind } from "../../front/signs.js" */
/** @import { State } from "./experiment.js" */

export class Legend {
  /** @type {boolean} */ mixed;
  /** @type {boolean} */ sphere;
  /** @type {SVGPathElement} */ arrowMark;
  /** @type {HTMLSpanElement} */ scaleText;

  constructor() {
    this.element = make("div", { className: "vptsp-sb-legend" });
  }

  /** @param {State} state */
  renew(state) {
    const sign = (...parts) => svg("svg", { viewBox: "0 0 46 24", "aria-hidden": "true" }, ...parts);
    const glyph = (path, open) => glyphElement(path, open, "A", { transform: "translate(23 12) scale(0.8)", style: "--c: var(--soft); cursor: default" });
    /** @param {Kind} kind */
    const proxy = (kind) => glyph(proxySign(kind).path, proxySign(kind).open);
    const line = (kind) => sign(svg("path", { d: "M4 12H42", class: `vptsp-sb-pair ${kind}` }));
    const item = (mark, text, wide) => make("div", wide ? { className: "vptsp-sb-wide" } : {}, mark, text.nodeType ? text : make("span", {}, text));
    this.mixed = Boolean(state.semantic);
    this.sphere = isSphere(state);
    this.arrowMark = svg("path", { class: "vptsp-sb-arrow" });
    this.scaleText = make("span", { className: "vptsp-sb-scale" });
    this.element.replaceChildren(
      item(sign(this.arrowMark), this.scaleText, true),
      item(sign(glyph(DISC, false)), "sample: an image, of class A"),
      ...(this.mixed ? [
        item(sign(proxy("fused")), `${PROXIES.fused.title}, the proxy that the loss sees`),
        item(sign(proxy("learned")), `${PROXIES.learned.title}, length = weight`),
        item(sign(proxy("semantic")), PROXIES.semantic.title),
        item(sign(svg("path", { d: "M4 12H42", class: "vptsp-sb-mix" })), "where αO + (1 − α)G can lie"),
      ] : [item(sign(proxy("fused")), "proxy of class A")]),
      item(line(""), "hard pair, pulled together"),
      item(line("vptsp-sb-push"), "hard pair, pushed apart"),
      item(sign(svg("circle", { cx: 23, cy: 12, r: 10.5, class: "vptsp-sb-ring" }), glyph(DISC, false)),
        "hard sample: in a hard pair, one whose |∂L/∂s|, s its cosine, is at least half of the largest of all pairs, and 0.01", true),
      ...(this.sphere ? [item(sign(svg("g", { class: "vptsp-sb-behind" }, glyph(DISC, false))), "dimmed: on the far side of the sphere", true)] : []),
    );
  }

  /** Says that an arrow of `length` pixels is a gradient of `gradient`; without a length, that there are no arrows. */
  showScale({ length, gradient }) {
    if (!length) {
      this.scaleText.textContent = "all gradients are zero: no arrows";
      this.arrowMark.setAttribute("d", "");
      return;
    }
    this.arrowMark.setAttribute("d", arrowPath(0, 12, length, 0));
    const seen = this.sphere ? ", foreshortened as seen" : "";
    this.scaleText.textContent = `an arrow of this length${seen}: gradient ${digits(gradient)}. It points along −∂L/∂point, `
      + `the way descent goes. Losses normalise their points, so it is the tangent part${this.mixed ? " (at q, over q's length; α times it at O, 1 − α times it at G)" : ""}.`;
  }
}
