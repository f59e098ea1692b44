// The anatomy of proxies. For any alpha everything follows from the dot products of O and G with the images.

import { make } from "../../front/dom.js";
import { onTraits } from "../../front/model.js";
import { presenter } from "../../front/presenter.js";
import { helpPanel, statusLine } from "../../front/status.js";
import { count } from "../../front/text.js";
import { onTheme } from "../../front/theme.js";
import { attributeCard } from "./attributes.js";
import { alphaCurves } from "./curves.js";
import { fusionPanel } from "./fusion.js";
import { classMap } from "./class_map.js";
import { classPlane } from "./plane.js";
import { Shown } from "./shown.js";
import { nearestStrips } from "./strips.js";
import { classTable } from "./table.js";

export default {
  render({ model, el }) {
    const status = statusLine(model);
    const root = make("div", { className: "vptsp va", role: "group", "aria-label": "proxy anatomy" });
    const shown = new Shown(model, root, status.say);
    const fusion = fusionPanel(shown);
    const map = classMap(shown);
    const plane = classPlane(shown);
    const curves = alphaCurves(shown, fusion.focus);
    const table = classTable(shown);
    const strips = nearestStrips(shown);
    const attributes = attributeCard(shown);

    const title = make("b", { className: "va-title", dir: "auto" });
    const notes = make("div", { className: "va-notes" });
    const present = presenter({
      count: () => shown.parts.classes, at: () => table.placeOf(shown.label), go: (at) => shown.chooseClass(table.labelAt(at)),
      title: (at) => shown.parts.names[table.labelAt(at)],
    });
    const help = helpPanel([
      ["arrows on the slider", "change alpha; Home and End: semantic or learned proxies alone"],
      ["click or drag in the curves", "change alpha"],
      ["↑ ↓ in the table", "the class before or after; Home and End: the first and last"],
      ["click on a sign", "look at that class"],
      ["Enter on a thumbnail", "focus that image, here and in linked views"],
      ["?", "these keys"],
    ]);
    const everyAlpha = make("section", { className: "va-card" }, make("h4", {}, "Every alpha"), curves.box);
    root.append(
      make("div", { className: "vptsp-bar" }, title, make("span", { className: "va-grow" }), help.button, present.button), help.table, notes, fusion.line, fusion.tiles,
      make("div", { className: "va-pair" },
        make("section", { className: "va-card" }, make("div", { className: "va-head" }, make("h4", {}, "All classes"), map.axes), map.signs, map.box),
        make("section", { className: "va-card" }, plane.title, plane.signs, plane.box, plane.composition, plane.facts)),
      make("div", { className: "va-pair vptsp-fold" }, everyAlpha, make("section", { className: "va-card" }, table.title, table.tally, table.scroller)),
      make("section", { className: "va-card" }, strips.box), attributes.card, status.line,
    );
    help.listen(root);
    el.append(root);

    // --- showing: at once what another run brings, once a frame what follows from alpha and the class
    let started = false;
    let frameRequest = 0; // 0: none under way
    function start() {
      const { parts, semantic } = shown;
      curves.clear();
      title.textContent = `Proxies of ${parts.facts.name}`;
      notes.replaceChildren(...parts.facts.notes.map((note) => make("div", {}, note)));
      fusion.line.hidden = everyAlpha.hidden = !semantic;
      map.legend();
      table.build();
      attributes.draw();
      showNow();
      strips.draw();
      table.show();
      if (semantic) curves.fill();
      started = true;
    }
    function showSoon() {
      frameRequest ||= requestAnimationFrame(() => {
        frameRequest = 0;
        showNow();
      });
    }
    function showNow() {
      fusion.tell();
      plane.tell();
      table.fill();
      map.paint();
      plane.paint();
      curves.paint();
      strips.drawLater();
    }
    const ends = [
      onTheme(root, (dark) => {
        shown.dark = dark;
        if (started) {
          map.legend();
          attributes.draw();
          showSoon();
        }
      }),
      onTraits(model, {
        _facts: () => {
          shown.renew();
          start();
        },
        alpha: () => {
          table.sortLater();
          showSoon();
        },
        _class: () => {
          table.show();
          showSoon();
          const { parts, label } = shown;
          status.say(`${parts.names[label]}: ${table.placeOf(label) + 1} of ${count(parts.classes)} in the table`);
        },
      }),
      status.end, map.close, plane.close, curves.close, () => shown.close(), () => cancelAnimationFrame(frameRequest),
    ];
    start();
    let closed = false;
    ends.push(() => (closed = true));
    document.fonts?.ready.then(() => !closed && showSoon());
    return () => {
      ends.forEach((end) => end());
      root.remove();
    };
  },
};
