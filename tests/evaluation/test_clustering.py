"""Clustering metrics against scikit-learn and loops over pairs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import normalized_mutual_info_score
from sklearn.metrics.cluster import pair_confusion_matrix

from vptsp.evaluation.clustering import kmeans, nmi, pairwise_f1

partitions = st.integers(2, 20).flatmap(lambda n: st.tuples(*[st.lists(st.integers(0, 4), min_size=n, max_size=n)] * 2))


def on_sphere(centres: np.ndarray) -> np.ndarray:
    return (centres / np.linalg.norm(centres, axis=1, keepdims=True)).astype(np.float32)


@given(partitions)
def test_pairwise_f1_counts_pairs(both):
    labels, clusters = map(np.array, both)
    (_, wrong), (missed, right) = pair_confusion_matrix(labels, clusters) // 2
    precision = right / (right + wrong) if right + wrong else None
    recall = right / (right + missed) if right + missed else None
    if precision is None and recall is None:
        expected = 1.0
    elif not precision or not recall:
        expected = 0.0
    else:
        expected = 2 * precision * recall / (precision + recall)
    assert pairwise_f1(labels, clusters) == pytest.approx(expected)
    assert nmi(labels, clusters) == normalized_mutual_info_score(labels, clusters)


def test_a_partition_agrees_with_itself_under_other_names():
    labels = np.array([0, 0, 1, 1, 1, 2]) + 2**40
    renamed = np.array([7, 7, 3, 3, 3, 5])
    assert pairwise_f1(labels, renamed) == 1
    assert nmi(labels, renamed) == pytest.approx(1)


def test_kmeans_is_seeded_uses_every_image_and_prints_nothing(capfd):
    rng = np.random.default_rng(0)
    points = on_sphere(rng.standard_normal((1200, 6)))
    first = kmeans(points, 4, seed=1)
    np.testing.assert_array_equal(first, kmeans(points, 4, seed=1))
    assert (first != kmeans(points, 4, seed=2)).any()
    assert set(first) == set(range(4))
    many = kmeans(points[:300], 290)  # FAISS asks for 39 images a cluster
    assert many.min() >= 0
    assert len(set(many)) > 200
    np.testing.assert_array_equal(kmeans(points[:5], 5), np.arange(5))
    np.testing.assert_array_equal(kmeans(points, 1), np.zeros(1200))
    assert capfd.readouterr() == ("", "")


def test_kmeans_finds_two_tight_groups():
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 2, 200)
    points = on_sphere(np.eye(8)[labels] + 0.05 * rng.standard_normal((200, 8)))
    assert pairwise_f1(labels, kmeans(points, 2)) == 1


@pytest.mark.parametrize("clusters", [0, 6])
def test_impossible_numbers_of_clusters_are_refused(clusters):
    with pytest.raises(ValueError, match="between 1 and 5"):
        kmeans(on_sphere(np.eye(5)), clusters)
