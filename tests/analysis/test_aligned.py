from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from vptsp.analysis import aligned
from vptsp.analysis.aligned import align, frame
from vptsp.analysis.projection import project
from vptsp.errors import DataError


def growing(epochs: int = 3, per_cluster: int = 8) -> tuple[list[np.ndarray], np.ndarray]:
    """Three clusters that leave their common centre epoch by epoch."""
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(3), per_cluster)
    noise = 0.1 * rng.standard_normal((len(labels), 6))
    return [np.ones(6) + noise + 3 * epoch * np.eye(3, 6)[labels] for epoch in range(epochs)], labels


def spread(points: np.ndarray, labels: np.ndarray) -> float:
    centres = np.stack([points[labels == label].mean(axis=0) for label in range(3)])
    return float(np.linalg.norm(centres - centres.mean(axis=0), axis=1).mean())


def test_the_frame_is_that_of_the_last_epoch_for_all() -> None:
    epochs, labels = growing()
    points = frame(epochs)
    assert [plane.shape for plane in points] == [(24, 2)] * 3
    np.testing.assert_array_equal(points[-1], project(epochs[-1], "pca"))
    assert spread(points[0], labels) < spread(points[1], labels) < spread(points[2], labels)
    np.testing.assert_array_equal(frame([epochs[-1]] * 2)[0], frame([epochs[-1]] * 2)[1])
    np.testing.assert_array_equal(frame(epochs[-1:])[0], points[-1])


@pytest.mark.slow  # umap compiles its loops for half a minute
def test_aligned_maps_keep_clusters_and_are_the_same_again() -> None:
    epochs, labels = growing(3, per_cluster=12)
    points, again = align(epochs[1:], n_neighbors=5), align(epochs[1:], n_neighbors=5)
    for first, second in zip(points, again, strict=True):
        assert first.shape == (36, 2)
        assert first.dtype == np.float32
        np.testing.assert_array_equal(first, second)
        distances = np.linalg.norm(first[:, None] - first[None], axis=2) + np.diag(np.full(36, np.inf))
        assert (labels[distances.argmin(axis=1)] == labels).mean() > 0.9


def test_cache_is_by_content_and_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = []

    def map_once(rows: list[np.ndarray], *settings: float) -> list[np.ndarray]:
        made.append(settings)
        return [vectors[:, :2] + len(made) for vectors in rows]

    monkeypatch.setattr(aligned, "_aligned_umap", map_once)
    epochs, _ = growing()
    first, second = align(epochs, cache=tmp_path), align(epochs, cache=tmp_path)
    np.testing.assert_array_equal(first, second)
    assert len(made) == 1
    align(epochs, seed=1, cache=tmp_path)
    align([vectors + 0.1 for vectors in epochs], cache=tmp_path)
    align(epochs[::-1], cache=tmp_path)
    assert len(made) == 4
    assert len(list(tmp_path.iterdir())) == 4


def test_few_vectors_and_single_epochs_are_placed_by_the_frame() -> None:
    epochs, _ = growing()
    np.testing.assert_array_equal(align([epochs[0]])[0], frame([epochs[0]])[0])
    few = [vectors[:4] for vectors in epochs]
    np.testing.assert_array_equal(align(few), frame(few))


def test_what_cannot_be_aligned_is_refused() -> None:
    with pytest.raises(DataError, match="no epochs to align"):
        align([])
    with pytest.raises(DataError, match=r"array 0 has shape \(3, 2\), the last \(4, 2\)"):
        frame([np.ones((3, 2)), np.ones((4, 2))])
    with pytest.raises(DataError, match="1 of 4"):
        frame([np.ones((4, 2)), np.array([[1.0, 1], [np.inf, 1], [1, 1], [1, 1]])])
