"""Metrics against pytorch-metric-learning, against loops, and against what they must not depend on."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pytorch_metric_learning.utils.accuracy_calculator import AccuracyCalculator

from vptsp.errors import DataError
from vptsp.evaluation.clustering import kmeans
from vptsp.evaluation.metrics import (
    average_precision_at_r,
    evaluate_retrieval,
    hit_at_k,
    map_at_r,
    map_at_r_published,
    r_precision,
    recall_at_k,
)
from vptsp.evaluation.ranking import RetrievalResults, search, unit_rows


def random_problem(seed: int, images: int = 300, classes: int = 25, width: int = 8):
    """Embeddings that half follow their classes, labels of uneven class sizes, some of them singletons."""
    rng = np.random.default_rng(seed)
    labels = (classes * rng.random(images) ** 2).astype(np.int64)
    labels[:3] = classes + np.arange(3)
    centres = rng.standard_normal((classes + 3, width))
    return centres[labels] + rng.standard_normal((images, width)), labels, rng


@pytest.mark.parametrize("protocol", ["self", "query/gallery"])
@pytest.mark.parametrize("seed", range(3))
def test_equal_to_pytorch_metric_learning(protocol, seed):
    embeddings, labels, rng = random_problem(seed)
    is_query = rng.random(len(labels)) < 0.4 if protocol == "query/gallery" else None
    is_gallery = None if is_query is None else ~is_query
    report = evaluate_retrieval(embeddings, labels, is_query, is_gallery, recall_ks=(1,))

    def same_clusters(points, clusters, *_):
        return torch.from_numpy(kmeans(points.numpy(), clusters, seed=0))

    calculator = AccuracyCalculator(
        include=("precision_at_1", "mean_average_precision_at_r", "r_precision", "NMI"),
        k="max_bin_count",
        device=torch.device("cpu"),
        kmeans_func=same_clusters,
    )
    unit, classes = torch.from_numpy(unit_rows(embeddings)), torch.from_numpy(labels)
    if is_query is None:
        expected = calculator.get_accuracy(unit, classes)
    else:
        expected = calculator.get_accuracy(
            unit[is_query], classes[is_query], unit[is_gallery], classes[is_gallery], ref_includes_query=False
        )
    assert report.metrics["recall_at_1"] == pytest.approx(expected["precision_at_1"], abs=1e-9)
    assert report.metrics["map_at_r"] == pytest.approx(expected["mean_average_precision_at_r"], abs=1e-9)
    assert report.metrics["r_precision"] == pytest.approx(expected["r_precision"], abs=1e-9)
    assert report.metrics["nmi"] == pytest.approx(expected["NMI"], abs=1e-9)


@st.composite
def results(draw) -> RetrievalResults:
    """Rankings that a search can produce: one query per row, gallery of other rows, random classes."""
    images, classes = draw(st.integers(2, 25)), draw(st.integers(1, 5))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    labels = rng.integers(0, classes, images)
    labels[1] = labels[0]  # something to find
    return search(rng.standard_normal((images, 3)), labels, at_least=8)


@settings(max_examples=100, deadline=None)
@given(results=results())
def test_definitions_rank_by_rank(results):
    expected: dict[str, list[float]] = {"hit": [], "rp": [], "ap": [], "published": []}
    for match, relevant in zip(results.matches.tolist(), results.relevant.tolist(), strict=True):
        if relevant == 0:
            continue
        precision = [sum(match[: i + 1]) / (i + 1) for i in range(len(match))]
        ap = sum(precision[i] for i in range(relevant) if match[i]) / relevant
        expected["hit"].append(any(match[:4]))
        expected["rp"].append(sum(match[:relevant]) / relevant)
        expected["ap"].append(ap)
        # the identity between both definitions: the published one adds rank R + 1 and divides by R + 1
        last = match[relevant] * precision[relevant]
        expected["published"].append((relevant * ap + last) / (relevant + 1))
    np.testing.assert_array_equal(hit_at_k(results, 4), expected["hit"])
    np.testing.assert_allclose(average_precision_at_r(results), expected["ap"], rtol=1e-12)
    assert recall_at_k(results, 4) == pytest.approx(np.mean(expected["hit"]))
    assert r_precision(results) == pytest.approx(np.mean(expected["rp"]))
    assert map_at_r(results) == pytest.approx(np.mean(expected["ap"]))
    assert map_at_r_published(results) == pytest.approx(np.mean(expected["published"]))


def published_code(match: list[bool], class_size: int) -> float:
    """The published function on one query: R is the class size with the query, the query's column is gone."""
    ranks = np.arange(1, class_size + 1)
    relevance = np.array(match[:class_size], dtype=float)
    return float((np.cumsum(relevance) / ranks * relevance).sum() / class_size)


