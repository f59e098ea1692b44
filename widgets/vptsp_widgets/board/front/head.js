// What stands above the table: how far the sweep is, what it says of itself, and the best jobs so far.

import { make } from "../../front/dom.js";
import { duration, moment } from "../../front/time.js";
import { badge, patch, percent } from "./words.js";
/** @import { Sweep } from "./sweep.js" */

const SEGMENTS = ["done", "running", "interrupted", "failed", "killed", "unreadable"];

/**
 * `show` brings all of it up to date; `choose` is called with the row of a best job that is clicked.
 * @param {Sweep} sweep
 * @param {(index: number) => void} choose
 */
export function sweepHead(sweep, choose) {
  const name = make("strong", { className: "vptsp-sweepname" });
  const phase = badge("");
  const bar = make("div", { className: "vptsp-progress", role: "progressbar", "aria-label": "work done", "aria-valuemin": 0, "aria-valuemax": 100 });
  const segments = new Map(SEGMENTS.map((word) => [word, patch(word, "vptsp-segment")]));
  bar.append(...segments.values());
  const facts = make("div", { className: "vptsp-facts" });
  const bests = make("div", { className: "vptsp-bests" });
  const hint = make("div", { className: "vptsp-hint", hidden: true });

  function show() {
    const { head } = sweep;
    name.textContent = head.name;
    name.title = head.folder;
    phase.textContent = phase.dataset.state = head.phase;
    showBar();
    facts.replaceChildren(...saidOf().map((part) => make("span", {}, part)));
    showHint();
    showBests();
  }

  function showBar() {
    const { counts, fraction } = sweep.head;
    const widths = Object.fromEntries(SEGMENTS.map((word) => [word, counts[word] ?? 0]));
    widths.running = Object.values(sweep.model.get("_running") ?? {}).reduce((sum, { fraction: share }) => sum + (share ?? 0), 0);
    for (const [word, segment] of segments) segment.style.width = `${(100 * widths[word]) / Math.max(1, sweep.size)}%`;
    bar.setAttribute("aria-valuenow", String(Math.round(100 * fraction)));
  }

  function saidOf() {
    const { head } = sweep;
    const parts = [`${Math.floor(100 * head.fraction)} % of the work done`];
    if (head.left !== null) parts.push(`about ${duration(head.left)} left`);
    if (sweep.runs && head.workers) parts.push(`${head.workers} ${head.several ? "devices " : ""}at a time`);
    if (head.started) parts.push(`started ${moment(head.started)}`);
    if (head.phase === "stopping") parts.push("running jobs write a checkpoint and end");
    return parts;
  }

  /** How a sweep that has ended goes on. */
  function showHint() {
    const { phase: now, folder } = sweep.head;
    const retry = { "not running": "", ended: " --retry-failed" }[now];
    hint.hidden = retry === undefined;
    if (hint.hidden) return;
    const why = now === "ended" ? "Some jobs failed by their own error; they run again with " : "Nobody runs this sweep now; it goes on with ";
    hint.replaceChildren(why, make("code", {}, `vptsp sweep ${/\s/.test(folder) ? `'${folder}'` : folder}${retry}`));
  }

  function showBests() {
    const { best } = sweep.head;
    // a button that has the keyboard stays the same one
    const key = JSON.stringify([best, best.map((one) => sweep.job(one.row)?.title)]);
    if (bests.dataset.key === key) return;
    bests.dataset.key = key;
    bests.replaceChildren(...best.map(({ metric, value, row }) => {
      const button = make("button", { type: "button", className: "vptsp-best", title: "choose this job", onclick: () => choose(row) }, sweep.job(row)?.title ?? "");
      const star = make("span", { className: "vptsp-star", "aria-hidden": "true" }, "★ ");
      return make("span", {}, star, `best so far by validation: ${metric} `, make("strong", {}, percent(value)), " ", button);
    }));
  }

  return { name, phase, bar, facts, bests, hint, show };
}
