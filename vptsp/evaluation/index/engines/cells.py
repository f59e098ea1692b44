"""Cells that part the unit sphere: their centres, learned from a sample, and the cell of each vector.

By matrix products in numpy, whose BLAS takes an eighth of the time of ``IndexFlatIP.search`` for the same products on a
quiet machine, a third on a busy one (``python -m benchmarks.indexes`` says it first); and most time of building
inverted lists of many images goes there.

Dimensions: S sampled and B given unit vectors, C cells, E embedding size.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float32, Int64
from scipy import sparse

_ROUNDS = 10  # as many as FAISS takes for the cells of inverted lists
_CELLS_AT_ONCE = 2**24  # products held at once: 64 MiB


def learned_cells(sample: Float32[np.ndarray, "S E"], count: int, seed: int) -> Float32[np.ndarray, "C E"]:
    """Unit centres of ``count`` cells (at most S) by spherical k-means (Dhillon and Modha, Machine Learning 42, 2001).

    A cell that is left empty begins anew at the vector that lies furthest from its centre.
    """
    rng = np.random.default_rng(seed)
    centres = sample[rng.choice(len(sample), count, replace=False)]
    for _ in range(_ROUNDS):
        cell, cosine = nearest_cells(sample, centres)
        members = sparse.csr_matrix((np.ones(len(cell), np.float32), (cell, np.arange(len(cell)))), (count, len(cell)))
        sums = np.asarray(members @ sample)
        lengths = np.linalg.norm(sums, axis=1, keepdims=True)
        empty = np.flatnonzero(lengths[:, 0] < np.finfo(np.float32).tiny)
        centres = sums / np.maximum(lengths, np.finfo(np.float32).tiny)
        centres[empty] = sample[np.argsort(cosine, kind="stable")[: len(empty)]]
    return centres


def nearest_cells(
    vectors: Float32[np.ndarray, "B E"], centres: Float32[np.ndarray, "C E"]
) -> tuple[Int64[np.ndarray, " B"], Float32[np.ndarray, " B"]]:
    """The cell whose centre is nearest to each vector, and its cosine."""
    cell, cosine = np.empty(len(vectors), np.int64), np.empty(len(vectors), np.float32)
    step, columns = max(1, _CELLS_AT_ONCE // len(centres)), np.ascontiguousarray(centres.T)
    for start in range(0, len(vectors), step):
        part = slice(start, start + step)
        products = vectors[part] @ columns
        cell[part] = best = products.argmax(axis=1)
        cosine[part] = products[np.arange(len(best)), best]
    return cell, cosine