def test_published_map_at_r_is_that_of_the_published_code():
    embeddings, labels, _ = random_problem(4)
    results = search(embeddings, labels)
    rows = zip(results.matches.tolist(), results.relevant.tolist(), strict=True)
    expected = [published_code(match, relevant + 1) for match, relevant in rows if relevant]
    assert map_at_r_published(results) == pytest.approx(np.mean(expected), abs=1e-12)


@pytest.mark.parametrize("size", [2, 5, 60])
def test_a_perfect_embedding_scores_one_and_less_by_the_published_definition(size):
    labels = np.arange(4 * size) % 4
    report = evaluate_retrieval(np.eye(4)[labels], labels)
    for name in ("recall_at_1", "recall_at_8", "map_at_r", "r_precision"):
        assert report.metrics[name] == 1
    assert report.metrics["map_at_r_published"] == pytest.approx((size - 1) / size)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_metrics_do_not_depend_on_the_order_of_images_or_on_the_names_of_classes(seed):
    embeddings, labels, rng = random_problem(seed, images=80, classes=9)
    order = rng.permutation(80)
    names = rng.permutation(2**24 + np.arange(12))  # fp32 cannot tell such labels apart
    similarities = np.sort(search(embeddings, labels, k=79).similarities, axis=1)
    assume((np.diff(similarities, axis=1) > 0).all())  # ties are ranked by position, which a new order changes
    plain = evaluate_retrieval(embeddings, labels, clustering=False)
    other = evaluate_retrieval(embeddings[order], names[labels][order], clustering=False)
    assert other.metrics == pytest.approx(plain.metrics, abs=1e-12)


def test_lone_queries_are_left_out_and_counted():
    embeddings, labels, _ = random_problem(5)
    alone = np.isin(labels, np.flatnonzero(np.bincount(labels) == 1))
    report = evaluate_retrieval(embeddings, labels, clustering=False)
    assert report.num_queries == report.num_gallery == len(labels)
    assert report.num_lone_queries == alone.sum() >= 3
    np.testing.assert_array_equal(report.per_query["query_positions"], np.flatnonzero(~alone))
    # they stay in the gallery: as queries they are no loss, as neighbours they are
    as_queries_only_others = evaluate_retrieval(embeddings, labels, is_query=~alone, clustering=False)
    assert as_queries_only_others.metrics == report.metrics
    assert as_queries_only_others.num_lone_queries == 0


def test_per_query_values_average_to_the_metrics():
    embeddings, labels, _ = random_problem(6)
    report = evaluate_retrieval(embeddings, labels, clustering=False)
    assert report.per_query["recall_at_1"].mean() == report.metrics["recall_at_1"]
    assert report.per_query["average_precision_at_r"].mean() == report.metrics["map_at_r"]
    assert 0 < report.metrics["map_at_r"] < report.metrics["r_precision"] < 1


def test_blocks_do_not_change_the_values(monkeypatch):
    embeddings, labels, _ = random_problem(7)
    results = search(embeddings, labels)
    whole = average_precision_at_r(results)
    monkeypatch.setattr("vptsp.evaluation.metrics._CELLS_AT_ONCE", 1000)
    np.testing.assert_array_equal(average_precision_at_r(results), whole)


def test_too_few_neighbours_or_nothing_to_find_are_refused():
    embeddings, labels, _ = random_problem(8)
    short = search(embeddings, labels, k=3)
    with pytest.raises(ValueError, match="the results hold 3"):
        map_at_r(short)
    with pytest.raises(ValueError, match="recall at 4 takes 4"):
        recall_at_k(short, 4)
    exact = search(embeddings, labels, k=int(short.relevant.max()))
    assert map_at_r(exact) > 0
    with pytest.raises(ValueError, match=r"R \+ 1 ranks"):
        map_at_r_published(exact)
    with pytest.raises(DataError, match="none of 5 queries"):
        evaluate_retrieval(np.eye(5), np.arange(5))
    with pytest.raises(DataError, match="recall_ks"):
        evaluate_retrieval(embeddings, labels, recall_ks=())
