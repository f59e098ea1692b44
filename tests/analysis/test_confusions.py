"""Confused classes with known answers, and against brute force."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics.pairwise import cosine_similarity

from vptsp.analysis import confusions
from vptsp.analysis.confusions import (
    confused_pairs,
    hard_negatives,
    overlapping_proxies,
    shared_hard_negatives,
)
from vptsp.errors import DataError


def directions(*degrees: float) -> np.ndarray:
    angles = np.radians(degrees)
    return np.stack([np.cos(angles), np.sin(angles)], axis=1)


def test_pairs_of_a_circle() -> None:
    # class 0 at 0 and 40 degrees, class 1 at 45 and 49, class 2 far away at 170 and 171
    vectors, labels = directions(0, 40, 45, 49, 170, 171), np.array([0, 0, 1, 1, 2, 2])
    first, second = confused_pairs(vectors, labels)
    assert (first.first, first.second) == (0, 1)
    assert (first.first_to_second, first.second_to_first, first.count) == (2, 2, 4)
    assert first.mistakes == 1  # only the image at 40 degrees has its hard negative nearer than its own like
    assert first.images == 4
    assert first.similarity == pytest.approx(np.cos(np.radians([45, 5, 5, 9])).mean(), abs=1e-6)
    assert (second.first, second.second, second.first_to_second, second.second_to_first) == (1, 2, 0, 2)
    assert second.mistakes == 0


def test_images_alone_in_their_class_are_no_mistakes() -> None:
    (pair,) = confused_pairs(directions(0, 1), np.array([4, 9]))
    assert (pair.first, pair.second, pair.count, pair.mistakes, pair.images) == (4, 9, 2, 0, 2)


def test_one_class_confuses_nothing_and_no_images_neither() -> None:
    assert confused_pairs(directions(0, 1), np.array([1, 1])) == []
    assert confused_pairs(np.empty((0, 3)), np.empty(0, dtype=np.int64)) == []


@given(st.integers(0, 2**32 - 1), st.integers(2, 25), st.integers(1, 5), st.booleans())
def test_as_by_brute_force_in_blocks_of_any_size(seed: int, images: int, classes: int, roles: bool) -> None:
    rng = np.random.default_rng(seed)
    vectors, labels = rng.standard_normal((images, 3)), rng.integers(0, classes, images)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(confusions, "_CELLS_AT_ONCE", int(rng.integers(1, 200)))
        is_query, is_gallery = rng.integers(0, 2, (2, images)).astype(bool) if roles else np.ones((2, images), bool)
        found = hard_negatives(vectors, labels, *((is_query, is_gallery) if roles else ()))
        pairs = confused_pairs(vectors, labels, 1000, *((found,) if roles else ()))
        wrong, cosine, right = found
    cosines = cosine_similarity(vectors)
    for row in range(images):
        others = np.flatnonzero((labels != labels[row]) & is_gallery & is_query[row])
        own = [other for other in np.flatnonzero((labels == labels[row]) & is_gallery & is_query[row]) if other != row]
        assert (wrong[row] >= 0) == bool(len(others))
        if len(others):
            assert labels[wrong[row]] != labels[row]
            assert cosine[row] == pytest.approx(cosines[row, others].max(), abs=1e-5)
        assert right[row] == pytest.approx(cosines[row, own].max(), abs=1e-5) if own else right[row] == -np.inf
    assert sum(pair.count for pair in pairs) == (wrong >= 0).sum()
    assert sum(pair.mistakes for pair in pairs) == ((cosine > right) & np.isfinite(right)).sum()
    assert all(pair.first < pair.second and pair.count <= pair.images for pair in pairs)


def test_a_hard_negative_that_several_share() -> None:
    # class 0 at 0, 20 and 28 degrees, class 1 at 32 and 120
    vectors, labels = directions(0, 20, 28, 32, 120), np.array([0, 0, 0, 1, 1])
    one, other = shared_hard_negatives(hard_negatives(vectors, labels), labels, 0, 1)
    # 32 stands in the way of all of class 0; only 28 is nearer to it than to its own
    assert (one.image, one.of, one.mistakes) == (3, (2, 1, 0), 1)
    # and 28 in the way of 32, which is mistaken, and of 120, which has its own at 88 degrees and 28 at 92
    assert (other.image, other.of, other.mistakes) == (2, (3, 4), 1)


@given(st.integers(0, 2**32 - 1), st.integers(2, 25))
def test_shared_hard_negatives_are_those_counted_by_hand(seed: int, images: int) -> None:
    rng = np.random.default_rng(seed)
    vectors, labels = rng.standard_normal((images, 2)), rng.integers(0, 3, images)
    found = hard_negatives(vectors, labels)
    wrong, cosine, right = found
    shared = shared_hard_negatives(found, labels, 0, 1, most=1000)
    by_hand: dict[int, set[int]] = {}
    for row in np.flatnonzero(wrong >= 0):
        if {labels[row], labels[wrong[row]]} == {0, 1}:
            by_hand.setdefault(int(wrong[row]), set()).add(int(row))
    assert {one.image: set(one.of) for one in shared} == {hub: of for hub, of in by_hand.items() if len(of) > 1}
    missed = (cosine > right) & np.isfinite(right)
    assert [one.mistakes for one in shared] == [int(missed[list(one.of)].sum()) for one in shared]
    assert [one.mistakes for one in shared] == sorted((one.mistakes for one in shared), reverse=True)
    assert shared_hard_negatives(found, labels, 0, 1, most=1) == shared[:1]


def test_most_mistaken_first_and_no_more_than_asked_for() -> None:
    rng = np.random.default_rng(0)
    vectors, labels = rng.standard_normal((60, 4)), rng.integers(0, 6, 60)
    pairs = confused_pairs(vectors, labels, most=100)
    assert [pair.mistakes for pair in pairs] == sorted((pair.mistakes for pair in pairs), reverse=True)
    assert confused_pairs(vectors, labels, most=3) == pairs[:3]


def test_overlap_of_proxies_on_a_circle() -> None:
    pairs = overlapping_proxies(3 * directions(0, 90, 100, 130), most=2)
    assert [(pair.first, pair.second) for pair in pairs] == [(1, 2), (2, 3)]
    assert pairs[0].cosine == pytest.approx(np.cos(np.radians(10)), abs=1e-6)


@given(st.integers(0, 2**32 - 1), st.integers(1, 20), st.integers(1, 30))
def test_overlap_is_that_of_all_pairs(seed: int, classes: int, most: int) -> None:
    rng = np.random.default_rng(seed)
    proxies = rng.standard_normal((classes, 3))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(confusions, "_CELLS_AT_ONCE", int(rng.integers(1, 100)))
        pairs = overlapping_proxies(proxies, most)
    above = cosine_similarity(proxies)[np.triu_indices(classes, 1)]
    np.testing.assert_allclose([pair.cosine for pair in pairs], np.sort(above)[::-1][:most], atol=1e-5)
    assert len({(pair.first, pair.second) for pair in pairs}) == len(pairs)
    assert all(pair.first < pair.second for pair in pairs)


def test_what_cannot_be_compared_is_refused() -> None:
    with pytest.raises(DataError, match="3 embeddings but 2 labels"):
        confused_pairs(np.eye(3), np.array([0, 1]))
    with pytest.raises(DataError, match="1 of 2"):
        overlapping_proxies(np.array([[1.0, 0], [np.nan, 0]]))
