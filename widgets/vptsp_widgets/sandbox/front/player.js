// The player: one step of gradient descent, or one after the other until all is at rest.

import { digits } from "./svg_parts.js";
/** @import { Experiment } from "./experiment.js" */

export class Player {
  /**
   * Calls `show()` when the experiment has moved, `say(text)`, and `playing(yes or no)` when that changes.
   * @param {Experiment} experiment
   */
  constructor(experiment, acts) {
    this.experiment = experiment;
    this.acts = acts;
    this.frame = 0;
    this.calm = matchMedia("(prefers-reduced-motion: reduce)");
  }

  get playing() {
    return Boolean(this.frame);
  }

  /** Whether a step moves anybody; says so if not. */
  ready() {
    if (this.experiment.canMove) return true;
    this.acts.say("nobody may move; choose who moves");
    return false;
  }

  step() {
    this.pause();
    if (!this.ready()) return;
    this.experiment.remember();
    this.leap(1, "step");
  }

  toggle() {
    if (this.playing) {
      this.pause();
      return;
    }
    if (!this.ready()) return;
    this.experiment.remember();
    if (this.calm.matches) this.leap(50, "50 steps at once, as reduced motion is wanted"); // no motion wanted
    else this.play();
  }

  leap(steps, text) {
    const before = this.experiment.result.loss;
    for (let step = 0; step < steps; step++) this.experiment.advance();
    this.acts.show();
    this.acts.say(`${text}: loss ${digits(before)} → ${digits(this.experiment.result.loss)}`);
  }

  play() {
    this.acts.playing(true);
    this.acts.say("playing");
    let last = 0;
    const tick = (now) => {
      if (now - last > 30) {
        last = now;
        const moved = this.experiment.advance();
        this.acts.show();
        if (!moved || this.experiment.losses.length > 3000) {
          this.pause(moved ? "stopped after 3,000 steps" : "everything is at rest");
          return;
        }
      }
      this.frame = requestAnimationFrame(tick);
    };
    this.frame = requestAnimationFrame(tick);
  }

  pause(why = "paused") {
    if (!this.playing) return;
    cancelAnimationFrame(this.frame);
    this.frame = 0;
    this.acts.playing(false);
    const { result, losses } = this.experiment;
    this.acts.say(`${why}: loss ${digits(result.loss)} after ${Math.max(0, losses.length - 1)} steps`);
  }
}
