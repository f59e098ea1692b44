"""Reranking against the papers' formulas, and what the authors' code computes, without any thought of speed."""

from __future__ import annotations

import numpy as np
import pytest

from vptsp.errors import ConfigError, DataError
from vptsp.evaluation.ranking import RetrievalResults
from vptsp.evaluation.rerank import before_and_after, k_reciprocal, query_expansion

LABELS = np.arange(60) % 6


def embedded(seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    vectors = rng.standard_normal((6, 12))[LABELS] + 1.1 * rng.standard_normal((60, 12))
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def reciprocal(order: np.ndarray, p: int, k: int) -> set[int]:
    """Eqs. 2 and 3: who is among the k nearest of p, and has p among its own k nearest; p is, as nearest to itself."""
    return {g for g in order[p, : k + 1].tolist() if p in order[g, : k + 1].tolist()}


def by_the_paper(d: np.ndarray, k1: int, k2: int, weight: float) -> np.ndarray:
    """Zhong et al., CVPR 2017, eqs. 2 to 12, one number at a time; d is eq. 1 with M = I, for all against all."""
    count = len(d)
    order = np.argsort(d, axis=1, kind="stable")
    vectors = np.zeros((count, count))
    whole, halves = ([reciprocal(order, p, k) for p in range(count)] for k in (k1, round(k1 / 2)))
    for p in range(count):
        robust = set(whole[p])
        for q in whole[p]:  # eq. 4
            if 3 * len(whole[p] & halves[q]) >= 2 * len(halves[q]):
                robust |= halves[q]
        for g in robust:  # eq. 7
            vectors[p, g] = np.exp(-d[p, g])
    expanded = np.array([sum(vectors[g] for g in order[p, :k2]) / k2 for p in range(count)])  # eq. 11
    final = np.empty((count, count))
    for p in range(count):
        for g in range(count):
            least = np.minimum(expanded[p], expanded[g]).sum()  # eq. 8
            most = np.maximum(expanded[p], expanded[g]).sum()  # eq. 9
            final[p, g] = (1 - weight) * (1 - least / most) + weight * d[p, g]  # eqs. 10 and 12
    return final


def by_the_code(d: np.ndarray, k1: int, k2: int, weight: float) -> np.ndarray:
    """What the authors' re_ranking.m and its Python version compute instead, for all against all.

    Distances are squared ones (MahDist, cdist squared), divided by the largest of the row; encodings have sum 1, so
    that the sum of maxima is 2 less that of minima; and *more* than two thirds are asked for.
    """
    count = len(d)
    order = np.argsort(d, axis=1, kind="stable")
    relative = d / d.max(axis=1, keepdims=True)
    vectors = np.zeros((count, count))
    whole, halves = ([reciprocal(order, p, k) for p in range(count)] for k in (k1, int(np.around(k1 / 2))))
    for p, own in enumerate(whole):
        there = sorted(own.union(*(halves[q] for q in own if 3 * len(halves[q] & own) > 2 * len(halves[q]))))
        vectors[p, there] = np.exp(-relative[p, there])
        vectors[p] /= vectors[p].sum()
    if k2 != 1:
        vectors = np.array([vectors[order[p, :k2]].mean(axis=0) for p in range(count)])
    least = np.minimum(vectors[:, None], vectors[None]).sum(axis=2)
    return (1 - least / (2 - least)) * (1 - weight) + relative * weight


def check(found: RetrievalResults, final: np.ndarray, members: np.ndarray, gallery: np.ndarray) -> None:
    place = {row: number for number, row in enumerate(members.tolist())}
    for query, rows, cosines in zip(found.query_positions, found.neighbor_positions, found.similarities, strict=True):
        others = [row for row in gallery.tolist() if row != query]
        true = np.sort(final[place[query], [place[row] for row in others]])[: found.k]
        there = rows[rows >= 0]
        assert len(set(there.tolist())) == len(there) == len(true)
        np.testing.assert_allclose(-cosines[: len(true)], true, atol=1e-6)
        np.testing.assert_allclose(final[place[query], [place[row] for row in there.tolist()]], true, atol=1e-6)


@pytest.mark.parametrize(("k1", "k2", "weight"), [(8, 3, 0.3), (20, 6, 0.3), (5, 1, 0.0), (100, 4, 0.5)])
@pytest.mark.parametrize("split", [False, True])
def test_k_reciprocal_is_the_paper_s_and_the_published_code_s(k1: int, k2: int, weight: float, split: bool) -> None:
    unit = embedded().astype(np.float32)
    is_query = np.arange(60) % 3 == 0 if split else None
    is_gallery = np.arange(60) % 4 > 0 if split else None  # some are both, some neither
    gallery = np.flatnonzero(is_gallery) if split else np.arange(60)
    members = np.flatnonzero(is_query | is_gallery) if split else np.arange(60)
    among = unit[members].astype(np.float64)
    distances = np.maximum(2 - 2 * among @ among.T, 0)
    np.fill_diagonal(distances, 0)
    for as_published, oracle in ((False, by_the_paper), (True, by_the_code)):
        options = {"k1": k1, "k2": k2, "weight": weight, "as_published": as_published}
        found = k_reciprocal(unit, LABELS, is_query, is_gallery, 12, **options)
        assert found.k == 12
        check(found, oracle(distances, k1, k2, weight), members, gallery)
        right = np.where(found.neighbor_positions >= 0, LABELS[found.neighbor_positions], -1)
        np.testing.assert_array_equal(found.neighbor_labels, right)


@pytest.mark.parametrize(("neighbours", "alpha"), [(1, 0.0), (5, 0.0), (5, 3.0), (80, 1.0)])
@pytest.mark.parametrize("split", [False, True])
def test_query_expansion_is_the_search_with_the_mean(neighbours: int, alpha: float, split: bool) -> None:
    unit = embedded(1).astype(np.float32)
    queries = np.arange(0, 60, 3) if split else np.arange(60)
    gallery = np.flatnonzero(np.arange(60) % 2 == 1) if split else np.arange(60)
    masks = (np.isin(np.arange(60), queries), np.isin(np.arange(60), gallery)) if split else (None, None)
    found = query_expansion(unit, LABELS, *masks, 7, neighbours=neighbours, alpha=alpha)
    for query, rows, similarities in zip(
        found.query_positions, found.neighbor_positions, found.similarities, strict=True
    ):
        others = np.array([row for row in gallery if row != query])
        cosines = unit[others].astype(np.float64) @ unit[query]
        first = np.argsort(-cosines, kind="stable")[:neighbours]
        mean = unit[query].astype(np.float64)
        for row, cosine in zip(others[first], cosines[first], strict=True):
            mean = mean + (max(cosine, 0) ** alpha if alpha else 1) * unit[row]
        again = unit[others] @ (mean / np.linalg.norm(mean))
        order = np.argsort(-again, kind="stable")[:7]
        np.testing.assert_array_equal(rows[: len(order)], others[order])
        np.testing.assert_allclose(similarities[: len(order)], again[order], atol=1e-6)


def test_before_and_after_says_what_it_is_worth() -> None:
    for method in ("query_expansion", "k_reciprocal"):
        told = before_and_after(method, embedded(), LABELS)
        assert list(told) == ["recall_at_1", "r_precision", "map_at_r"]
        before, after = told["map_at_r"]
        assert after > before  # clusters in noise are what both are for


def test_bad_numbers_are_refused() -> None:
    for options, said in [({"k1": 0}, "k1 0, k2 6"), ({"weight": 1.5}, "weight 1.5 cannot be")]:
        with pytest.raises(ConfigError, match=said):
            k_reciprocal(embedded(), LABELS, **options)
    with pytest.raises(ConfigError, match="neighbours is 0"):
        query_expansion(embedded(), LABELS, neighbours=0)
    with pytest.raises(ConfigError, match="alpha is -1"):
        query_expansion(embedded(), LABELS, alpha=-1)
    with pytest.raises(ConfigError, match="no reranking 'magic'; legal: query_expansion, k_reciprocal"):
        before_and_after("magic", embedded(), LABELS)  # type: ignore[arg-type]
    with pytest.raises(DataError, match="reranking needs neighbours"):
        k_reciprocal(np.ones((1, 3)), np.zeros(1, dtype=int))
