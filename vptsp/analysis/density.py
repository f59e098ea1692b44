"""How many images lie where on a map, and the lines that enclose a share of them.

The density is a Gaussian kernel's, on a grid: images are binned linearly onto its nodes (Wand, "Fast computation of
multivariate kernel estimators", JCGS 1994) and smoothed along one axis after the other, so that a million images take
hardly longer than a thousand. The kernel's width is, of a ladder below Scott's rule, the one with the least-squares
cross-validation score (Rudemo 1982; Bowman 1984): Scott's own is that of a single heap, and maps have many.

A line at a share encloses the region of highest density that holds this share of the images (Hyndman, "Computing and
graphing highest density regions", The American Statistician 1996). All of it is of the *map*: a projection stretches
and squeezes the space of embeddings, so a dense part of the map need not be a dense part of the space.

Dimensions: N images, X and Y nodes of the grid. ``widgets/vptsp_widgets/space/front/density.js`` computes the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float64

from vptsp.errors import DataError

SHARES = (0.25, 0.5, 0.75, 0.9)
FEWEST = 10  # images that have a density
CELLS = 256  # of the grid along the map's longer side
_CELLS_TRIED = 128  # of the grid on which widths are compared
_RUNGS = 8  # widths compared, each by the root of 2 below the one before
_REACH = 4  # of the kernel, in widths
_FINEST = 128  # of the map's longer side, the smallest width: finer lines would be read as single images
_MOST_RANKED = 200_000  # images whose densities are sorted to find a share


@dataclass(frozen=True)
class Density:
    """``values`` (Y, X) at the nodes ``x`` (X,) and ``y`` (Y,), which integrate to 1; ``width``: that of the kernel in
    units of the map; ``levels``: the value above which each of the ``shares`` of the ``images`` lies."""

    values: Float64[np.ndarray, "Y X"]
    x: Float64[np.ndarray, " X"]
    y: Float64[np.ndarray, " Y"]
    width: float
    shares: tuple[float, ...]
    levels: tuple[float, ...]
    images: int

    def at(self, points: Float[np.ndarray, "N 2"]) -> Float64[np.ndarray, " N"]:
        """The density at places, on straight lines between nodes; 0 beyond the grid."""
        cell = self.x[1] - self.x[0]
        across, up = (points[:, 0] - self.x[0]) / cell, (points[:, 1] - self.y[0]) / cell
        inside = (across >= 0) & (up >= 0) & (across <= len(self.x) - 1) & (up <= len(self.y) - 1)
        return np.where(inside, _between(self.values, across.clip(0, len(self.x) - 1), up.clip(0, len(self.y) - 1)), 0)


def finest_width(points: Float[np.ndarray, "N 2"]) -> float:
    """The smallest width of a kernel on the map of these images; those without a place do not count."""
    seen = _placed(points)
    return float(np.ptp(seen, axis=0).max()) / _FINEST if len(seen) else 0.0


def density(
    points: Float[np.ndarray, "N 2"],
    shares: Sequence[float] = SHARES,
    finest: float | None = None,
    cells: int = CELLS,
) -> Density:
    """The density of images on a map; those without a place (NaN) are left out.

    ``finest`` is the smallest width of the kernel, that of the map of these images unless they are a part of one.
    Raises DataError for fewer than ten images with a place.
    """
    seen = _placed(points)
    if len(seen) < FEWEST:
        raise DataError(f"{len(seen)} images have no density that could be drawn; it takes {FEWEST} or more")
    width = _width(seen, finest_width(seen) if finest is None else finest)
    low, cell, counts = _binned(seen, _REACH * width, cells)
    values = _smoothed(counts, width / cell) / (len(seen) * cell * cell)
    ranked = seen[:: -(-len(seen) // _MOST_RANKED)]
    found = np.sort(_between(values, *((ranked - low) / cell).T))[::-1]
    return Density(
        values,
        low[0] + cell * np.arange(counts.shape[1]),
        low[1] + cell * np.arange(counts.shape[0]),
        width,
        tuple(shares),
        tuple(_level(found, share) for share in shares),
        len(seen),
    )


def _placed(points: np.ndarray) -> np.ndarray:
    places = np.asarray(points, dtype=np.float64)
    return places[np.isfinite(places).all(axis=1)]


def _level(found: np.ndarray, share: float) -> float:
    """The value midway between the last density within a share, of those from high to low, and the first beyond."""
    within = min(len(found), max(1, int(np.floor(share * len(found) + 0.5))))
    return float((found[within - 1] + found[within]) / 2 if within < len(found) else found[-1] * (1 - 1e-9))


# --- the kernel's width --------------------------------------------------------------------------
def _width(points: np.ndarray, finest: float) -> float:
    """The width with the best score of a ladder from Scott's down to the finest."""
    count = len(points)
    scott = float(np.sqrt(points.var(axis=0, ddof=1).mean())) * count ** (-1 / 6)
    if scott <= finest:
        return finest or 1.0  # all at one place of a map that has no other
    _, cell, counts = _binned(points, _REACH * scott, _CELLS_TRIED)
    ladder = [scott * 2 ** (-rung / 2) for rung in range(_RUNGS)]
    ladder = [width for width in ladder if width >= max(finest, cell)] or [max(finest, min(scott, cell))]
    return min(ladder, key=lambda width: _score(counts, width / cell, count))


