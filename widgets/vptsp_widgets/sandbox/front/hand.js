// What pointer and keys can do to points and sphere.

import { whereIs } from "./points.js";
/** @import { Experiment } from "./experiment.js" */
/** @import { Player } from "./player.js" */
/** @import { Point } from "./points.js" */

/**
 * @param {Experiment} experiment
 * @param {Player} player
 * @param {{ moved: () => void, draw: () => void, report: (text: string) => void, look: (point: Point | null) => void }} acts
 */
export function handOf(experiment, player, { moved, draw, report, look }) {
  return {
    begin() {
      player.pause();
      experiment.remember();
    },
    place: (point, direction) => experiment.place(point, direction) && moved(),
    lengthen: (point, factor) => experiment.lengthen(point, factor) && moved(),
    turn(right, down) {
      experiment.turn(right, down);
      draw();
      experiment.send();
    },
    end(point, changed) {
      if (!changed) experiment.recall();
      else if (point) report(whereIs(point, experiment.state, experiment.result));
    },
    look,
  };
}
