"""Two runs of the same images: what changed, against plain counting; maps laid on each other, against SciPy."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.spatial import procrustes

from vptsp.analysis.two_runs import LOST, UNSCORED, WON, compare, laid_onto, restlessness, shared_images
from vptsp.errors import DataError
from vptsp.evaluation.metrics import evaluate_retrieval
from vptsp.runs.embeddings import SavedEmbeddings


def embedded(folder: Path, seed: int, ids: list[str], labels: list[str]) -> SavedEmbeddings:
    rng = np.random.default_rng(seed)
    names = sorted(set(labels))
    centres = np.eye(6)[[names.index(name) for name in labels]]
    return SavedEmbeddings.write(folder, centres + rng.normal(0, 0.6, (len(ids), 6)), labels, ids=ids)


def test_what_both_have_is_compared_and_the_rest_counted() -> None:
    found = shared_images(["a", "b", "c", "d", "e", "x"], ["e", "d", "y", "c", "b", "a", "z"])
    assert found.first.tolist() == [0, 1, 2, 3, 4]
    assert found.second.tolist() == [5, 4, 3, 1, 0]
    assert found.note == "5 images in both are shown; 1 only in the first, 2 only in the second"
    assert shared_images(list("abcd"), list("dcba")).note == ""
    with pytest.raises(DataError, match="the two have 1 of 2 and 3 images in common; choose runs on the same data"):
        shared_images(["a", "b"], ["b", "c", "d"])


def test_changes_are_those_of_two_evaluations(tmp_path: Path) -> None:
    ids, labels = [f"image {row:02d}" for row in range(40)], [f"class {row % 5}" for row in range(39)] + ["alone"]
    first, second = (embedded(tmp_path / str(seed), seed, ids, labels) for seed in (1, 2))
    first.is_query = second.is_query = np.arange(40) != 3
    first.is_gallery = second.is_gallery = np.ones(40, dtype=bool)
    found = compare(first, second, neighbours=5)
    hits = []
    for one in (first, second):
        report = evaluate_retrieval(one.embeddings, one.labels, one.is_query, one.is_gallery, (1,), clustering=False)
        hits.append(dict(zip(report.per_query["query_positions"], report.per_query["recall_at_1"], strict=True)))
    expected = [(row in hits[0]) and (hits[0][row], hits[1][row]) for row in range(40)]
    assert [row for row in range(40) if found.change[row] == LOST] == [
        row for row in range(40) if expected[row] == (True, False)
    ]
    assert [row for row in range(40) if found.change[row] == WON] == [
        row for row in range(40) if expected[row] == (False, True)
    ]
    assert found.counts()[LOST] > 0
    assert [row for row in range(40) if found.change[row] == UNSCORED] == [3, 39]
    assert sum(found.counts().values()) == 40
    for row in range(40):
        one, other = (set(found.neighbours[run][row].tolist()) for run in (0, 1))
        assert found.kept[row] == pytest.approx(len(one & other) / 5)
        named = [first.names[place] == first.names[row] for place in found.neighbours[0][row]]
        assert found.right[0][row].tolist() == named
    same = compare(first, first)
    assert same.kept.tolist() == [1] * 40
    assert {LOST, WON}.isdisjoint(same.counts())
    with pytest.raises(DataError, match="of other images, or in another order"):
        compare(first, second.only(np.arange(39)))


def test_some_of_the_images_are_a_set_of_their_own(tmp_path: Path) -> None:
    saved = embedded(tmp_path / "all", 0, list("abcdef"), ["x", "y"] * 3)
    saved.is_query = np.arange(6) < 3
    part = saved.only(np.array([4, 1]))
    assert (part.ids, part.names, len(part)) == (["e", "b"], ["x", "y"], 2)
    assert part.is_query is not None
    assert part.is_query.tolist() == [False, True]
    assert part.is_gallery is None
    assert part.embeddings.tolist() == saved.embeddings[[4, 1]].tolist()
    assert len(saved) == 6


def test_maps_are_laid_on_each_other_as_near_as_can_be() -> None:
    rng = np.random.default_rng(0)
    onto = rng.normal(size=(50, 2)) * 3 + 5
    turn = np.array([[0, 1], [1, 0]])  # a mirror
    assert laid_onto((onto - 2) @ turn * 0.1, onto) == pytest.approx(onto)
    points = rng.normal(size=(50, 2)) + onto @ np.array([[0.6, -0.8], [0.8, 0.6]])
    spread = ((onto - onto.mean(0)) ** 2).sum()
    left = ((laid_onto(points, onto) - onto) ** 2).sum() / spread
    assert left == pytest.approx(procrustes(onto, points)[2])
    assert laid_onto(np.zeros((4, 2)), onto[:4]) == pytest.approx(np.tile(onto[:4].mean(0), (4, 1)))


def test_a_method_without_chance_is_still() -> None:
    noise, points = restlessness(np.random.default_rng(0).normal(size=(20, 4)), "pca", 0)
    assert noise == 0
    assert points.shape == (20, 2)
