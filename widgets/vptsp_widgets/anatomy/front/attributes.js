// Whether proxies that lie close belong to classes that look alike: distances of proxies against those of attributes.

import { make } from "../../front/dom.js";
import { count } from "../../front/text.js";
import { PROXIES } from "../../front/signs.js";
import { cosine } from "./words_and_arrows.js";
/** @import { Shown } from "./shown.js" */

/**
 * The panel: `card`, hidden where no class has attributes; `draw` shows it anew.
 * @param {Shown} shown
 */
export function attributeCard(shown) {
  const card = make("section", { className: "va-card va-attributes", hidden: true });

  function draw() {
    const found = shown.parts.facts.correlations;
    card.hidden = !found.length;
    if (!found.length) return;
    const titles = { learned: PROXIES.learned.title, semantic: PROXIES.semantic.title, fused: `${PROXIES.fused.title}, α = ${shown.parts.facts.trained}`, "mean images": "mean images" };
    const most = Math.max(...found.map(({ rho }) => Math.abs(rho)), 1e-9);
    const least = (one) => (one.p <= 1 / (one.permutations + 1) && !one.exact ? `p ≤ ${one.p.toFixed(4)}` : `p = ${one.p.toFixed(4)}`);
    const rows = found.map((one) => {
      const bar = make("i", {});
      bar.style.width = `${(100 * Math.abs(one.rho)) / most}%`;
      bar.style.background = PROXIES[one.kind] ? shown.colour(PROXIES[one.kind].colour) : "var(--soft)";
      return make("tr", {}, make("th", { scope: "row" }, titles[one.kind]), make("td", { className: "va-rho" }, make("span", {}, bar)), make("td", {}, `ρ ${cosine(one.rho)}`), make("td", {}, least(one)));
    });
    const { classes, permutations, exact } = found[0];
    card.replaceChildren(
      make("h4", {}, "Do proxies that lie close belong to classes that look alike?"),
      make("table", {}, ...rows),
      make("p", {}, `Spearman's ρ between the cosine distances of ${count(classes)} classes' proxies and Gower's distance of their known attributes (numbers by difference over range, others equal or not). p: one-sided, ${exact ? "all" : count(permutations)} permutations of the classes.`),
    );
  }

  return { card, draw };
}
