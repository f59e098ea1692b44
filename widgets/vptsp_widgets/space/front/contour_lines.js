// Lines of equal value on a grid, by marching squares (Lorensen and Cline's cubes, on a plane).

/** @import { Grid } from "./density.js" */

/** @typedef {Float64Array} Loop - places [x0, y0, x1, y1, ...] of a closed line, what is higher to its left */

// edges of a cell from which a line goes to which other, by which of its corners are high: 1 left low, 2 right low, 4 right top, 8 left top
const [BOTTOM, RIGHT, TOP, LEFT] = [0, 1, 2, 3];
/** @type {number[][]} */
const WAYS = [
  [], [BOTTOM, LEFT], [RIGHT, BOTTOM], [RIGHT, LEFT], [TOP, RIGHT], [], [TOP, BOTTOM], [TOP, LEFT],
  [LEFT, TOP], [BOTTOM, TOP], [], [RIGHT, TOP], [LEFT, RIGHT], [BOTTOM, RIGHT], [LEFT, BOTTOM], [],
];
// two opposite corners are high: by the middle of the cell they are one region (first) or two
const SADDLES = { 5: [[BOTTOM, RIGHT, TOP, LEFT], [BOTTOM, LEFT, TOP, RIGHT]], 10: [[LEFT, BOTTOM, RIGHT, TOP], [RIGHT, BOTTOM, LEFT, TOP]] };

/**
 * The closed lines around all that is above a value; the grid's rim is below it.
 * @param {Grid} grid
 * @param {number} level
 * @returns {Loop[]}
 */
export function linesOf(grid, level) {
  const { values, across, up } = grid;
  const next = new Int32Array(2 * values.length).fill(-1); // edge -> edge; those to the right of a node, then those above it
  const starts = [];
  for (let row = 0; row + 1 < up; row++) {
    for (let column = 0; column + 1 < across; column++) {
      const node = row * across + column;
      const [a, b, c, d] = [values[node], values[node + 1], values[node + across + 1], values[node + across]];
      const corners = Number(a > level) + 2 * Number(b > level) + 4 * Number(c > level) + 8 * Number(d > level);
      if (corners === 0 || corners === 15) continue;
      const edges = [2 * node, 2 * (node + 1) + 1, 2 * (node + across), 2 * node + 1];
      const ways = corners === 5 || corners === 10 ? SADDLES[corners][a + b + c + d > 4 * level ? 0 : 1] : WAYS[corners];
      for (let at = 0; at < ways.length; at += 2) {
        next[edges[ways[at]]] = edges[ways[at + 1]];
        starts.push(edges[ways[at]]);
      }
    }
  }
  const loops = [];
  for (const start of starts) {
    if (next[start] < 0) continue; // of a line that is there already
    const places = [];
    let edge = start;
    while (edge >= 0 && next[edge] >= 0) {
      places.push(...crossing(grid, edge, level));
      const from = edge;
      edge = next[edge];
      next[from] = -1;
    }
    loops.push(Float64Array.from(places));
  }
  return loops;
}

/** Where a line crosses an edge. @param {Grid} grid */
function crossing({ values, across, x, y, cell }, edge, level) {
  const [node, upright] = [edge >> 1, edge & 1];
  const [from, to] = [values[node], values[node + (upright ? across : 1)]];
  const share = (level - from) / (to - from);
  const [column, row] = [node % across, Math.floor(node / across)];
  return [x + cell * (column + (upright ? 0 : share)), y + cell * (row + (upright ? share : 0))];
}
