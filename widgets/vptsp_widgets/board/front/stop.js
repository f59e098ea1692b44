// The button that asks the sweep to stop, once a question is answered, or takes the wish back.

import { make } from "../../front/dom.js";
import { several } from "./words.js";
/** @import { Sweep } from "./sweep.js" */

/**
 * @param {Sweep} sweep
 * @param {(text: string) => void} say
 */
export function stopButton(sweep, say) {
  const button = make("button", { type: "button", onclick: () => (sweep.head.wish ? ask("withdraw") : confirm(true)) });
  const question = make("span", {});
  const yes = make("button", { type: "button", className: "vptsp-danger", onclick: () => (confirm(false), ask("stop")) }, "Stop the sweep");
  const no = make("button", { type: "button", onclick: () => confirm(false) }, "Let it run");
  const confirmation = make("div", { className: "vptsp-confirm", role: "group", "aria-label": "confirm to stop", hidden: true }, question, yes, no);

  function ask(kind) {
    say("waiting for the kernel");
    button.disabled = true;
    sweep.model.send({ kind });
  }

  function confirm(open) {
    const had = confirmation.contains(document.activeElement);
    confirmation.hidden = !open;
    if (open) {
      const { running = 0, queued = 0 } = sweep.head.counts;
      question.textContent = `Stop the sweep? ${several(running, "running job")} will write a checkpoint and end, ${several(queued, "waiting job")} will not start. Starting it again goes on from there.`;
      no.focus();
    } else if (had) button.focus();
  }

  function show() {
    const { wish } = sweep.head;
    button.textContent = wish ? "Withdraw the stop" : "Stop …";
    button.disabled = !sweep.runs && !wish;
    button.title = button.disabled ? "nobody runs this sweep now" : "";
    if (!sweep.runs || wish) confirm(false);
  }

  return { button, confirmation, confirm, show };
}
