// How many images lie where on the map: a Gaussian kernel's density on a grid, as vptsp/analysis/density.py has it.

export const SHARES = [0.25, 0.5, 0.75, 0.9];
export const FEWEST = 10; // images that have a density
const [CELLS, CELLS_TRIED] = [256, 128]; // of the grid along the longer side, and of that on which widths are compared
const RUNGS = 8; // widths compared, each by the root of 2 below the one before
const REACH = 4; // of the kernel, in widths
const FINEST = 128; // of the map's longer side, the smallest width
const MOST_RANKED = 200_000; // images whose densities are sorted to find a share

/** @typedef {{ values: Float64Array, across: number, up: number, x: number, y: number, cell: number }} Grid - `values` row by row from the lowest node (x, y) */
/** @typedef {Grid & { width: number, levels: number[], images: number }} Density - `width` of the kernel, `levels` by share */

/** The smallest width of a kernel on a map. @param {ArrayLike<number>} xy - of all its images */
export const finestWidth = (xy) => Math.max(0, ...sizeOf(boxOf(xy))) / FINEST;

/**
 * @param {ArrayLike<number>} xy - places [x0, y0, x1, y1, ...], all finite, of at least FEWEST images
 * @param {number[]} shares
 * @param {number} finest
 * @returns {Density}
 */
export function density(xy, shares, finest, cells = CELLS) {
  const [images, box] = [xy.length / 2, boxOf(xy)];
  const width = bestWidth(xy, box, finest);
  const grid = binned(xy, box, REACH * width, cells);
  grid.values = smoothed(grid, width / grid.cell);
  const whole = images * grid.cell * grid.cell;
  for (let at = 0; at < grid.values.length; at++) grid.values[at] /= whole;
  const step = Math.ceil(images / MOST_RANKED);
  const found = new Float64Array(Math.ceil(images / step));
  for (let turn = 0; turn < found.length; turn++) found[turn] = valueAt(grid, xy[2 * turn * step], xy[2 * turn * step + 1]);
  found.sort().reverse();
  return { ...grid, width, images, levels: shares.map((share) => level(found, share)) };
}

/** The value midway between the last density within a share, of those from high to low, and the first beyond. */
function level(found, share) {
  const within = Math.min(found.length, Math.max(1, Math.floor(share * found.length + 0.5)));
  return within < found.length ? (found[within - 1] + found[within]) / 2 : found[within - 1] * (1 - 1e-9);
}

// The kernel's width.
/** The width with the best score of a ladder from Scott's down to the finest. */
function bestWidth(xy, box, finest) {
  const images = xy.length / 2;
  const scott = spread(xy) * images ** (-1 / 6);
  if (scott <= finest) return finest || 1;
  const grid = binned(xy, box, REACH * scott, CELLS_TRIED);
  const ladder = Array.from({ length: RUNGS }, (_, rung) => scott * 2 ** (-rung / 2)).filter((width) => width >= Math.max(finest, grid.cell));
  if (!ladder.length) ladder.push(Math.max(finest, Math.min(scott, grid.cell)));
  const scores = ladder.map((width) => score(grid, width / grid.cell, images));
  return ladder[scores.indexOf(Math.min(...scores))];
}

/** Least-squares cross-validation. @param {Grid} grid */
function score(grid, width, images) {
  const smooth = smoothed(grid, width);
  const kernel = kernelOf(width);
  const middle = kernel.length >> 1;
  const own = ((2 * kernel[middle] + kernel[middle + 1]) / 3) ** 2;
  let [squares, products] = [0, 0];
  for (let at = 0; at < smooth.length; at++) {
    squares += smooth[at] * smooth[at];
    products += smooth[at] * grid.values[at];
  }
  return squares / images ** 2 - (2 * (products - images * own)) / (images * (images - 1));
}

