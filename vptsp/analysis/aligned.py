"""The same images at several moments of training, in one plane: a frozen linear frame, and AlignedUMAP.

A map fitted anew to every epoch jumps for reasons of its own. :func:`frame` projects all epochs onto axes fitted to
the last, so that every movement seen is a movement of the embeddings; :func:`align` ties UMAPs of all epochs
together (AlignedUMAP of umap-learn; McInnes, Healy and Melville, arXiv 1802.03426), which shows neighbourhoods better
and movements less faithfully.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float, Float32

from vptsp.analysis.compiled_umap import compiled_umap
from vptsp.analysis.projection import FEWEST_FOR_UMAP, _content_key, project
from vptsp.errors import DataError
from vptsp.evaluation.ranking import unit_rows
from vptsp.files import read_arrays, write_arrays


def frame(epochs: Sequence[Float[np.ndarray, "N E"]]) -> list[Float32[np.ndarray, "N 2"]]:
    """Coordinates (N, 2) of each epoch's vectors (N, E) on the first two principal axes of the last epoch's.

    Raises DataError for no epochs, epochs of different shapes, and vectors that are not finite.
    """
    _require_alike(epochs)
    count = len(epochs[-1])
    points = project(epochs[-1], "pca", guests=np.concatenate(epochs[:-1]) if len(epochs) > 1 else None)
    return [*np.split(points[count:], len(epochs) - 1), points[:count]] if len(epochs) > 1 else [points]


def align(
    epochs: Sequence[Float[np.ndarray, "N E"]],
    seed: int = 0,
    n_neighbors: int = 15,
    min_dist: float = 0.15,
    cache: Path | None = None,
) -> list[Float32[np.ndarray, "N 2"]]:
    """Coordinates (N, 2) of each epoch's vectors (N, E): a UMAP per epoch, held near its neighbours in time.

    Row i must be the same image in every epoch. Deterministic by seed. A single epoch, and fewer than ten vectors,
    are placed by :func:`frame`. With ``cache`` (a folder) the result is kept there by content and settings.
    Raises DataError as :func:`frame` does.
    """
    _require_alike(epochs)
    rows = [unit_rows(vectors) for vectors in epochs]
    if len(rows) == 1 or len(rows[0]) < FEWEST_FOR_UMAP:
        return frame(epochs)
    settings = ("aligned", seed, n_neighbors, min_dist, len(rows))
    path = cache and cache / f"{_content_key(np.concatenate(rows), settings)}.safetensors"
    if path and path.is_file():
        return list(read_arrays(path, "delete it")["coordinates"])
    points = _aligned_umap(rows, seed, n_neighbors, min_dist)
    if path:
        write_arrays(path, {"coordinates": np.stack(points)}, {"settings": repr(settings)})
    return points


def _aligned_umap(
    rows: list[Float32[np.ndarray, "N E"]], seed: int, n_neighbors: int, min_dist: float
) -> list[Float32[np.ndarray, "N 2"]]:
    from vptsp.machine import threads_kept

    with warnings.catch_warnings(), threads_kept():
        warnings.simplefilter("ignore")  # that a seed makes it single-threaded is the point of one
        mapper = compiled_umap().AlignedUMAP(  # seconds of import: only who maps pays
            n_components=2,
            metric="cosine",
            n_neighbors=min(n_neighbors, len(rows[0]) - 1),
            min_dist=min_dist,
            random_state=seed,
        )
        same = {row: row for row in range(len(rows[0]))}
        mapper.fit(rows, relations=[same] * (len(rows) - 1))
    return [np.asarray(points, dtype=np.float32) for points in mapper.embeddings_]


def _require_alike(epochs: Sequence[Float[np.ndarray, "N E"]]) -> None:
    if not len(epochs):
        raise DataError("there are no epochs to align; give one array of embeddings (N, E) per epoch")
    shapes = [np.shape(vectors) for vectors in epochs]
    for number, shape in enumerate(shapes):
        if shape != shapes[-1]:
            raise DataError(
                f"array {number} has shape {shape}, the last {shapes[-1]}; every epoch must hold the same images"
            )