def _score(counts: np.ndarray, width: float, count: int) -> float:
    """Least-squares cross-validation: the integrated square, less twice the mean density of each image by the others.

    What an image adds to the density at its own place is that of a kernel whose both sides are binned, on average.
    """
    smooth = _smoothed(counts, width)
    kernel = _kernel(width)
    middle = len(kernel) // 2
    own = (2 / 3 * kernel[middle] + 1 / 3 * kernel[middle + 1]) ** 2
    others = (float((counts * smooth).sum()) - count * own) / (count * (count - 1))
    return float((smooth**2).sum()) / count**2 - 2 * others


# --- the grid ------------------------------------------------------------------------------------
def _binned(points: np.ndarray, margin: float, cells: int) -> tuple[np.ndarray, float, np.ndarray]:
    """The lowest node (2,), the side of a cell, and how many images each node (Y, X) has, each shared among four."""
    low = points.min(axis=0) - margin
    size = points.max(axis=0) + margin - low
    cell = float(size.max()) / cells
    across, up = (int(side) for side in np.floor(size / cell + 1e-9).astype(int) + 2)
    places = (points - low) / cell
    whole = np.floor(places).astype(np.int64)
    right, above = (places - whole).T
    at = whole[:, 1] * across + whole[:, 0]
    counts = np.zeros(across * up)
    for step, share in (
        (0, (1 - right) * (1 - above)),
        (1, right * (1 - above)),
        (across, (1 - right) * above),
        (across + 1, right * above),
    ):
        counts += np.bincount(at + step, share, across * up)
    return low, cell, counts.reshape(up, across)


def _kernel(width: float) -> np.ndarray:
    """A Gaussian of a width in cells, which sums to 1."""
    reach = int(np.ceil(_REACH * width))
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / width) ** 2)
    return kernel / kernel.sum()


def _smoothed(counts: np.ndarray, width: float) -> np.ndarray:
    kernel = _kernel(width)
    from scipy.ndimage import correlate1d  # a run is shown without it until somebody asks for lines

    return correlate1d(correlate1d(counts, kernel, axis=0, mode="constant"), kernel, axis=1, mode="constant")


def _between(values: np.ndarray, across: np.ndarray, up: np.ndarray) -> np.ndarray:
    """Values at places in cells, on straight lines between nodes."""
    column = np.minimum(np.floor(across).astype(np.int64), values.shape[1] - 2)
    row = np.minimum(np.floor(up).astype(np.int64), values.shape[0] - 2)
    right, above = across - column, up - row
    below = values[row, column] * (1 - right) + values[row, column + 1] * right
    return below * (1 - above) + (values[row + 1, column] * (1 - right) + values[row + 1, column + 1] * right) * above
