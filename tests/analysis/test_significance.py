from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vptsp.analysis.significance import QueryScores, holm, paired_bootstrap, query_scores
from vptsp.errors import DataError
from vptsp.runs.run import Run


def scores_of(values: np.ndarray, per_class: int = 4) -> QueryScores:
    names = tuple(f"class {row // per_class}" for row in range(len(values)))
    return QueryScores(tuple(str(row) for row in range(len(values))), names, values.astype(np.float64))


def shuffled(scores: QueryScores, seed: int = 0) -> QueryScores:
    order = np.random.default_rng(seed).permutation(len(scores.ids))
    return QueryScores(
        tuple(scores.ids[i] for i in order), tuple(scores.classes[i] for i in order), scores.values[order]
    )


def test_identical_methods_differ_by_nothing() -> None:
    scores = scores_of(np.random.default_rng(0).random(40))
    result = paired_bootstrap([scores], [scores], resamples=500)
    assert (result.mean, result.low, result.high) == (0, 0, 0)
    assert result.share_not_above == result.p_value == 1


def test_a_constant_difference_has_an_interval_of_no_width() -> None:
    values = np.random.default_rng(0).random(40)
    result = paired_bootstrap([scores_of(values + 0.25)], [scores_of(values)], resamples=499)
    assert np.allclose((result.mean, result.low, result.high), 0.25)
    assert result.share_not_above == 0
    assert result.p_value == pytest.approx(2 / 500)


def test_is_paired_by_image_whatever_the_order() -> None:
    rng = np.random.default_rng(1)
    ours, theirs = scores_of(rng.random(40)), scores_of(rng.random(40))
    direct = paired_bootstrap([ours], [theirs], resamples=300, seed=3)
    assert paired_bootstrap([ours], [shuffled(theirs)], resamples=300, seed=3) == direct
    assert paired_bootstrap([ours], [theirs], resamples=300, seed=4) != direct
    back = paired_bootstrap([theirs], [ours], resamples=300, seed=3)
    assert np.allclose((back.mean, back.low, back.high), (-direct.mean, -direct.high, -direct.low))


def test_seeds_are_averaged() -> None:
    zero = scores_of(np.zeros(16))
    result = paired_bootstrap([scores_of(np.ones(16)), zero, zero, zero], [zero] * 4, resamples=50)
    assert (result.mean, result.low, result.high) == (0.25, 0.25, 0.25)


def test_classes_are_resampled_whole() -> None:
    # 10 classes whose 100 images each agree: 10 independent observations, whatever the number of images
    differences = np.random.default_rng(2).normal(size=10)
    few, many = (
        paired_bootstrap([scores_of(np.repeat(differences, n), n)], [scores_of(np.zeros(10 * n), n)], 4000)
        for n in (1, 100)
    )
    assert np.allclose((few.low, few.high), (many.low, many.high))
    assert (few.high - few.low) / 4 == pytest.approx(differences.std() / np.sqrt(10), rel=0.1)


def test_interval_covers_the_true_difference_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    truth, covered, trials, classes, images = 0.1, 0, 800, 40, 5
    for trial in range(trials):
        of_class = np.repeat(rng.normal(0, 0.3, classes), images)
        values = truth + of_class + rng.normal(0, 0.2, classes * images)
        result = paired_bootstrap([scores_of(values, images)], [scores_of(np.zeros_like(values), images)], 400, trial)
        covered += result.low <= truth <= result.high
    assert 0.905 <= covered / trials <= 0.965  # 93.5 % for 40 classes, give or take three standard errors


def test_null_differences_are_rarely_called_clear() -> None:
    rng = np.random.default_rng(7)
    false = 0
    for trial in range(300):
        values = np.repeat(rng.normal(0, 0.3, 40), 5)
        false += paired_bootstrap([scores_of(values, 5)], [scores_of(np.zeros(200), 5)], 400, trial).p_value < 0.05
    assert false / 300 < 0.10


@pytest.mark.parametrize(
    ("ours", "theirs", "message"),
    [
        (("a", "b"), ("a", "c"), "different images .* b, c"),
        (("a", "b"), ("a",), "2 and 1, 1 of them in one only: b"),
        (("a", "b"), ("a", "b", "b"), "2 and 3, 0 of them"),
    ],
)
def test_scores_of_other_images_are_refused(ours: tuple[str, ...], theirs: tuple[str, ...], message: str) -> None:
    first, second = (QueryScores(ids, tuple(f"of {i}" for i in ids), np.zeros(len(ids))) for ids in (ours, theirs))
    with pytest.raises(DataError, match=message):
        paired_bootstrap([first], [second])


def test_seeds_that_do_not_pair_and_a_single_class_are_refused() -> None:
    scores = scores_of(np.zeros(8))
    with pytest.raises(DataError, match="2 seeds cannot be paired with 1"):
        paired_bootstrap([scores, scores], [scores])
    lone = scores_of(np.zeros(4))
    with pytest.raises(DataError, match="the scores have 1"):
        paired_bootstrap([lone], [lone])


# --- correction -------------------------------------------------------------------------------------
def test_holm_of_a_known_case() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_is_between_the_plain_p_value_and_bonferroni_and_keeps_the_order(p_values: list[float]) -> None:
    adjusted = np.array(holm(p_values))
    plain = np.array(p_values)
    assert (adjusted >= plain).all()
    assert (adjusted <= np.minimum(1, plain * len(plain)) + 1e-12).all()
    assert (np.diff(adjusted[np.argsort(plain, kind="stable")]) >= 0).all()


# --- runs -------------------------------------------------------------------------------------------
def test_scores_of_a_run_average_to_its_summary(tiny_run: Run) -> None:
    summary = tiny_run.summary()
    test = summary["test"][summary["selected"]]
    for measure in ("recall_at_1", "map_at_r"):
        scores = query_scores(tiny_run, measure)  # type: ignore[arg-type]
        assert scores.values.mean() == pytest.approx(test[measure])
        assert len(scores.ids) == len(scores.classes) == test["num_queries"]
        assert all(name in image for image, name in zip(scores.ids, scores.classes, strict=True))
