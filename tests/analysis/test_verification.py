"""Verification against brute force over all pairs, and against scikit-learn's ROC."""

from __future__ import annotations

import subprocess
import sys
from itertools import product

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, precision_score, roc_auc_score, roc_curve

from vptsp.analysis import image_pairs
from vptsp.analysis.image_pairs import ImagePairs, bins_of
from vptsp.analysis.verification import Verification, counted, verification
from vptsp.errors import DataError


def by_hand(
    vectors: np.ndarray, labels: np.ndarray, queries: np.ndarray, gallery: np.ndarray
) -> tuple[np.ndarray, ...]:
    """Cosines of all pairs, and whether each is of one class."""
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    pairs = {tuple(sorted(pair)) for pair in product(queries.tolist(), gallery.tolist()) if pair[0] != pair[1]}
    rows = np.array(sorted(pairs), dtype=int).reshape(-1, 2)
    return (unit[rows[:, 0]] * unit[rows[:, 1]]).sum(axis=1), labels[rows[:, 0]] == labels[rows[:, 1]]


def of_scores(scores: np.ndarray, same: np.ndarray, bins: int) -> Verification:
    place = bins_of(scores, bins)
    return Verification(*(np.bincount(place[same == kind], minlength=bins) for kind in (True, False)), 2, 2)


@given(st.integers(0, 2**32 - 1), st.integers(2, 25), st.integers(1, 4), st.sampled_from([2, 50, 4000]), st.booleans())
def test_all_pairs_are_counted_once_in_blocks_of_any_size(
    seed: int, images: int, classes: int, bins: int, masks: bool
) -> None:
    rng = np.random.default_rng(seed)
    vectors, labels = rng.standard_normal((images, 3)), rng.integers(0, classes, images)
    is_query, is_gallery = rng.random((2, images)) < 0.7
    assume(is_query.any() and is_gallery.any())
    given_masks = (is_query, is_gallery) if masks else (None, None)
    everyone = np.arange(images)
    chosen = (np.flatnonzero(is_query), np.flatnonzero(is_gallery)) if masks else (everyone, everyone)
    scores, same = by_hand(vectors, labels, *chosen)
    places = (scores + 1) * bins / 2
    assume((abs(places - places.round()) > 1e-3).all())  # fp32 may round those to either side of an edge
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(image_pairs, "_CELLS_AT_ONCE", int(rng.integers(1, 200)))
        genuine, impostors = ImagePairs(vectors, labels, *given_masks).counts(bins)
    for counts, kind in ((genuine, True), (impostors, False)):
        np.testing.assert_array_equal(counts, np.bincount(bins_of(scores[same == kind], bins), minlength=bins))


@given(st.integers(0, 2**32 - 1), st.integers(1, 60), st.integers(1, 60), st.sampled_from([3, 40, 4000]))
def test_rates_are_those_of_scikit_learn(seed: int, genuine: int, impostors: int, bins: int) -> None:
    rng = np.random.default_rng(seed)
    same = np.arange(genuine + impostors) < genuine
    scores = np.clip(rng.normal(0.3 * same, 0.25), -1, 0.999)
    found, place = of_scores(scores, same, bins), bins_of(scores, bins)
    assert found.auc == pytest.approx(roc_auc_score(same, place))
    assert abs(found.auc - roc_auc_score(same, scores)) <= found.auc_error + 1e-12

    far, tar, thresholds = roc_curve(same, place, drop_intermediate=False)
    for rates in zip(far[1:], tar[1:], thresholds[1:].astype(int), strict=True):
        at = found.at_edge(rates[2])
        assert (at.false_accept_rate, at.true_accept_rate) == pytest.approx(rates[:2])
        assert at.false_reject_rate == pytest.approx(1 - rates[1])
    mine = found.roc()
    assert all(len(values) == bins + 1 for values in mine)
    assert np.trapezoid(mine[1], mine[0]) == pytest.approx(found.auc)
    assert (mine[0][0], mine[1][0], mine[2][0], mine[0][-1], mine[1][-1], mine[2][-1]) == (0, 0, 1, 1, 1, -1)

    threshold = float(rng.uniform(-1, 1))
    at = found.at(threshold)
    assert abs(at.threshold - threshold) <= found.width / 2 + 1e-12
    answers = place >= found.edge(threshold)
    if answers.any():
        assert at.precision == pytest.approx(precision_score(same, answers))
    else:
        assert at.precision is None
    balanced = np.where(same, 1 / genuine, 1 / impostors)
    assert at.accuracy == pytest.approx(accuracy_score(same, answers, sample_weight=balanced))


