"""The exact answer over stored vectors, in memory that does not grow with them.

As :mod:`vptsp.evaluation.ranking` does it: a few more than k candidates by fp32 products, scored again in fp64; a query
whose k-th and next images are too close to tell apart is compared with every row in fp64.

Dimensions: M stored rows, E embedding size, Q queries, k neighbours, m candidates.
"""

from __future__ import annotations

from collections.abc import Iterator

import faiss
import numpy as np
from jaxtyping import Bool, Float32, Int64

from vptsp.evaluation.index.vectors import Vectors
from vptsp.evaluation.ranking import rounding_margin

_SPARE = 4  # candidates beyond k: where the next one is clearly less similar, the k are certain
_NUMBERS = 2**22  # numbers held in fp64 at once
_SCATTERED = 8  # where fewer than one row in so many is allowed, rows are fetched one by one

Ranked = tuple[Int64[np.ndarray, "Q k"], Float32[np.ndarray, "Q k"]]


def scores(vector: Float32[np.ndarray, " E"], others: Float32[np.ndarray, "m E"]) -> Float32[np.ndarray, " m"]:
    """Cosines in fp64, which holds the products of fp32 numbers exactly, rounded to fp32."""
    return (others.astype(np.float64) @ vector.astype(np.float64)).astype(np.float32) + np.float32(0)


def scan(
    vectors: Vectors,
    queries: Float32[np.ndarray, "Q E"],
    k: int,
    allowed: Bool[np.ndarray, " M"],
    own: Int64[np.ndarray, " Q"],
    start: int = 0,
) -> Ranked:
    """Rows and cosines of the k nearest allowed rows from ``start`` on, by cosine and then row; -1 and -inf beyond.

    ``own`` is for each query the row that it must not find, or -1.
    """
    wanted = k + _SPARE + 1  # one of them may be the query's own
    rough = np.full((len(queries), wanted), -np.inf, dtype=np.float32)
    rows = np.full((len(queries), wanted), -1)
    for numbers, block in _blocks(vectors, allowed, start):
        found, places = faiss.knn(queries, block, min(wanted, len(block)), metric=faiss.METRIC_INNER_PRODUCT)
        both, both_rows = np.hstack([rough, found]), np.hstack([rows, numbers[places]])
        best = np.argpartition(-both, wanted - 1, axis=1)[:, :wanted]
        rough, rows = np.take_along_axis(both, best, axis=1), np.take_along_axis(both_rows, best, axis=1)
    ranked, similarities = rank(vectors, queries, k, rows, own)
    margin = rounding_margin(vectors.size)
    worst = rough.min(axis=1)  # -inf where all there are have been candidates
    for query in np.flatnonzero(~(similarities[:, -1] > worst + margin) & np.isfinite(worst)):
        ranked[query], similarities[query] = _whole(vectors, queries[query], k, allowed, int(own[query]), start)
    return ranked, similarities


def rank(
    vectors: Vectors,
    queries: Float32[np.ndarray, "Q E"],
    k: int,
    candidates: Int64[np.ndarray, "Q m"],
    own: Int64[np.ndarray, " Q"],
) -> Ranked:
    """The k nearest of each query's candidate rows (-1: none) by their true cosines, equal ones by row."""
    rows = np.full((len(queries), k), -1)
    similarities = np.full((len(queries), k), -np.inf, dtype=np.float32)
    for query, vector in enumerate(queries):
        found = np.unique(candidates[query])
        found = found[(found >= 0) & (found != own[query])]
        cosines = scores(vector, vectors.take(found))
        order = np.argsort(-cosines, kind="stable")[:k]
        rows[query, : len(order)], similarities[query, : len(order)] = found[order], cosines[order]
    return rows, similarities


def _whole(
    vectors: Vectors, vector: Float32[np.ndarray, " E"], k: int, allowed: Bool[np.ndarray, " M"], own: int, start: int
) -> tuple[Int64[np.ndarray, " k"], Float32[np.ndarray, " k"]]:
    """The k nearest rows by fp64 products with all of them."""
    rows, best = np.empty(0, dtype=np.int64), np.empty(0, dtype=np.float32)
    for numbers, block in _blocks(vectors, allowed, start, _NUMBERS):
        others = numbers != own
        rows, best = np.append(rows, numbers[others]), np.append(best, scores(vector, block)[others])
        order = np.argsort(-best, kind="stable")[:k]  # rows ascend within equal ones: earlier blocks come first
        rows, best = rows[order], best[order]
    pad = (0, k - len(rows))
    return np.pad(rows, pad, constant_values=-1), np.pad(best, pad, constant_values=-np.inf)


def _blocks(
    vectors: Vectors, allowed: Bool[np.ndarray, " M"], start: int, numbers: int = 2**23
) -> Iterator[tuple[Int64[np.ndarray, " b"], Float32[np.ndarray, "b E"]]]:
    """Allowed rows from ``start`` on, and their vectors."""
    chosen = np.flatnonzero(allowed[start:]) + start
    if len(chosen) * _SCATTERED < len(allowed) - start:
        step = max(1, numbers // vectors.size)
        for first in range(0, len(chosen), step):
            part = chosen[first : first + step]
            yield part, vectors.take(part)
        return
    for first, block in vectors.blocks(start, len(allowed), numbers):
        keep = allowed[first : first + len(block)]
        if keep.all():
            yield np.arange(first, first + len(block)), block
        elif keep.any():
            yield np.flatnonzero(keep) + first, block[keep]
