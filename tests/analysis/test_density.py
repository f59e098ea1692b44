"""Density on a map: against scipy's, what its lines enclose, and what must not change it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure
from matplotlib.path import Path
from scipy.stats import gaussian_kde

from vptsp.analysis.density import FEWEST, Density, density, finest_width
from vptsp.errors import DataError


def heaps(count: int, seed: int, heaps: int = 4) -> np.ndarray:
    """Points in a few heaps of different sizes and widths."""
    rng = np.random.default_rng(seed)
    middles, widths = rng.uniform(-5, 5, (heaps, 2)), rng.uniform(0.2, 1, heaps)
    heap = rng.integers(heaps, size=count)
    return middles[heap] + widths[heap, None] * rng.normal(size=(count, 2))


def enclosed(shape: Density, points: np.ndarray) -> list[float]:
    """Which share of the points is inside matplotlib's lines at each level."""
    drawn = Figure().subplots().contour(shape.x, shape.y, shape.values, levels=sorted(shape.levels))
    inside = [Path(path.vertices, path.codes).to_polygons() for path in drawn.get_paths()]
    counts = [sum(Path(loop).contains_points(points).astype(int) for loop in loops) % 2 for loops in inside]
    return [float(np.mean(one)) for one in counts][::-1]


@pytest.mark.parametrize("count", [12, 60, 400])
def test_it_is_scipys_of_the_same_width(count: int) -> None:
    points = heaps(count, seed=count)
    points = (points - points.mean(axis=0)) @ np.linalg.inv(np.linalg.cholesky(np.cov(points.T))).T  # round, as here
    shape = density(points)
    x, y = np.meshgrid(shape.x, shape.y)
    expected = gaussian_kde(points.T, bw_method=shape.width)(np.stack([x.ravel(), y.ravel()])).reshape(x.shape)
    assert np.abs(shape.values - expected).max() < 0.01 * expected.max()
    cell = shape.x[1] - shape.x[0]
    assert shape.values.sum() * cell**2 == pytest.approx(1, abs=1e-3)


@settings(max_examples=12, deadline=None)
@given(st.integers(20, 3000), st.integers(0, 2**16), st.integers(1, 8))
def test_lines_enclose_the_share_that_is_said(count: int, seed: int, number: int) -> None:
    points = heaps(count, seed, number)
    shape = density(points)
    for share, found in zip(shape.shares, enclosed(shape, points), strict=True):
        assert found == pytest.approx(share, abs=1.5 / count + 0.01)
    assert list(shape.levels) == sorted(shape.levels, reverse=True)  # lines at larger shares lie around the others


@settings(max_examples=10, deadline=None)
@given(st.floats(-50, 50), st.floats(-50, 50), st.floats(0.01, 100), st.integers(0, 2**16))
def test_moving_stretching_and_shuffling_the_map_changes_nothing(x: float, y: float, times: float, seed: int) -> None:
    points = heaps(300, seed=3)
    first = density(points)
    order = np.random.default_rng(seed).permutation(len(points))
    moved = density(times * points[order] + np.array([x, y]))
    assert moved.width == pytest.approx(times * first.width, rel=1e-6)
    assert np.allclose(moved.values * times**2, first.values, rtol=1e-3, atol=1e-5 * first.values.max())
    assert np.allclose(np.array(moved.levels) * times**2, first.levels, rtol=1e-3)


def test_heaps_are_told_apart_and_images_twice_as_many_are_twice_as_dense() -> None:
    rng = np.random.default_rng(0)
    points = np.concatenate([rng.normal(0, 0.3, (2000, 2)), rng.normal((5, 0), 0.3, (1000, 2))])
    shape = density(points)
    left, between, right = shape.at(np.array([[0.0, 0], [2.5, 0], [5, 0]]))
    assert left / right == pytest.approx(2, rel=0.1)
    assert between < 1e-3 * right
    scott = np.sqrt(points.var(axis=0, ddof=1).mean()) * len(points) ** (-1 / 6)
    assert shape.width < scott / 2  # which is that of one heap


def test_images_without_a_place_do_not_count() -> None:
    points = heaps(50, seed=1)
    with_gaps = np.concatenate([points, np.full((5, 2), np.nan)])
    assert np.array_equal(density(with_gaps).values, density(points).values)
    assert finest_width(with_gaps) == finest_width(points) == pytest.approx(np.ptp(points, axis=0).max() / 128)


def test_too_few_images_and_all_at_one_place() -> None:
    with pytest.raises(DataError, match="9 images have no density that could be drawn; it takes 10 or more"):
        density(heaps(FEWEST - 1, seed=0))
    one_place = density(np.ones((FEWEST, 2)))
    assert np.isfinite(one_place.values).all()
    assert one_place.at(np.ones((1, 2)))[0] == one_place.values.max()


def test_a_line_of_images_has_a_density() -> None:
    shape = density(np.stack([np.linspace(0, 1, 40), np.zeros(40)], axis=1))
    assert np.isfinite(shape.values).all()
    assert shape.at(np.array([[0.5, 0.0]]))[0] > shape.at(np.array([[0.5, 3 * shape.width]]))[0] > 0