@given(st.integers(0, 2**32 - 1), st.integers(1, 80), st.integers(1, 80), st.sampled_from([5, 40, 4000]))
def test_the_equal_error_is_within_its_bound_of_that_of_the_cosines(
    seed: int, genuine: int, impostors: int, bins: int
) -> None:
    rng = np.random.default_rng(seed)
    same = np.arange(genuine + impostors) < genuine
    scores = np.clip(rng.normal(0.4 * same, 0.25), -1, 0.999)
    equal = of_scores(scores, same, bins).equal_error
    # false accepts fall and false rejects rise with the threshold, in steps: they cross between these
    edges = np.unique(np.concatenate([scores, scores + 1e-12, [-1, 1.1]]))
    far = np.array([(scores[~same] >= edge).mean() for edge in edges])
    frr = np.array([(scores[same] < edge).mean() for edge in edges])
    crossing = int(np.flatnonzero(far >= frr)[-1])
    low, high = max(far[crossing + 1], frr[crossing]), min(far[crossing], frr[crossing + 1])
    assert equal.rate - equal.error - 1e-9 <= low <= high <= equal.rate + equal.error + 1e-9
    first, last = sorted([edges[np.flatnonzero(far <= frr)[0]], edges[crossing]])
    assert first - 2 / bins <= equal.threshold <= last + 2 / bins


def test_classes_that_lie_apart_have_no_error_in_the_middle_between_them() -> None:
    scores, same = np.array([0.8, 0.9, -0.2, 0.0001]), np.array([True, True, False, False])
    equal = of_scores(scores, same, 4000).equal_error
    assert (equal.rate, equal.error) == (0, 0)
    assert equal.threshold == pytest.approx(0.4, abs=1e-3)


@given(st.integers(0, 2**32 - 1), st.integers(1, 60), st.integers(1, 300), st.sampled_from([0.5, 0.1, 0.01]))
def test_tar_at_far_is_the_best_that_the_edges_allow(seed: int, genuine: int, impostors: int, rate: float) -> None:
    rng = np.random.default_rng(seed)
    same = np.arange(genuine + impostors) < genuine
    scores = np.clip(rng.normal(0.3 * same, 0.25), -1, 0.999)
    found, place = of_scores(scores, same, 400), bins_of(scores, 400)
    at = found.at_false_accept_rate(rate)
    if impostors * rate < 1 - 1e-9:
        assert at is None
        return
    assert at is not None
    far, tar, _ = roc_curve(same, place, drop_intermediate=False)
    assert at.true_accept_rate == pytest.approx(tar[far <= rate + 1e-12].max())
    assert at.false_accept_rate <= rate + 1e-12
    exact_far, exact_tar, _ = roc_curve(same, scores, drop_intermediate=False)
    assert at.true_accept_rate <= exact_tar[exact_far <= rate + 1e-12].max() + 1e-12  # never too good


