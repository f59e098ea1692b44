"""Ranking again what an exact search has ranked: by expanded queries, or by reciprocal neighbours.

Both use no labels, cost more than the search, and may help or hurt: :func:`before_and_after` measures it.

- *Query expansion* searches once more with the mean of the query and its first neighbours: plain (AQE, Chum et al.,
  ICCV 2007: average query expansion), or weighted by similarity to a power (Radenovic et al., TPAMI 2018, arXiv
  1711.02512: alpha-weighted query expansion).
- *k-reciprocal encoding* (Zhong et al., CVPR 2017, arXiv 1701.08398) compares neighbourhoods: the more k-reciprocal
  neighbours two images share, the nearer they are.

Dimensions: N images, E embedding size, Q queries, G gallery images, k neighbours, M images that are either.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Literal, TypeAlias

import numpy as np
from jaxtyping import Float32, Float64, Int64
from scipy import sparse

from vptsp.errors import ConfigError, DataError
from vptsp.evaluation.gallery_index import GalleryIndex
from vptsp.evaluation.metrics import map_at_r, r_precision, recall_at_k
from vptsp.evaluation.ranking import Array, RetrievalResults, search, unit_rows

Reranking: TypeAlias = Literal["query_expansion", "k_reciprocal"]
_CELLS_AT_ONCE = 2**23  # (query, image) distances held at once


def query_expansion(
    embeddings: Array,
    labels: Array,
    is_query: Array | None = None,
    is_gallery: Array | None = None,
    k: int | None = None,
    *,
    neighbours: int = 10,
    alpha: float = 0.0,
) -> RetrievalResults:
    """The k nearest images of each query's expansion: the unit mean of it and its first ``neighbours``.

    ``alpha`` 0 weighs all alike (AQE); else each counts by its similarity to the query, where that is positive, to this
    power, and so the query by 1 (alpha-QE; its paper takes 3, and 50 neighbours). Takes what
    :func:`~vptsp.evaluation.ranking.search` does.
    """
    if neighbours < 1:
        raise ConfigError(f"neighbours is {neighbours}; it must be at least 1")
    if alpha < 0:
        raise ConfigError(f"alpha is {alpha}; it must be at least 0")
    depth = None if k is None else max(k, neighbours)
    first = search(embeddings, labels, is_query, is_gallery, depth, neighbours)
    deep = first.k if k is None else k
    unit = unit_rows(embeddings)
    found, similar = first.neighbor_positions[:, :neighbours], first.similarities[:, :neighbours]
    weights = np.where(found >= 0, np.where(found >= 0, similar, 0).clip(0) ** alpha if alpha else 1.0, 0.0)
    expanded = unit[first.query_positions] + np.einsum("qn,qne->qe", weights, unit[found])
    gallery = np.flatnonzero(np.ones(len(unit), dtype=bool) if is_gallery is None else np.asarray(is_gallery))
    names = [str(row) for row in gallery]
    own = [str(row) for row in first.query_positions]
    rows, similarities = GalleryIndex.build(unit[gallery], names).search(expanded.astype(np.float32), deep, own)
    return _ranked(first, np.where(rows >= 0, gallery[rows], -1), similarities, labels)


def k_reciprocal(
    embeddings: Array,
    labels: Array,
    is_query: Array | None = None,
    is_gallery: Array | None = None,
    k: int | None = None,
    *,
    k1: int = 20,
    k2: int = 6,
    weight: float = 0.3,
    as_published: bool = False,
) -> RetrievalResults:
    """The k nearest images by ``(1 - weight)`` times the Jaccard distance of neighbourhoods plus ``weight`` times d.

    d is the squared distance of unit embeddings (the paper's eq. 1 with M = I), ``k1`` and ``k2`` are the neighbours of
    the encoding and of its local expansion, as in eqs. 2 to 12. ``as_published`` does instead as the code that came
    with it: d divided by the largest of the image's distances, encodings that sum to 1, and an expansion that needs
    more than two thirds in common, not as many. ``similarities`` are minus the distances.

    Where the paper says nothing, its code decides for both: every image that is query or gallery has neighbours among
    all of these; it is its own first neighbour, beside ``k1`` others and as one of the ``k2``; and half of ``k1`` is
    rounded, to even where it lies between two. Raises ConfigError for numbers that cannot be.
    """
    if k1 < 1 or k2 < 1 or not 0 <= weight <= 1:
        raise ConfigError(
            f"k1 {k1}, k2 {k2} and weight {weight} cannot be; k1 and k2 are from 1 on, weight from 0 to 1"
        )
    first = search(embeddings, labels, is_query, is_gallery, k=k)  # says what does not fit
    unit = unit_rows(embeddings)
    everyone = np.ones(len(unit), dtype=bool)
    gallery = everyone if is_gallery is None else np.asarray(is_gallery)
    members = np.flatnonzero(gallery | (everyone if is_query is None else np.asarray(is_query)))
    among = unit[members]
    near = _neighbourhoods(among, max(k1, k2))
    farthest = _largest_distances(among) if as_published else None
    codes = _encodings(among, near, k1, farthest, as_published)
    if k2 > 1:
        places = near[:, :k2]
        mean = sparse.csr_matrix(
            (np.full(places.size, 1 / places.shape[1]), places.ravel(), np.arange(0, places.size + 1, places.shape[1])),
            shape=(len(among), len(among)),
        )
        codes = (mean @ codes).tocsr()
    place = np.full(len(unit), -1)
    place[members] = np.arange(len(members))
    in_gallery = place[np.flatnonzero(gallery)]
    return _by_distance(first, among, codes, place, in_gallery, members, weight, farthest, labels)


def before_and_after(
    method: Reranking,
    embeddings: Array,
    labels: Array,
    is_query: Array | None = None,
    is_gallery: Array | None = None,
    **options: Any,
) -> dict[str, tuple[float, float]]:
    """Recall at 1, R-precision and MAP@R of the exact search, and of its ranking again by ``method``.

    Raises ConfigError for a method that there is not.
    """
    if method not in RERANKINGS:
        raise ConfigError(f"there is no reranking {method!r}; legal: {', '.join(RERANKINGS)}")
    before = search(embeddings, labels, is_query, is_gallery)
    after = RERANKINGS[method](embeddings, labels, is_query, is_gallery, k=before.k, **options)
    metrics: dict[str, Callable[[RetrievalResults], float]] = {
        "recall_at_1": lambda results: recall_at_k(results, 1),
        "r_precision": r_precision,
        "map_at_r": map_at_r,
    }
    return {name: (metric(before), metric(after)) for name, metric in metrics.items()}


RERANKINGS: Mapping[str, Callable[..., RetrievalResults]] = {
    "query_expansion": query_expansion,
    "k_reciprocal": k_reciprocal,
}


# --- k-reciprocal encoding ------------------------------------------------------------------------
def _neighbourhoods(unit: Float32[np.ndarray, "M E"], most: int) -> Int64[np.ndarray, "M n"]:
    """Each image and its ``most`` nearest others, nearest first."""
    most = min(most, len(unit) - 1)
    if most < 1:
        raise DataError("there is one image; reranking needs neighbours")
    found = search(unit, np.zeros(len(unit), dtype=np.int64), k=most).neighbor_positions
    return np.hstack([np.arange(len(unit))[:, None], found])


def _largest_distances(unit: Float32[np.ndarray, "M E"]) -> Float64[np.ndarray, " M"]:
    """The distance d of each image to the farthest one."""
    step = max(1, _CELLS_AT_ONCE // len(unit))
    parts = [_distances(unit[start : start + step], unit).max(axis=1) for start in range(0, len(unit), step)]
    return np.maximum(np.concatenate(parts), np.finfo(np.float64).tiny)


def _distances(one: Float32[np.ndarray, "a E"], other: Float32[np.ndarray, "b E"]) -> Float64[np.ndarray, "a b"]:
    """Squared distances of unit vectors."""
    return np.maximum(2 - 2 * (one.astype(np.float64) @ other.T.astype(np.float64)), 0)


def _encodings(
    unit: Float32[np.ndarray, "M E"],
    near: Int64[np.ndarray, "M n"],
    k1: int,
    farthest: Float64[np.ndarray, " M"] | None,
    as_published: bool,
) -> sparse.csr_matrix:
    """A row per image: exp(-d) of each of its expanded k-reciprocal neighbours (eqs. 2 to 4 and 7), 0 elsewhere."""
    whole = [set(line) for line in near[:, : k1 + 1].tolist()]
    reciprocal = [[j for j in line if i in whole[j]] for i, line in enumerate(near[:, : k1 + 1].tolist())]
    half = int(np.around(k1 / 2))
    halves = [set(line) for line in near[:, : half + 1].tolist()]
    reciprocal_of_half = [{j for j in line if i in halves[j]} for i, line in enumerate(near[:, : half + 1].tolist())]
    rows, columns, values = [], [], []
    for i, own in enumerate(reciprocal):
        base, chosen = set(own), set(own)
        for j in own:
            others = reciprocal_of_half[j]
            common = 3 * len(base & others) - 2 * len(others)
            if common > 0 or (common == 0 and not as_published):
                chosen |= others
        there = np.array(sorted(chosen))
        distances = _distances(unit[i : i + 1], unit[there])[0]
        if farthest is not None:
            distances = distances / farthest[i]
        weights = np.exp(-distances)
        rows.append(np.full(len(there), i))
        columns.append(there)
        values.append(weights / weights.sum() if as_published else weights)
    shape = (len(unit), len(unit))
    return sparse.csr_matrix((np.concatenate(values), (np.concatenate(rows), np.concatenate(columns))), shape=shape)


def _by_distance(
    first: RetrievalResults,
    unit: Float32[np.ndarray, "M E"],
    codes: sparse.csr_matrix,
    place: Int64[np.ndarray, " N"],
    in_gallery: Int64[np.ndarray, " G"],
    members: Int64[np.ndarray, " M"],
    weight: float,
    farthest: Float64[np.ndarray, " M"] | None,
    labels: Array,
) -> RetrievalResults:
    """Ranked by the final distance (eq. 12), of equal ones by row."""
    queries, k = place[first.query_positions], min(first.k, len(in_gallery))
    gallery_codes = codes[in_gallery]
    by_column, sums = gallery_codes.tocsc(), np.asarray(gallery_codes.sum(axis=1)).ravel()
    rows = np.full((len(queries), first.k), -1)
    similarities = np.full((len(queries), first.k), -np.inf, dtype=np.float32)
    for number, query in enumerate(queries):
        code = codes[query]
        shared = np.zeros(len(in_gallery))
        for column, value in zip(code.indices, code.data, strict=True):
            part = slice(by_column.indptr[column], by_column.indptr[column + 1])
            shared[by_column.indices[part]] += np.minimum(by_column.data[part], value)
        jaccard = 1 - shared / (sums + code.data.sum() - shared)  # the sum of maxima (eq. 10)
        direct = _distances(unit[query : query + 1], unit[in_gallery])[0]
        if farthest is not None:
            direct = direct / farthest[query]
        final = ((1 - weight) * jaccard + weight * direct).astype(np.float32)
        final[in_gallery == query] = np.inf
        order = np.argsort(final, kind="stable")[:k]
        order = order[np.isfinite(final[order])]
        rows[number, : len(order)], similarities[number, : len(order)] = members[in_gallery[order]], -final[order]
    return _ranked(first, rows, similarities, labels)


def _ranked(
    first: RetrievalResults, rows: Int64[np.ndarray, "Q k"], similarities: Float32[np.ndarray, "Q k"], labels: Array
) -> RetrievalResults:
    named = np.asarray(labels)
    return replace(
        first,
        neighbor_positions=rows,
        neighbor_labels=np.where(rows >= 0, named[rows], -1).astype(np.int64),
        similarities=similarities,
    )
