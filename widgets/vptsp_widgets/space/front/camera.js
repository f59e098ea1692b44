// The camera: which part of the map is on the screen, and the state that moving and zooming lead to.

import { clip } from "../../front/numbers.js";
import { turnedBy } from "./turning.js";
/** @import { Cloud } from "./cloud.js" */
/** @import { State } from "./state.js" */

/** Between places of the map and CSS pixels of the screen. It does not change: moves answer what to change in the state. */
export class Camera {
  /**
   * @param {Cloud} cloud
   * @param {State} state
   */
  constructor(cloud, state, width, height) {
    this.width = width;
    this.height = height;
    this.extent = cloud.extent;
    this.fit = 0.92 * Math.min(width / cloud.extent[0], height / cloud.extent[1]); // the scale that shows everything
    this.zoom = state.zoom;
    this.turn = state.turn;
    this.scale = this.fit * state.zoom;
    this.x = state.x ?? cloud.middle[0];
    this.y = state.y ?? cloud.middle[1];
  }

  /** @returns {[number, number]} */
  screen(x, y) {
    return [this.width / 2 + (x - this.x) * this.scale, this.height / 2 - (y - this.y) * this.scale];
  }

  /**
   * The place of the map at (x, y) on the screen.
   * @returns {[number, number]}
   */
  place(x, y) {
    return [this.x + (x - this.width / 2) / this.scale, this.y - (y - this.height / 2) / this.scale];
  }

  /** Moved with what is under the pointer, by (dx, dy) on the screen. */
  dragged(dx, dy) {
    return { x: this.x - dx / this.scale, y: this.y + dy / this.scale };
  }

  /** Turned with what is in front, by (dx, dy) on the screen: half round on the way from one edge to the other. */
  turned(dx, dy) {
    const angle = Math.PI / Math.min(this.width, this.height);
    return { turn: turnedBy(this.turn, dx * angle, dy * angle) };
  }

  /** Zoomed by a factor; the place at (x, y) on the screen stays where it is. */
  zoomed(factor, x = this.width / 2, y = this.height / 2) {
    const zoom = clip(this.zoom * factor, 0.3, 20000);
    const scale = this.fit * zoom;
    const [dx, dy] = [x - this.width / 2, this.height / 2 - y];
    return { zoom, x: this.x + dx / this.scale - dx / scale, y: this.y + dy / this.scale - dy / scale };
  }

  /** Zoomed to places [x, y] of the map; a few far ones may stay outside. */
  around(places) {
    const side = (which) => {
      const values = Float64Array.from(places, (place) => place[which]).sort();
      const off = Math.floor(values.length * 0.03);
      return [values[off], values[values.length - 1 - off]];
    };
    const [[left, right], [low, high]] = [side(0), side(1)];
    const least = Math.max(...this.extent) / 25;
    const scale = 0.7 * Math.min(this.width / Math.max(least, right - left), this.height / Math.max(least, high - low));
    return { x: (left + right) / 2, y: (low + high) / 2, zoom: Math.max(1, scale / this.fit) };
  }
}