/** The root of the mean variance of both sides. */
function spread(xy) {
  const images = xy.length / 2;
  let [x, y, sum] = [0, 0, 0];
  for (let at = 0; at < xy.length; at += 2) { x += xy[at]; y += xy[at + 1]; }
  [x, y] = [x / images, y / images];
  for (let at = 0; at < xy.length; at += 2) sum += (xy[at] - x) ** 2 + (xy[at + 1] - y) ** 2;
  return Math.sqrt(sum / 2 / (images - 1));
}

// The grid.
/** [left, low, right, high] of those places that are finite. */
function boxOf(xy) {
  let [left, low, right, high] = [Infinity, Infinity, -Infinity, -Infinity];
  for (let at = 0; at < xy.length; at += 2) {
    const [x, y] = [xy[at], xy[at + 1]];
    if (!Number.isFinite(x + y)) continue;
    if (x < left) left = x;
    if (x > right) right = x;
    if (y < low) low = y;
    if (y > high) high = y;
  }
  return [left, low, right, high];
}

/** @param {number[]} box */
const sizeOf = ([left, low, right, high]) => [right - left, high - low];

/** How many images each node has, shared among the nearest 4. @returns {Grid} */
function binned(xy, box, margin, cells) {
  const [x, y] = [box[0] - margin, box[1] - margin];
  const size = sizeOf(box).map((side) => side + 2 * margin);
  const cell = Math.max(...size) / cells;
  const [across, up] = size.map((side) => Math.floor(side / cell + 1e-9) + 2);
  const values = new Float64Array(across * up);
  for (let at = 0; at < xy.length; at += 2) {
    const [left, low] = [(xy[at] - x) / cell, (xy[at + 1] - y) / cell];
    const [column, row] = [Math.floor(left), Math.floor(low)];
    const [right, above] = [left - column, low - row];
    const node = row * across + column;
    values[node] += (1 - right) * (1 - above);
    values[node + 1] += right * (1 - above);
    values[node + across] += (1 - right) * above;
    values[node + across + 1] += right * above;
  }
  return { values, across, up, x, y, cell };
}

/** A Gaussian of a width in cells, which sums to 1. */
function kernelOf(width) {
  const reach = Math.ceil(REACH * width);
  const kernel = Float64Array.from({ length: 2 * reach + 1 }, (_, at) => Math.exp(-0.5 * ((at - reach) / width) ** 2));
  const sum = kernel.reduce((total, one) => total + one, 0);
  return kernel.map((one) => one / sum);
}

/** Smoothed along one axis after the other. @param {Grid} grid */
function smoothed({ values, across, up }, width) {
  const kernel = kernelOf(width);
  const reach = kernel.length >> 1;
  const [one, both] = [new Float64Array(values.length), new Float64Array(values.length)];
  for (let row = 0; row < up; row++) {
    const start = row * across;
    for (let step = -reach; step <= reach; step++) {
      const share = kernel[step + reach];
      const end = start + Math.min(across, across - step);
      for (let at = start + Math.max(0, -step); at < end; at++) one[at] += share * values[at + step];
    }
  }
  for (let row = 0; row < up; row++) {
    const start = row * across;
    for (let step = Math.max(-reach, -row); step <= Math.min(reach, up - 1 - row); step++) {
      const [share, from] = [kernel[step + reach], step * across];
      for (let at = start; at < start + across; at++) both[at] += share * one[at + from];
    }
  }
  return both;
}

/** The value at a place of the grid, on straight lines between nodes. @param {Grid} grid */
function valueAt({ values, across, up, x, y, cell }, left, low) {
  const [column, row] = [Math.min(across - 2, Math.floor((left - x) / cell)), Math.min(up - 2, Math.floor((low - y) / cell))];
  const [right, above] = [(left - x) / cell - column, (low - y) / cell - row];
  const node = row * across + column;
  return (values[node] * (1 - right) + values[node + 1] * right) * (1 - above)
    + (values[node + across] * (1 - right) + values[node + across + 1] * right) * above;
}
