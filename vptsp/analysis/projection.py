"""Embeddings and proxies as points of a plane, or of space: UMAP for neighbourhoods, PCA for true distances.

UMAP: McInnes, Healy and Melville, arXiv 1802.03426. Both are deterministic by seed and see directions
only (cosine), as retrieval does.
"""

from __future__ import annotations

import hashlib
import warnings
from contextlib import suppress
from pathlib import Path
from typing import Literal, TypeAlias, get_args

import numpy as np
from jaxtyping import Float, Float32

from vptsp.analysis.compiled_umap import compiled_umap
from vptsp.errors import ConfigError, RunError
from vptsp.evaluation.ranking import unit_rows
from vptsp.files import read_arrays, write_arrays

Method: TypeAlias = Literal["umap", "pca"]
FEWEST_FOR_UMAP = 10  # below, a neighbourhood graph says nothing and its spectral start fails


def project(
    vectors: Float[np.ndarray, "N E"],
    method: Method = "umap",
    seed: int = 0,
    n_neighbors: int = 15,
    min_dist: float = 0.15,
    cache: Path | None = None,
    guests: Float[np.ndarray, "G E"] | None = None,
    dimensions: int = 2,
) -> Float32[np.ndarray, "N+G D"]:
    """Coordinates (N, D) of vectors (N, E), followed by those of ``guests`` (G, E); D are the ``dimensions``, 2 or 3.

    Guests are placed into the map of the vectors without shaping it: by UMAP where their nearest
    vectors are, by PCA on the vectors' axes. Proxies are guests: they lie apart from every image, and a
    map that must show that distance shows little else. Fewer than ten vectors are always projected by PCA.
    With ``cache`` (a folder, such as a run's ``embeddings/projections``) the result is kept there by the
    content of the vectors and the settings, if the folder can be written.

    Raises ConfigError for an unknown method, other dimensions, and UMAP's settings out of their range, DataError for
    vectors that are not finite.
    """
    if method not in get_args(Method):
        raise ConfigError(f"projection method={method!r} is unknown; legal: {', '.join(get_args(Method))}")
    require_dimensions(dimensions)
    if n_neighbors < 2:
        raise ConfigError(f"n_neighbors={n_neighbors} is too few for a neighbourhood; it must be at least 2")
    if not 0 <= min_dist <= 1:
        raise ConfigError(f"min_dist={min_dist} must lie in 0..1, the range of distances on a map")
    if not 0 <= seed < 2**32:
        raise ConfigError(f"seed={seed} must lie in 0..4294967295")
    rows = unit_rows(vectors)
    others = rows[:0] if guests is None or not len(guests) else unit_rows(guests)
    if len(rows) < FEWEST_FOR_UMAP:
        method = "pca"
    settings = (method, seed, n_neighbors, min_dist) if method == "umap" else (method,)
    settings = (*settings, "in space") if dimensions == 3 else settings  # those of planes keep their names
    key = _content_key(np.concatenate([rows, others]), (*settings, len(rows)))
    path = cache and cache / f"{key}.safetensors"
    if path and path.is_file():
        with suppress(RunError, KeyError):  # a damaged one is made again
            return read_arrays(path, "")["coordinates"]
    if method == "pca":
        points = _pca(rows, others, dimensions)
    else:
        points = _umap(rows, others, seed, n_neighbors, min_dist, dimensions)
    if path:
        with suppress(RunError):  # a run that may only be read has its map all the same
            write_arrays(path, {"coordinates": points}, {"settings": repr(settings)})
    return points


def require_dimensions(dimensions: int) -> None:
    """Raises ConfigError for a map of other dimensions than 2 and 3."""
    if dimensions not in (2, 3):
        raise ConfigError(
            f"dimensions={dimensions!r} make no map; legal: 2, a plane, and 3, a space that can be turned"
        )


def _content_key(rows: Float[np.ndarray, "N E"], settings: tuple[object, ...]) -> str:
    content = hashlib.sha256(repr((rows.shape, settings)).encode())
    content.update(np.ascontiguousarray(rows).tobytes())
    return f"{settings[0]}_{content.hexdigest()[:16]}"


def _pca(
    rows: Float[np.ndarray, "N E"], others: Float[np.ndarray, "G E"], dimensions: int
) -> Float32[np.ndarray, "N+G D"]:
    """The directions of largest variance; signs such that the largest loading is positive."""
    mean = rows.mean(axis=0, dtype=np.float64) if len(rows) else 0.0
    centred = rows - mean
    _, _, axes = np.linalg.svd(centred.T @ centred)
    axes = axes[:dimensions]
    axes = axes * np.sign(axes[:, np.abs(axes).argmax(axis=1)].diagonal())[:, None]
    points = np.concatenate([centred, others - mean]) @ axes.T
    return np.pad(points, ((0, 0), (0, dimensions - points.shape[1]))).astype(np.float32)


def _umap(
    rows: Float[np.ndarray, "N E"],
    others: Float[np.ndarray, "G E"],
    seed: int,
    n_neighbors: int,
    min_dist: float,
    dimensions: int,
) -> Float32[np.ndarray, "N+G D"]:
    from vptsp.machine import threads_kept

    with warnings.catch_warnings(), threads_kept():
        warnings.simplefilter("ignore")  # it warns that a seed makes it single-threaded, which is the point of one
        mapper = compiled_umap().UMAP(  # seconds of import: only who maps pays
            n_components=dimensions,
            metric="cosine",
            n_neighbors=min(n_neighbors, len(rows) - 1),
            min_dist=min_dist,
            random_state=seed,
            transform_seed=seed,
            n_jobs=1,
        )
        points = mapper.fit_transform(rows)
        if len(others):
            points = np.concatenate([points, mapper.transform(others)])
        return np.asarray(points, dtype=np.float32)
