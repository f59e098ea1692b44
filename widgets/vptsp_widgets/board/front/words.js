// States of jobs, and numbers in words.

import { make } from "../../front/dom.js";
import { count } from "../../front/text.js";
/** @import { Job } from "./sweep.js" */

export const STATES = ["running", "failed", "killed", "interrupted", "unreadable", "done", "queued"];
export const percent = (value) => (value === null || value === undefined ? "–" : `${(100 * value).toFixed(1)} %`);
export const several = (number, one) => `${count(number)} ${one}${number === 1 ? "" : "s"}`;

/** @param {Job} job */
export const epochs = (job) => (job.epochs ? `${job.epoch ?? 0} of ${several(job.epochs, "epoch")}` : "");

/**
 * An element whose `dataset.state` decides its colour.
 * @param {string} state
 */
export function badge(state, className = "vptsp-badge") {
  const made = make("span", { className }, state);
  made.dataset.state = state;
  return made;
}

/** The same without the word. */
export function patch(state, className) {
  const made = badge(state, className);
  made.textContent = "";
  return made;
}
