// The classes that the run confuses most, after its newest epoch.

import { make } from "../../front/dom.js";
/** @import { Model } from "../../front/model.js" */

/** @param {Model} model */
export function confusedClasses(model) {
  const group = make("select", { "aria-label": "what is compared", onchange: () => showGroup() });
  const title = make("strong", {});
  const table = make("table", { className: "vptsp-pairs" });
  const explained = make("div", { className: "vptsp-explained" });
  const element = make("section", { className: "vptsp-confused" }, make("div", { className: "vptsp-bar" }, title, group), table, explained);

  function show() {
    const { groups = [], epoch } = model.get("_confused") ?? {};
    const chosen = Math.max(0, group.selectedIndex);
    element.hidden = !groups.length;
    title.textContent = `Most confused classes after epoch ${epoch}`;
    group.replaceChildren(...groups.map((one) => make("option", {}, one.title)));
    group.selectedIndex = Math.min(chosen, groups.length - 1);
    showGroup();
  }

  function showGroup() {
    const chosen = (model.get("_confused")?.groups ?? [])[group.selectedIndex];
    if (!chosen) return table.replaceChildren();
    const none = make("tr", {}, make("td", { colSpan: chosen.header.length }, "there is no other class to be confused with"));
    const rows = chosen.rows.length ? chosen.rows.map((cells) => line(cells, "td")) : [none];
    explained.textContent = chosen.note;
    table.replaceChildren(make("thead", {}, line(chosen.header, "th")), make("tbody", {}, ...rows));
  }

  return { element, show };
}

/** @param {"td" | "th"} tag */
function line(cells, tag) {
  const scope = tag === "th" ? { scope: "col" } : {};
  return make("tr", {}, ...cells.map((cell, column) => make(tag, { className: column > 1 ? "vptsp-number" : "vptsp-name", ...scope }, cell)));
}
