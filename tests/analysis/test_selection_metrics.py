"""What a selection is worth, against an evaluation in which only it is asked; intervals against plain resampling."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vptsp.analysis.resampling import FEWEST_CLASSES, difference_intervals, mean_intervals
from vptsp.analysis.selection_metrics import Images, measure_queries, measure_selection, merged, without
from vptsp.errors import DataError
from vptsp.evaluation.metrics import evaluate_retrieval

KS = (1, 2, 4)


def made_up(seed: int, count: int = 60, classes: int = 6, roles: bool = False) -> Images:
    """Noisy classes, so that metrics lie between 0 and 1; ``roles``: a third are queries, some of them gallery, too."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, count)
    vectors = (np.eye(8)[labels] + rng.normal(0, 0.7, (count, 8))).astype(np.float32)
    if not roles:
        return Images(vectors, labels)
    is_query = np.arange(count) % 3 == 0
    return Images(vectors, labels, is_query, ~is_query | (np.arange(count) % 2 == 0))


def evaluated(images: Images, asked: np.ndarray | None = None, labels: np.ndarray | None = None) -> dict[str, float]:
    """By the workbench's own evaluation, of the queries ``asked``."""
    queries = np.ones(len(images.labels), dtype=bool) if images.is_query is None else images.is_query
    report = evaluate_retrieval(
        images.embeddings,
        images.labels if labels is None else labels,
        queries if asked is None else queries & asked,
        images.is_gallery,
        recall_ks=KS,
        clustering=False,
    )
    return {name: report.metrics[name] for name in (*(f"recall_at_{k}" for k in KS), "map_at_r", "r_precision")}


@settings(max_examples=15)
@given(st.integers(0, 30), st.booleans())
def test_a_selection_scores_as_an_evaluation_of_its_queries_does(seed: int, roles: bool) -> None:
    images = made_up(seed, roles=roles)
    chosen = np.random.default_rng(seed).random(60) < 0.4
    measures = measure_queries(images, KS)
    assert measures.means() == evaluated(images)
    report = measure_selection(measures, np.flatnonzero(chosen), resamples=50)
    assert {name: one.value for name, one in report.here.items()} == pytest.approx(evaluated(images, chosen), abs=1e-12)
    assert report.rest == pytest.approx(evaluated(images, ~chosen), abs=1e-12)
    assert report.difference is not None
    for name, one in report.difference.items():
        assert one.value == pytest.approx(report.here[name].value - report.rest[name], abs=1e-12)
        assert one.low <= one.value + 1e-9
        assert one.value <= one.high + 1e-9
    assert report.scored + report.lone + report.not_queries == report.images == chosen.sum()
    assert report.scored + report.rest_scored == len(measures.rows)


def test_all_queries_have_no_rest_and_lone_ones_are_counted() -> None:
    labels = np.array([0, 0, 1, 2, 2, 2])
    images = Images(np.eye(6, dtype=np.float32) + 0.1, labels, labels < 2, None)
    report = measure_selection(measure_queries(images), np.arange(6), resamples=20)
    assert (report.rest, report.difference) == (None, None)
    assert (report.scored, report.lone, report.not_queries, report.rest_scored) == (2, 1, 3, 0)
    with pytest.raises(DataError, match=r"none of the 2 images selected .*\(1 are no queries, 1 have no other image"):
        measure_selection(measure_queries(images), np.array([2, 4]))


@settings(max_examples=15)
@given(st.integers(0, 20), st.booleans())
def test_without_images_is_an_evaluation_of_the_others(seed: int, roles: bool) -> None:
    images = made_up(seed, roles=roles)
    gone = np.random.default_rng(seed + 1).random(60) < 0.3
    found = without(images, measure_queries(images, KS), np.flatnonzero(gone), KS, resamples=20)
    left = Images(
        images.embeddings[~gone],
        images.labels[~gone],
        None if images.is_query is None else images.is_query[~gone],
        None if images.is_gallery is None else images.is_gallery[~gone],
    )
    assert found.before == evaluated(images)
    assert found.after == pytest.approx(evaluated(left), abs=1e-12)
    assert found.shared <= min(found.scored_before, found.scored_after)


