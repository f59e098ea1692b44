"""Where the map can be trusted: what it says of neighbourhoods, as columns, and a map of some images alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from vptsp.analysis.distortion import distortion
from vptsp.analysis.projection import Method, project
from vptsp.errors import DataError
from vptsp.runs.embeddings import SavedEmbeddings
from vptsp_widgets.sampling import spread
from vptsp_widgets.space.data import Column, column
from vptsp_widgets.space.places import axes_of

MOST_WHOLE = 20_000  # images that are all asked about
_ASKED = 4_000  # of more images, spread evenly over the classes
_NAMES = ("map trustworthiness", "map continuity")


@dataclass(frozen=True)
class Truth:
    """Columns by which a map can be coloured, and how many neighbours, of how many of its images, they rest on."""

    columns: list[Column]
    neighbours: int
    asked: int
    dimensions: int = 2

    def note(self, images: int) -> str:
        """What to say of it; none where it is as expected."""
        some = f" of {self.asked:,} of {images:,} images" if self.asked < images else ""
        space = " on the map in three dimensions, not on what is seen of it" if self.dimensions == 3 else ""
        return f"trustworthiness and continuity{some}: by their {self.neighbours} nearest{space}"


def truth_of(saved: SavedEmbeddings, points: np.ndarray, taken: Sequence[str]) -> Truth:
    """Trustworthiness and continuity of the images that have a place in ``points`` (N, D), among each other.

    ``taken`` are names of columns that are there. Raises DataError for fewer than four images.
    """
    rows = np.flatnonzero(np.isfinite(points).all(axis=1))
    asked = None if len(rows) <= MOST_WHOLE else spread(saved.labels[rows], _ASKED, 0)
    found = distortion(saved.embeddings[rows], points[rows], rows=asked)
    made = []
    for name, values in zip(_NAMES, (found.trustworthiness, found.continuity), strict=True):
        series = np.full(len(saved), np.nan, dtype=np.float32)
        series[rows[found.rows]] = values
        made.append(column(pd.Series(series, name=name if name not in taken else f"{name} here")))
    return Truth(made, found.neighbours, len(found.rows), points.shape[1])


def alone(
    saved: SavedEmbeddings,
    rows: Sequence[int],
    method: Method,
    proxies: Mapping[str, np.ndarray],
    seed: int,
    cache: Path | None,
    dimensions: int = 2,
) -> tuple[np.ndarray, dict[str, np.ndarray], tuple[str, ...]]:
    """A map (N, D) of some images alone, NaN for all others, with the places of all proxies, and the names of its axes.

    Raises DataError for fewer than three images, which have no map.
    """
    if len(rows) < 3:
        raise DataError(f"{len(rows)} images make no map of their own; select 3 or more")
    guests = np.concatenate(list(proxies.values())) if proxies else None
    found = project(saved.embeddings[list(rows)], method, seed=seed, cache=cache, guests=guests, dimensions=dimensions)
    points = np.full((len(saved), dimensions), np.nan, dtype="<f4")
    points[list(rows)] = found[: len(rows)]
    ends = np.cumsum([len(rows), *map(len, proxies.values())])
    placed = {kind: found[start:end] for kind, start, end in zip(proxies, ends[:-1], ends[1:], strict=True)}
    return points, placed, axes_of(method, len(rows), dimensions)
