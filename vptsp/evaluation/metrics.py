"""Retrieval metrics: pure functions of a :class:`~vptsp.evaluation.ranking.RetrievalResults`.

R is the number of gallery images of the query's class other than the query. A lone query (R = 0) has
nothing to find: it is left out of every metric, and counted in the report.

Dimensions: N images, E embedding size, Q queries, S scored queries (R > 0), k neighbours, B queries in a
block.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int64

from vptsp.errors import DataError
from vptsp.evaluation import clustering as class_clusters
from vptsp.evaluation.ranking import Array, RetrievalResults, search, unit_rows

_CELLS_AT_ONCE = 2**22  # (query, rank) cells in fp64: 32 MiB an array


def recall_at_k(results: RetrievalResults, k: int) -> float:
    """Share of queries with an image of their class among the first k neighbours."""
    return float(hit_at_k(results, k).mean())


def r_precision(results: RetrievalResults) -> float:
    """Mean share of the query's class among its first R neighbours."""
    return float(precision_at_r(results).mean())


def map_at_r(results: RetrievalResults) -> float:
    """MAP@R of Musgrave et al., "A Metric Learning Reality Check" (arXiv 2003.08505)."""
    return float(average_precision_at_r(results).mean())


def map_at_r_published(results: RetrievalResults) -> float:
    """MAP@R as the published VPTSP code computes it, slightly lower than the literature's.

    It counts the query in R while removing it from the ranking: the average precision of R + 1 ranks divided
    by R + 1, so that a perfect ranking scores R / (R + 1). (It also scores lone queries 0; not so here.)
    """
    return float(_per_query(results, _average_precision, beyond=1).mean())


def hit_at_k(results: RetrievalResults, k: int) -> Bool[np.ndarray, " S"]:
    """Whether each scored query has an image of its class among its first k neighbours."""
    _require_ranks(results, k, f"recall at {k}")
    return np.asarray(results.matches[scored_queries(results), :k].any(axis=1))


def average_precision_at_r(results: RetrievalResults) -> Float64[np.ndarray, " S"]:
    """AP@R of each scored query: 1/R sum over ranks i <= R of precision at i if neighbour i matches."""
    return _per_query(results, _average_precision, beyond=0)


def precision_at_r(results: RetrievalResults) -> Float64[np.ndarray, " S"]:
    """Share of each scored query's first R neighbours that are of its class."""
    return _per_query(results, _precision, beyond=0)


def scored_queries(results: RetrievalResults) -> Int64[np.ndarray, " S"]:
    """Indices (into the Q queries) of those that have something to find; DataError if there is none."""
    scored = np.flatnonzero(results.relevant)
    if not len(scored):
        raise DataError(
            f"none of {len(results.relevant)} queries has another image of its class in the gallery; "
            "retrieval metrics need classes of at least two images"
        )
    return scored


# --- over the ranks of one query, for a block of queries ------------------------------------------

RankScore = Callable[[Bool[np.ndarray, "B k"], Int64[np.ndarray, " B"]], Float64[np.ndarray, " B"]]


def _precision(matches: Bool[np.ndarray, "B k"], depth: Int64[np.ndarray, " B"]) -> Float64[np.ndarray, " B"]:
    return (matches & _within(matches, depth)).sum(axis=1) / depth


def _average_precision(matches: Bool[np.ndarray, "B k"], depth: Int64[np.ndarray, " B"]) -> Float64[np.ndarray, " B"]:
    precision = np.cumsum(matches, axis=1) / np.arange(1, matches.shape[1] + 1)
    return (precision * (matches & _within(matches, depth))).sum(axis=1) / depth


def _within(matches: Bool[np.ndarray, "B k"], depth: Int64[np.ndarray, " B"]) -> Bool[np.ndarray, "B k"]:
    return np.arange(matches.shape[1]) < depth[:, None]


def _per_query(results: RetrievalResults, score: RankScore, beyond: int) -> Float64[np.ndarray, " S"]:
    """``score`` of the first R + ``beyond`` ranks of every scored query."""
    scored = scored_queries(results)
    deepest = int(results.relevant.max()) + beyond
    _require_ranks(results, deepest, "a metric over R" + f" + {beyond}" * bool(beyond) + " ranks")
    values = np.empty(len(scored))
    block = max(1, _CELLS_AT_ONCE // deepest)
    for start in range(0, len(scored), block):
        rows = scored[start : start + block]
        matches, depth = results.matches[rows, :deepest], results.relevant[rows] + beyond
        values[start : start + block] = score(matches, depth)
    return values


def _require_ranks(results: RetrievalResults, needed: int, purpose: str) -> None:
    if not 1 <= needed <= results.k:
        raise ValueError(f"{purpose} takes {needed} neighbours, the results hold {results.k}; search more")


# --- all together ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class RetrievalReport:
    """Every metric of one set of embeddings, and what it rests on."""

    metrics: dict[str, float]
    num_queries: int  # with the lone ones
    num_gallery: int
    num_lone_queries: int  # left out: no other image of their class in the gallery
    per_query: dict[str, np.ndarray]  # (S,) each: recall_at_1, average_precision_at_r, query_positions
    results: RetrievalResults


def evaluate_retrieval(
    embeddings: Array,
    labels: Array,
    is_query: Array | None = None,
    is_gallery: Array | None = None,
    recall_ks: Sequence[int] = (1, 2, 4, 8),
    clustering: bool = True,
    seed: int = 0,
) -> RetrievalReport:
    """Score embeddings (N, E) by exact retrieval and, with ``clustering``, by k-means of the query images.

    ``metrics`` has recall_at_<k>, map_at_r, map_at_r_published, r_precision, and nmi and pairwise_f1, whose
    k-means takes ``seed``. Raises DataError as :func:`~vptsp.evaluation.ranking.search` does, and where every query is
    a lone one.
    """
    if not recall_ks or min(recall_ks) < 1:
        raise DataError(f"recall_ks is {tuple(recall_ks)}; give one or more ranks from 1 on")
    results = search(embeddings, labels, is_query, is_gallery, at_least=max(recall_ks))
    scored = scored_queries(results)
    hits = hit_at_k(results, 1)
    average_precision = average_precision_at_r(results)
    metrics = {f"recall_at_{k}": recall_at_k(results, k) for k in recall_ks}
    metrics["map_at_r"] = float(average_precision.mean())
    metrics["map_at_r_published"] = map_at_r_published(results)
    metrics["r_precision"] = r_precision(results)
    if clustering:
        classes = results.query_labels
        vectors = unit_rows(embeddings)[results.query_positions]
        clusters = class_clusters.kmeans(vectors, len(np.unique(classes)), seed)
        metrics["nmi"] = class_clusters.nmi(classes, clusters)
        metrics["pairwise_f1"] = class_clusters.pairwise_f1(classes, clusters)
    return RetrievalReport(
        metrics=metrics,
        num_queries=len(results.query_positions),
        num_gallery=len(labels) if is_gallery is None else int(np.asarray(is_gallery).sum()),
        num_lone_queries=len(results.query_positions) - len(scored),
        per_query={
            "recall_at_1": hits,
            "average_precision_at_r": average_precision,
            "query_positions": results.query_positions[scored],
        },
        results=results,
    )
