"""Where images and proxies are on the map: projected together, or on coordinates that were given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from vptsp.analysis.projection import FEWEST_FOR_UMAP, Method, project
from vptsp.errors import DataError
from vptsp.runs.embeddings import SavedEmbeddings
from vptsp.runs.snapshots import KINDS

Places = tuple[np.ndarray, dict[str, np.ndarray], tuple[str, str]]


def places(
    saved: SavedEmbeddings,
    coordinates: np.ndarray | Method,
    proxies: Mapping[str, np.ndarray],
    proxy_names: Sequence[str],
    seed: int,
    cache: Path | None,
) -> Places:
    """Points (N, 2) of the images, places (C, 2) of each kind of proxy, and the names of both axes.

    Raises DataError for unknown kinds and for shapes that do not fit.
    """
    kinds = [kind for kind in KINDS if kind in proxies]
    if len(kinds) < len(proxies):
        raise DataError(f"proxies are {', '.join(map(str, proxies))}; legal kinds: {', '.join(KINDS)}")
    for kind in kinds:
        if len(proxies[kind]) != len(proxy_names):
            raise DataError(f"{len(proxies[kind])} {kind} proxies but {len(proxy_names)} proxy_names; give as many")
    rows = [np.asarray(proxies[kind]) for kind in kinds]
    if isinstance(coordinates, str):
        points, placed, axes = _projected(saved, coordinates, rows, seed, cache)
    else:
        points, placed, axes = _given(saved, coordinates, rows)
    return points, dict(zip(kinds, placed, strict=True)), axes


def _projected(
    saved: SavedEmbeddings, method: Method, proxies: list[np.ndarray], seed: int, cache: Path | None
) -> tuple[np.ndarray, list[np.ndarray], tuple[str, str]]:
    guests = np.concatenate(proxies) if proxies else None
    if guests is not None and (guests.ndim != 2 or guests.shape[1] != saved.embeddings.shape[1]):
        raise DataError(f"proxies are {guests.shape}, but embeddings have size {saved.embeddings.shape[1]}")
    points = project(saved.embeddings, method, seed=seed, cache=cache, guests=guests).astype("<f4")
    axis = "UMAP" if method == "umap" and len(saved) >= FEWEST_FOR_UMAP else "principal component"
    parts = np.split(points, np.cumsum([len(saved), *map(len, proxies)])[:-1])
    return parts[0], parts[1:], (f"{axis} 1", f"{axis} 2")


def _given(
    saved: SavedEmbeddings, coordinates: np.ndarray, proxies: list[np.ndarray]
) -> tuple[np.ndarray, list[np.ndarray], tuple[str, str]]:
    points = np.ascontiguousarray(coordinates, dtype="<f4")
    if points.shape != (len(saved), 2):
        left_out = f" (without {len(saved.left_out)} left out)" if saved.left_out else ""
        raise DataError(
            f"coordinates are {points.shape}, but there are {len(saved)} images{left_out}; give ({len(saved)}, 2)"
        )
    for rows in proxies:
        if rows.ndim != 2 or rows.shape[1] != 2:
            raise DataError(f"proxies are {rows.shape}; on a map of given coordinates they must be (classes, 2)")
    return points, proxies, ("coordinate 1", "coordinate 2")
