// What the run is doing now: its name and state, how far it is, and buttons to stop and resume it.

import { make } from "../../front/dom.js";
import { count } from "../../front/text.js";
import { duration } from "../../front/time.js";
/** @import { Model } from "../../front/model.js" */

/**
 * `show` brings it up to date; `known` tells whether a run is watched.
 * @param {Model} model
 * @param {(text: string) => void} say
 * @param {HTMLElement[]} helpers - stand beside the buttons
 */
export function runHead(model, say, helpers) {
  const badge = make("span", { className: "vptsp-badge" });
  const name = make("strong", { className: "vptsp-runname" });
  const stop = make("button", { type: "button", onclick: () => ask("stop") }, "Stop");
  const resume = make("button", { type: "button", onclick: () => ask("resume") }, "Resume");
  const buttons = model.live === false ? [] : [stop, resume];
  const element = make("div", { className: "vptsp-head" }, name, badge, make("span", { className: "vptsp-ends" }, ...buttons, ...helpers));
  const fill = make("div", { className: "vptsp-fill" });
  const bar = make("div", { className: "vptsp-progress", role: "progressbar", "aria-label": "steps done", "aria-valuemin": 0, "aria-valuemax": 100 }, fill);
  const facts = make("div", { className: "vptsp-facts" });
  const trouble = make("div", { className: "vptsp-trouble", hidden: true });
  const now = () => model.get("_now") ?? {};
  const known = () => now().state !== undefined;

  function ask(kind) {
    say("waiting for the kernel");
    stop.disabled = resume.disabled = true;
    model.send({ kind });
  }

  function show() {
    const { state, name: called, stopping, scoring, message } = now();
    badge.hidden = !known();
    name.textContent = known() ? called : "";
    stop.disabled = !["training", "starting"].includes(state) || stopping || scoring;
    resume.disabled = !["stopped", "killed", "failed"].includes(state);
    if (!known()) return;
    badge.textContent = badge.dataset.state = state;
    showBar(now());
    facts.replaceChildren(...saidOf(now()).map((part) => make("span", {}, part)));
    trouble.textContent = message;
    trouble.hidden = !message;
  }

  function showBar({ state, steps, step }) {
    const share = state === "done" ? 1 : steps ? step / steps : 0;
    fill.style.width = `${100 * share}%`;
    fill.dataset.state = state;
    bar.setAttribute("aria-valuenow", String(Math.round(100 * share)));
  }

  return { element, bar, facts, trouble, show, known };
}

function saidOf(now) {
  const parts = [];
  const training = now.state === "training";
  if (now.steps) {
    const epoch = training && now.step < now.steps ? Math.min(now.epochs, Math.floor((now.step * now.epochs) / now.steps) + 1) : now.epoch;
    parts.push(`epoch ${epoch} of ${now.epochs}`, `step ${count(now.step)} of ${count(now.steps)}`);
  } else if (training) parts.push("nothing to train");
  if (now.speed) parts.push(`${count(Math.round(now.speed))} images/s`);
  if (now.scoring) parts.push("scoring the images");
  else if (training && now.left !== null) parts.push(`about ${duration(now.left)} left`);
  if (now.stopping) parts.push("stops after its current step");
  if (now.quiet > 30) parts.push(`no news for ${duration(now.quiet)}`);
  return parts;
}
