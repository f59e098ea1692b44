"""Trustworthiness and continuity of single images; their means against scikit-learn's."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.manifold import trustworthiness

from vptsp.analysis import distortion as module
from vptsp.analysis.distortion import distortion
from vptsp.errors import DataError
from vptsp.evaluation.ranking import unit_rows


@settings(max_examples=20)
@given(st.integers(0, 20), st.integers(1, 12), st.integers(30, 60))
def test_means_are_scikit_learns(seed: int, k: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(count, 6))
    points = vectors[:, :2] + rng.normal(0, 0.5, (count, 2))
    found = distortion(vectors, points, k)
    unit = unit_rows(vectors).astype(np.float64)  # of unit vectors, distance and cosine have one order
    assert found.trustworthiness.mean() == pytest.approx(trustworthiness(unit, points, n_neighbors=k), abs=1e-6)
    assert found.continuity.mean() == pytest.approx(trustworthiness(points, unit, n_neighbors=k), abs=1e-6)


def test_single_images_against_their_definition() -> None:
    rng = np.random.default_rng(0)
    vectors, points, k = rng.normal(size=(25, 4)), rng.normal(size=(25, 2)), 5
    unit = unit_rows(vectors).astype(np.float64)
    far, away = 1 - unit @ unit.T, np.linalg.norm(points[:, None] - points[None], axis=2)
    found = distortion(vectors, points, k, np.array([3, 17]))
    for place, row in enumerate((3, 17)):
        others = [other for other in range(25) if other != row]
        truth = sorted(others, key=lambda other: far[row, other])
        flat = sorted(others, key=lambda other: away[row, other])
        scale = 2 / (k * (2 * 25 - 3 * k - 1))
        strange = sum(truth.index(other) + 1 - k for other in flat[:k] if other not in truth[:k])
        missed = sum(flat.index(other) + 1 - k for other in truth[:k] if other not in flat[:k])
        assert found.trustworthiness[place] == pytest.approx(1 - scale * strange, abs=1e-6)
        assert found.continuity[place] == pytest.approx(1 - scale * missed, abs=1e-6)
        assert found.kept[place] == pytest.approx(len(set(truth[:k]) & set(flat[:k])) / k)


def test_a_true_map_has_nothing_wrong_with_it() -> None:
    turn = np.sort(np.random.default_rng(1).random(30)) * np.pi / 3
    circle = np.stack([np.cos(turn), np.sin(turn)], axis=1)
    found = distortion(circle, circle * 7 - 2)
    assert found.trustworthiness.tolist() == found.continuity.tolist() == found.kept.tolist() == [1] * 30


def test_blocks_do_not_matter_and_few_images_have_few_neighbours(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(2)
    vectors, points = rng.normal(size=(20, 4)), rng.normal(size=(20, 2))
    whole = distortion(vectors, points)
    monkeypatch.setattr(module, "_CELLS_AT_ONCE", 45)
    assert distortion(vectors, points).trustworthiness.tolist() == whole.trustworthiness.tolist()
    few = distortion(vectors[:4], points[:4])
    assert few.neighbours == 1
    assert (few.trustworthiness >= 0).all()


def test_what_has_no_neighbourhoods_is_refused() -> None:
    with pytest.raises(DataError, match="3 images have no neighbourhoods"):
        distortion(np.eye(3), np.eye(3)[:, :2])
    with pytest.raises(DataError, match="5 vectors but 4 places, or some hold NaN"):
        distortion(np.eye(5), np.eye(4)[:, :2])