@given(st.integers(0, 2**32 - 1), st.integers(2, 20), st.integers(1, 4), st.booleans())
def test_wrong_pairs_are_the_worst_or_the_nearest_and_no_image_twice(
    seed: int, images: int, classes: int, nearest: bool
) -> None:
    rng = np.random.default_rng(seed)
    vectors, labels = rng.standard_normal((images, 3)), rng.integers(0, classes, images)
    pairs, edge = ImagePairs(vectors, labels), int(rng.integers(0, 51))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(image_pairs, "_CELLS_AT_ONCE", int(rng.integers(1, 100)))
        found = pairs.wrong(4, edge if nearest else None, 50)
    scores, same = by_hand(vectors, labels, np.arange(images), np.arange(images))
    for kind, some in zip((False, True), found, strict=True):
        wrong = scores[(same == kind) & ((bins_of(scores, 50) < edge) == kind)] if nearest else scores[same == kind]
        cosines = [pair.cosine for pair in some]
        assert bool(cosines) == bool(len(wrong))
        assert len({row for pair in some for row in (pair.first, pair.second)}) == 2 * len(some)
        assert all((labels[pair.first] == labels[pair.second]) == kind for pair in some)
        assert all(pair.bin == bins_of(np.float32(pair.cosine), 50) for pair in some)
        rising = kind != nearest  # the least similar first
        assert cosines == sorted(cosines, reverse=not rising)
        if cosines:
            assert cosines[0] == pytest.approx(wrong.min() if rising else wrong.max(), abs=1e-6)


def test_of_many_images_some_queries_are_drawn_by_a_seed() -> None:
    rng = np.random.default_rng(0)
    vectors, labels = rng.standard_normal((200, 8)), np.repeat(np.arange(20), 10)
    some = verification(vectors, labels, most=200 * 50)
    assert (some.queries, some.of_queries) == (50, 200)
    total = int(some.genuine.sum() + some.impostors.sum())
    assert total == 50 * 199 - 50 * 49 // 2  # pairs of two drawn queries once
    again, other = (verification(vectors, labels, most=200 * 50, seed=seed) for seed in (0, 1))
    np.testing.assert_array_equal(some.impostors, again.impostors)
    assert (some.impostors != other.impostors).any()
    whole = verification(vectors, labels)
    assert (whole.queries, whole.of_queries) == (200, 200)
    assert some.auc == pytest.approx(whole.auc, abs=0.05)


def test_what_cannot_be_told_apart_is_refused_in_a_sentence() -> None:
    vectors = np.eye(4)
    with pytest.raises(DataError, match="all pairs among 4 images are of one class; verification takes two or more"):
        verification(vectors, np.zeros(4, dtype=int))
    with pytest.raises(DataError, match="no pair among 4 images is of one class; verification takes classes of two"):
        verification(vectors, np.arange(4))
    with pytest.raises(DataError, match="1 of 4 embeddings hold NaN or infinity"):
        verification(np.where(vectors == 1, [1, 1, np.nan, 1], 0.0), np.array([0, 0, 1, 1]))
    with pytest.raises(DataError, match="4 embeddings but labels of shape"):
        verification(vectors, np.array([0, 1]))
    with pytest.raises(DataError, match="the query set is empty"):
        verification(vectors, np.array([0, 0, 1, 1]), np.zeros(4, dtype=bool))
    with pytest.raises(DataError, match="most=0 pairs leaves nothing to count; give 1 or more"):
        verification(vectors, np.array([0, 0, 1, 1]), most=0)
    found = verification(vectors, np.array([0, 0, 1, 1]))
    for threshold in (1.5, float("nan")):
        with pytest.raises(DataError, match=f"a threshold of {threshold} is no cosine; give a number from -1 to 1"):
            found.at(threshold)


def test_identical_images_are_in_the_last_bin_and_zero_vectors_in_the_middle() -> None:
    found = counted(ImagePairs(np.array([[0.3, 0.1], [0.3, 0.1], [0.0, 0.0]]), np.array([0, 0, 1])))
    assert found.genuine[-1] == 1
    assert found.impostors[2000] == 2
    assert found.at(1).accepted_genuine == 0  # as it says


def test_neither_torch_nor_scikit_learn_is_imported() -> None:
    code = "import sys, vptsp.analysis.verification; print(*{name.partition('.')[0] for name in sys.modules})"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"torch", "sklearn", "scipy", "pandas", "matplotlib"} & set(run.stdout.split())
