// The job that is chosen: its parameters, its whole error, its files.

import { make } from "../../front/dom.js";
import { fileLinks } from "./links.js";
import { badge, epochs, several } from "./words.js";
/** @import { Sweep } from "./sweep.js" */

/**
 * @param {Sweep} sweep
 * @param {() => void} close
 */
export function jobDetail(sweep, close) {
  const element = make("section", { className: "vptsp-detail", hidden: true, "aria-label": "the chosen job" });
  const fact = (title, ...inside) => make("div", {}, make("dt", {}, title), make("dd", {}, ...inside));

  function show() {
    const job = sweep.job(sweep.chosen);
    element.hidden = !job;
    const { seconds, left, fraction, place, ...calm } = job ?? {}; // what moves each second is in the table
    const key = JSON.stringify(calm);
    if (element.dataset.key === key) return;
    element.dataset.key = key;
    if (!job) return element.replaceChildren();
    const button = make("button", { type: "button", onclick: close }, "Close");
    const heading = make("div", { className: "vptsp-head" }, badge(job.state), make("strong", { className: "vptsp-sweepname" }, job.title), make("span", { className: "vptsp-ends" }, button));
    const known = [
      job.epochs ? fact("trained", epochs(job)) : null,
      job.devices ? fact("on", job.devices) : null,
      job.attempts ? fact("started", several(job.attempts, "time")) : null,
      job.memory ? fact("peak memory", `${(job.memory / 2 ** 30).toFixed(1)} GiB`) : null,
    ];
    const files = job.files.length ? fact("files", ...fileLinks(sweep, job, true)) : fact("directory", `${sweep.head.folder}/${job.name}`);
    const parameters = job.parameters.map(([name, value]) => fact(name, value));
    element.replaceChildren(
      heading,
      ...(job.error ? [make("pre", { className: "vptsp-trouble", tabIndex: 0, "aria-label": "error" }, job.error)] : []),
      make("dl", { className: "vptsp-values" }, ...parameters, ...known),
      make("dl", {}, files),
    );
  }

  return { element, show };
}
