"""Embeddings and proxies as points of a plane: UMAP for neighbourhoods, PCA for true distances.

UMAP: McInnes, Healy and Melville, arXiv 1802.03426. Both are deterministic by seed and see directions
only (cosine), as retrieval does.
"""

from __future__ import annotations

import hashlib
import warnings
from pathlib import Path
from typing import Literal, TypeAlias, get_args

import numpy as np
import torch
from jaxtyping import Float, Float32

from vptsp.errors import ConfigError
from vptsp.files import read_tensors, write_tensors
from vptsp.retrieval import unit_rows

Method: TypeAlias = Literal["umap", "pca"]
FEWEST_FOR_UMAP = 10  # below, a neighbourhood graph says nothing and its spectral start fails


def project(
    vectors: Float[np.ndarray, "N E"],
    method: Method = "umap",
    seed: int = 0,
    n_neighbors: int = 15,
    min_dist: float = 0.15,
    cache: Path | None = None,
) -> Float32[np.ndarray, "N 2"]:
    """Coordinates (N, 2) of vectors (N, E).

    Give proxies and embeddings in one call, or they lie in different maps. Fewer than ten vectors are
    always projected by PCA. With ``cache`` (a folder, such as a run's ``embeddings/projections``) the
    result is kept there by the content of the vectors and the settings.

    Raises ConfigError for an unknown method and DataError for vectors that are not finite.
    """
    if method not in get_args(Method):
        raise ConfigError(f"projection method={method!r} is unknown; legal: {', '.join(get_args(Method))}")
    rows = unit_rows(vectors).cpu().numpy()
    if len(rows) < FEWEST_FOR_UMAP:
        method = "pca"
    settings = (method, seed, n_neighbors, min_dist) if method == "umap" else (method,)
    path = cache and cache / f"{_content_key(rows, settings)}.safetensors"
    if path and path.is_file():
        return read_tensors(path, "delete it")["coordinates"].numpy()
    points = _pca(rows) if method == "pca" else _umap(rows, seed, n_neighbors, min_dist)
    if path:
        write_tensors(path, {"coordinates": torch.from_numpy(points)}, {"settings": repr(settings)})
    return points


def _content_key(rows: Float[np.ndarray, "N E"], settings: tuple[object, ...]) -> str:
    content = hashlib.sha256(repr((rows.shape, settings)).encode())
    content.update(np.ascontiguousarray(rows).tobytes())
    return f"{settings[0]}_{content.hexdigest()[:16]}"


def _pca(rows: Float[np.ndarray, "N E"]) -> Float32[np.ndarray, "N 2"]:
    """The two directions of largest variance; signs such that the largest loading is positive."""
    centred = rows.astype(np.float64) - rows.mean(axis=0, dtype=np.float64) if len(rows) else rows
    _, _, axes = np.linalg.svd(centred.T @ centred)
    axes = axes[:2] * np.sign(axes[:2, np.abs(axes[:2]).argmax(axis=1)].diagonal())[:, None]
    points = centred @ axes.T
    return np.pad(points, ((0, 0), (0, 2 - points.shape[1]))).astype(np.float32)


def _umap(rows: Float[np.ndarray, "N E"], seed: int, n_neighbors: int, min_dist: float) -> Float32[np.ndarray, "N 2"]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns that a seed makes it single-threaded, which is the point of one
        import umap  # seconds of compilation: only who maps pays

        mapper = umap.UMAP(
            n_components=2,
            metric="cosine",
            n_neighbors=min(n_neighbors, len(rows) - 1),
            min_dist=min_dist,
            random_state=seed,
            n_jobs=1,
        )
        return np.asarray(mapper.fit_transform(rows), dtype=np.float32)
