// The keyboard: letters are commands, arrow keys move the focused point or turn the sphere.

import { isSphere } from "./circle_and_sphere.js";
import { rotated, unit } from "./vectors.js";
/** @import { Experiment, State } from "./experiment.js" */
/** @import { Hand } from "./pointing.js" */
/** @import { Stage } from "./stage.js" */

/** @type {[key: string, what: string][]} */
export const HELP = [
  ["drag", "moves a sample or proxy; on the sphere the background turns it"],
  ["double click, A", "a sample more, there or beside its class"],
  ["Delete", "removes the sample; with a proxy, its class"],
  ["Tab", "to a point, to the sphere, to the controls"],
  ["arrow keys", "move the point by 2° (with Shift 10°); on the circle left and up are anticlockwise; they turn the sphere"],
  ["+ −", "lengthen or shorten a learned proxy O that is mixed with a semantic one"],
  ["S, P", "one step of gradient descent; play and pause"],
  ["Ctrl+Z or U, R", "undo; back to the start of the story"],
  ["?", "this help; Esc closes it and stops playing"],
];

/**
 * Where arrow keys lead from `here`, by an angle of `size`: about an axis of the screen, or along the circle.
 * @param {State} state
 */
function nudged(here, state, [right, up], size) {
  if (isSphere(state)) {
    const [x, y] = state.turn;
    return unit(rotated(here, right ? y : x, right ? right * size : -up * size));
  }
  const angle = Math.atan2(here[1], here[0]) + (up - right) * size;
  return [Math.cos(angle), Math.sin(angle)];
}

/**
 * A listener of keydown. The `hand` moves points and the sphere as in Pointing, and lengthens a proxy:
 * `lengthen(point, factor)`. `undo()` and `reset()` are called; `help` and `player` are toggled; `editor` adds and
 * removes points.
 * @param {Experiment} experiment
 * @param {Stage} stage
 * @param {Hand} hand
 */
export function keyListener(experiment, stage, hand, { help, player, editor, undo, reset }) {
  const commands = { "?": () => help.toggle(), s: () => player.step(), p: () => player.toggle(), u: undo, r: reset, a: () => editor.add() };
  return (event) => {
    const tag = event.target.tagName;
    if (tag === "TEXTAREA") return; // it is written in
    const undoes = (event.ctrlKey || event.metaKey) && !event.shiftKey && event.key.toLowerCase() === "z";
    if ((event.ctrlKey || event.metaKey || event.altKey) && !undoes) return;
    const done = () => (event.preventDefault(), event.stopPropagation());
    if (undoes) return done(), undo();
    if (event.key === "Escape") {
      if (!help.table.hidden) done(), help.toggle();
      if (player.playing) done(), player.pause();
      return;
    }
    if (tag === "SELECT") return; // letters choose there
    const act = commands[event.key.toLowerCase()];
    if (act) return done(), act();
    const size = (event.shiftKey ? 10 : 2) * (Math.PI / 180);
    const [right, up] = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key] ?? [0, 0];
    if (event.target === stage.ball && (right || up)) return done(), hand.turn(right * size, -up * size);
    const point = stage.points.find((one) => one.element === event.target);
    if (!point) return;
    if (event.key === "Delete" || event.key === "Backspace") {
      done();
      const place = stage.points.indexOf(point);
      if (editor.remove(point)) stage.points[Math.min(place, stage.points.length - 1)].element.focus();
      return;
    }
    const { state } = experiment;
    const longer = { "+": 1.1, "=": 1.1, "-": 1 / 1.1, "−": 1 / 1.1 }[event.key];
    const weighed = point.kind === "proxies" && state.semantic;
    if (!(right || up) && !(longer && weighed)) return;
    done();
    hand.begin();
    if (longer && weighed) hand.lengthen(point, longer);
    else hand.place(point, nudged(state[point.kind][point.row], state, [right, up], size));
    hand.end(point, true);
  };
}
