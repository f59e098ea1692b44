from __future__ import annotations

import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numba
import numpy as np
import pytest
import torch

from vptsp.analysis.compiled_umap import compiled_umap
from vptsp.analysis.projection import project
from vptsp.errors import ConfigError, DataError


def clusters(per_cluster: int = 12, size: int = 8, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(3), per_cluster)
    return np.eye(3, size)[labels] + 0.05 * rng.standard_normal((len(labels), size)), labels


def share_of_own_nearest(points: np.ndarray, labels: np.ndarray) -> float:
    distances = np.linalg.norm(points[:, None] - points[None], axis=2) + np.diag(np.full(len(points), np.inf))
    return float((labels[distances.argmin(axis=1)] == labels).mean())


@pytest.mark.parametrize("method", ["umap", "pca"])
def test_clusters_stay_together_and_lengths_do_not_matter(method: str) -> None:
    vectors, labels = clusters()
    points = project(vectors, method)  # type: ignore[arg-type]
    longer = vectors * np.random.default_rng(1).uniform(0.5, 20, (len(vectors), 1))
    assert points.shape == (36, 2)
    assert share_of_own_nearest(points, labels) == 1
    np.testing.assert_allclose(project(longer, "pca"), project(vectors, "pca"), atol=1e-5)


def test_what_is_compiled_of_umap_is_kept_for_the_next_process() -> None:
    project(clusters()[0], "umap")
    assert compiled_umap().umap_.smooth_knn_dist.stats.cache_path is not None
    assert compiled_umap() is sys.modules["umap"]
    assert numba.njit(lambda x: x).stats.cache_path is None, "only umap's functions are kept"


def test_where_nothing_can_be_kept_umap_is_imported_all_the_same(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def decorator(function: Any = None, **options: Any) -> Any:
        if options.get("cache"):
            raise RuntimeError("cannot cache function: no locator available")
        return function

    (tmp_path / "umap").mkdir()
    (tmp_path / "umap" / "__init__.py").write_text("from umap.part import f\n")
    (tmp_path / "umap" / "part.py").write_text("import numba\n\n@numba.njit\ndef f(x):\n    return x\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(numba, "njit", decorator)
    for name in [name for name in sys.modules if name.partition(".")[0] == "umap"]:
        monkeypatch.delitem(sys.modules, name)
    assert compiled_umap().f(3) == 3
    for name in [name for name in sys.modules if name.partition(".")[0] == "umap"]:
        del sys.modules[name]


@pytest.fixture
def numba_like() -> Iterator[None]:
    """What a parallel function of numba does at its first call, and the number of threads that this process had."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def test_a_map_leaves_the_threads_of_torch_as_they_were(monkeypatch: pytest.MonkeyPatch, numba_like: None) -> None:
    class Numbas:
        def __init__(self, **settings: Any) -> None: ...

        def fit_transform(self, rows: np.ndarray) -> np.ndarray:
            torch.set_num_threads(3)
            return rows[:, :2]

    monkeypatch.setitem(sys.modules, "umap", types.SimpleNamespace(UMAP=Numbas))
    torch.set_num_threads(2)
    project(np.eye(40, 8, dtype=np.float32) + 1, "umap")
    assert torch.get_num_threads() == 2


def test_pca_keeps_the_distances_of_a_plane() -> None:
    rng = np.random.default_rng(0)
    angles = rng.uniform(0, 2 * np.pi, 30)
    basis = np.linalg.qr(rng.standard_normal((6, 2)))[0]
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1) @ basis.T
    points = project(vectors, "pca")
    before = np.linalg.norm(vectors[:, None] - vectors[None], axis=2)
    after = np.linalg.norm(points[:, None] - points[None], axis=2)
    np.testing.assert_allclose(after, before, atol=1e-5)


@pytest.mark.parametrize("count", [1, 2, 3, 9])
@pytest.mark.parametrize("size", [1, 2, 5])
def test_few_vectors_are_projected_too(count: int, size: int) -> None:
    points = project(np.random.default_rng(0).standard_normal((count, size)), "umap")
    assert points.shape == (count, 2)
    assert np.isfinite(points).all()


def test_cache_is_by_content_and_settings(tmp_path: Path) -> None:
    vectors, _ = clusters()
    first = project(vectors, "pca", cache=tmp_path)
    (path,) = tmp_path.iterdir()
    stamp = path.stat().st_mtime_ns
    np.testing.assert_array_equal(project(vectors, "pca", cache=tmp_path), first)
    assert path.stat().st_mtime_ns == stamp
    vectors[0, 0] += 0.5
    project(vectors, "pca", cache=tmp_path)
    assert len(list(tmp_path.iterdir())) == 2


def test_what_cannot_be_projected_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"tsne.*legal: umap, pca"):
        project(np.eye(3), "tsne")  # type: ignore[arg-type]
    with pytest.raises(DataError, match="1 of 3"):
        project(np.array([[1.0, 0], [0, 1], [np.nan, 0]]), "pca")


@pytest.mark.parametrize(
    "given", [{"n_neighbors": 1}, {"n_neighbors": 0}, {"min_dist": -0.1}, {"min_dist": 1.5}, {"seed": -1}]
)
def test_settings_of_umap_are_refused_before_it_starts(given: dict[str, Any]) -> None:
    (name,) = given
    with pytest.raises(ConfigError, match=f"^{name}={given[name]} "):
        project(np.eye(12), "umap", **given)


@pytest.mark.parametrize("method", ["umap", "pca"])
def test_guests_are_placed_among_their_like_and_move_nothing(method: str) -> None:
    vectors, labels = clusters()
    guests = np.eye(3, 8)[[2, 0]]
    alone = project(vectors, method)  # type: ignore[arg-type]
    points = project(vectors, method, guests=guests)  # type: ignore[arg-type]
    np.testing.assert_array_equal(points[: len(vectors)], alone)
    centres = np.stack([alone[labels == label].mean(axis=0) for label in range(3)])
    nearest = np.linalg.norm(points[len(vectors) :, None] - centres[None], axis=2).argmin(axis=1)
    assert nearest.tolist() == [2, 0]