def test_the_change_is_that_of_queries_scored_both_times() -> None:
    """Three images on a line of directions: 0 finds 2, which is wrong, until 2 is gone."""
    turn = np.radians([0, 30, 10, 100, 101])
    vectors = np.stack([np.cos(turn), np.sin(turn)], axis=1).astype(np.float32)
    images = Images(vectors, np.array([0, 0, 1, 1, 1]))
    found = without(images, measure_queries(images), np.array([2]), resamples=20)
    assert found.before["recall_at_1"] == 2 / 5  # of both at 100 and 101 degrees
    assert found.after["recall_at_1"] == 1
    assert found.shared == 4
    assert found.change["recall_at_1"].value == 1 - 2 / 4


@settings(max_examples=15)
@given(st.integers(0, 20), st.booleans())
def test_merged_classes_are_an_evaluation_of_one_class(seed: int, roles: bool) -> None:
    images = made_up(seed, roles=roles)
    found = merged(images, measure_queries(images, KS), (4, 1, 4), KS, resamples=20)
    labels = np.where(images.labels == 4, 1, images.labels)
    assert found.after == pytest.approx(evaluated(images, labels=labels), abs=1e-12)


def test_what_leaves_nothing_is_refused() -> None:
    images = made_up(0)
    measures = measure_queries(images)
    with pytest.raises(DataError, match="without the 60 images selected there is no query left; select fewer"):
        without(images, measures, np.arange(60))
    with pytest.raises(DataError, match="1 class cannot be merged; select images of two or more"):
        merged(images, measures, (2, 2))
    with pytest.raises(DataError, match=r"recall_ks is \(0,\)"):
        measure_queries(images, (0,))


# --- intervals ----------------------------------------------------------------------------------------
def test_intervals_over_classes_are_those_of_resampled_classes() -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 20, 400)
    values = (rng.random(400) < 0.3 + 0.4 * (labels % 2))[None].astype(float)
    here = labels < 12
    (mean,) = mean_intervals(values, labels, 4000, 0)
    (apart,) = difference_intervals(values, labels, here, 4000, 0)
    means, differences = [], []
    for _ in range(4000):
        rows = np.concatenate([np.flatnonzero(labels == drawn) for drawn in rng.integers(0, 20, 20)])
        means.append(values[0, rows].mean())
        differences.append(values[0, rows[here[rows]]].mean() - values[0, rows[~here[rows]]].mean())
    assert [mean.low, mean.high] == pytest.approx(np.quantile(means, (0.025, 0.975)), abs=0.01)
    assert [apart.low, apart.high] == pytest.approx(np.quantile(differences, (0.025, 0.975)), abs=0.02)


@pytest.mark.parametrize("count", [300, 6000])
def test_intervals_of_few_classes_are_over_queries(count: int) -> None:
    """As wide as the normal law says, for few queries and for many, which are drawn in another way."""
    rng = np.random.default_rng(1)
    labels = np.arange(count) % (FEWEST_CLASSES - 1)
    values = (rng.random(count) < 0.3)[None].astype(float)
    (mean,) = mean_intervals(values, labels, 4000, 0)
    error = 1.96 * values.std() / count**0.5
    assert [mean.low, mean.high] == pytest.approx([mean.value - error, mean.value + error], rel=0.03)
    here = np.arange(count) < count // 4
    (apart,) = difference_intervals(values, labels, here, 4000, 0)
    error = 1.96 * (values[:, here].var() / here.sum() + values[:, ~here].var() / (~here).sum()) ** 0.5
    assert apart.high - apart.low == pytest.approx(2 * error, rel=0.06)
