"""Cells of inverted lists against brute force in fp64, and against what k-means cannot make worse."""

from __future__ import annotations

import numpy as np
import pytest
from small_indexes import clustered

from vptsp.evaluation.index.engines import cells
from vptsp.evaluation.index.engines.cells import learned_cells, nearest_cells
from vptsp.evaluation.ranking import unit_rows


def test_every_vector_gets_the_cell_of_the_nearest_centre(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cells, "_CELLS_AT_ONCE", 70)  # ten vectors at a time
    vectors, centres = unit_rows(clustered(95)), unit_rows(clustered(7, seed=1))
    cell, cosine = nearest_cells(vectors, centres)
    true = vectors.astype(np.float64) @ centres.T
    np.testing.assert_array_equal(cell, true.argmax(axis=1))
    np.testing.assert_allclose(cosine, true.max(axis=1), atol=1e-6)


def test_learned_centres_are_unit_seeded_and_nearer_than_drawn_ones() -> None:
    vectors = unit_rows(clustered(800))
    centres = learned_cells(vectors, 20, 3)
    np.testing.assert_allclose(np.linalg.norm(centres, axis=1), 1, atol=1e-5)
    np.testing.assert_array_equal(centres, learned_cells(vectors, 20, 3))
    drawn = vectors[np.random.default_rng(3).choice(800, 20, replace=False)]
    cell, near = nearest_cells(vectors, centres)
    assert near.mean() > nearest_cells(vectors, drawn)[1].mean() + 0.02
    assert len(np.unique(cell)) == 20


def test_a_cell_that_nobody_is_in_begins_anew() -> None:
    vectors = np.repeat(np.eye(4, dtype=np.float32), [30, 1, 1, 1], axis=0)
    centres = learned_cells(vectors, 4, 0)  # of four drawn rows, most are alike
    assert sorted(centres.argmax(axis=1)) == [0, 1, 2, 3]
    np.testing.assert_array_equal(centres.max(axis=1), 1)
