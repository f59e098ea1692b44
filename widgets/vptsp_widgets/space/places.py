"""Where images and proxies are on the map: projected together, or on coordinates that were given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from vptsp.analysis.projection import FEWEST_FOR_UMAP, Method, project, require_dimensions
from vptsp.errors import DataError
from vptsp.runs.embeddings import SavedEmbeddings
from vptsp.runs.snapshots import KINDS

Places = tuple[np.ndarray, dict[str, np.ndarray], tuple[str, ...]]


def places(
    saved: SavedEmbeddings,
    coordinates: np.ndarray | Method,
    proxies: Mapping[str, np.ndarray],
    proxy_names: Sequence[str],
    seed: int,
    cache: Path | None,
    dimensions: int = 2,
) -> Places:
    """Points (N, D) of the images, places (C, D) of each kind of proxy, and the names of the axes.

    Raises ConfigError for ``dimensions`` that are neither 2 nor 3, DataError for unknown kinds and for shapes that do
    not fit.
    """
    require_dimensions(dimensions)
    kinds = [kind for kind in KINDS if kind in proxies]
    if len(kinds) < len(proxies):
        raise DataError(f"proxies are {', '.join(map(str, proxies))}; legal kinds: {', '.join(KINDS)}")
    for kind in kinds:
        if len(proxies[kind]) != len(proxy_names):
            raise DataError(f"{len(proxies[kind])} {kind} proxies but {len(proxy_names)} proxy_names; give as many")
    rows = [np.asarray(proxies[kind]) for kind in kinds]
    if isinstance(coordinates, str):
        points, placed, axes = _projected(saved, coordinates, rows, seed, cache, dimensions)
    else:
        points, placed, axes = _given(saved, coordinates, rows, dimensions)
    return points, dict(zip(kinds, placed, strict=True)), axes


def _projected(
    saved: SavedEmbeddings,
    method: Method,
    proxies: list[np.ndarray],
    seed: int,
    cache: Path | None,
    dimensions: int,
) -> tuple[np.ndarray, list[np.ndarray], tuple[str, ...]]:
    guests = np.concatenate(proxies) if proxies else None
    if guests is not None and (guests.ndim != 2 or guests.shape[1] != saved.embeddings.shape[1]):
        raise DataError(f"proxies are {guests.shape}, but embeddings have size {saved.embeddings.shape[1]}")
    found = project(saved.embeddings, method, seed=seed, cache=cache, guests=guests, dimensions=dimensions)
    points = found.astype("<f4")
    parts = np.split(points, np.cumsum([len(saved), *map(len, proxies)])[:-1])
    return parts[0], parts[1:], axes_of(method, len(saved), dimensions)


def axes_of(method: Method, images: int, dimensions: int) -> tuple[str, ...]:
    """The names of the axes of a map of so many images."""
    axis = "UMAP" if method == "umap" and images >= FEWEST_FOR_UMAP else "principal component"
    return tuple(f"{axis} {number}" for number in range(1, dimensions + 1))


def _given(
    saved: SavedEmbeddings, coordinates: np.ndarray, proxies: list[np.ndarray], dimensions: int
) -> tuple[np.ndarray, list[np.ndarray], tuple[str, ...]]:
    points = np.ascontiguousarray(coordinates, dtype="<f4")
    if points.shape != (len(saved), dimensions):
        left_out = f" (without {len(saved.left_out)} left out)" if saved.left_out else ""
        raise DataError(
            f"coordinates are {points.shape}, but there are {len(saved)} images{left_out}; "
            f"give ({len(saved)}, {dimensions})"
        )
    for rows in proxies:
        if rows.ndim != 2 or rows.shape[1] != dimensions:
            raise DataError(
                f"proxies are {rows.shape}; on a map of given coordinates they must be (classes, {dimensions})"
            )
    return points, proxies, tuple(f"coordinate {number}" for number in range(1, dimensions + 1))
