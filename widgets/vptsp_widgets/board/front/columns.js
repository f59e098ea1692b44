// The columns of the table: which there are, what they are sorted by, and what stands in their cells.

import { make } from "../../front/dom.js";
import { duration } from "../../front/time.js";
import { fileLinks } from "./links.js";
import { STATES, badge, epochs, patch, percent } from "./words.js";
/** @import { Job, Sweep } from "./sweep.js" */

/** @typedef {[key: string, title: string, value: ((job: Job) => any) | null, cell: (job: Job, index: number) => any, kind?: string]} Column */

/**
 * [key, title, value to sort by, what makes the cell: text or nodes, kind]
 * @param {Sweep} sweep
 * @param {Job[]} jobs
 */
export function columnsOf(sweep, jobs) {
  const names = sweep.head.names ?? [];
  const stars = sweep.stars();
  const metrics = [...new Set(jobs.map(({ metric }) => metric).filter(Boolean))];
  const one = metrics.length === 1 ? ` ${metrics[0]}` : "";
  const score = (/** @type {number | null} */ value, /** @type {Job} */ { metric }) => (value === null || one ? percent(value) : `${percent(value)} ${metric}`);
  const star = () => make("span", { className: "vptsp-star", title: "best by validation so far", role: "img", "aria-label": "best so far" }, "★");
  /** @type {Column[]} */
  const found = [["state", "state", (job) => STATES.indexOf(job.state), (job) => [badge(job.state)]]];
  if (jobs.some(({ label }) => label)) found.push(["label", "run", (job) => job.label || null, (job) => job.label || "–", "name"]);
  names.forEach((title, place) => found.push([`p${place}`, title, (job) => job.values[place], (job) => job.values[place] ?? faded("default"), "value"]));
  if (!names.length && found.length === 1) found.push(["title", "job", (job) => job.title, (job) => job.title, "name"]);
  found.push(
    ["progress", "progress", (job) => job.fraction, progressCell, "share"],
    ["best", `val${one}`, (job) => job.best, (job, index) => (stars.has(index) ? [star(), ` ${score(job.best, job)}`] : score(job.best, job)), "number"],
    ["test", `test${one}`, (job) => job.test, (job) => score(job.test, job), "number"],
    ["seconds", "time", (job) => job.seconds, (job) => duration(job.seconds), "number"],
    .../** @type {Column[]} */ (sweep.runs ? [["left", "left", (job) => job.left, (job) => duration(job.left), "number"]] : []),
    ["attempts", "tries", (job) => job.attempts, (job) => String(job.attempts), "number"],
    ["files", "files", null, (job) => fileLinks(sweep, job), "files"],
  );
  return found;
}

const faded = (text) => make("span", { className: "vptsp-faded" }, text);

/** @param {Job} job */
function progressCell(job) {
  const first = job.error.split("\n", 1)[0];
  if (first) return make("span", { className: "vptsp-error", title: first }, first);
  if (job.state === "queued") return faded("waiting");
  const fill = patch(job.state, "vptsp-fill");
  fill.style.width = `${100 * (job.fraction ?? 0)}%`;
  const where = epochs(job) || (job.fraction === null ? job.place : `${Math.floor(100 * job.fraction)} %`);
  return [make("span", { className: "vptsp-small" }, fill), faded(where)];
}
