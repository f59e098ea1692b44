"""The image of a class that is nearest to its mean."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics.pairwise import cosine_similarity

from vptsp.analysis.representatives import representatives
from vptsp.errors import DataError


def test_the_middle_one_of_three_whatever_its_length() -> None:
    angles = np.radians([10, 30, 55, 200])
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1) * [[9], [1], [1], [1]]
    assert representatives(vectors, np.array([0, 0, 0, 2]), 4).tolist() == [1, -1, 3, -1]
    assert representatives(np.empty((0, 2)), np.empty(0, dtype=np.int64), 2).tolist() == [-1, -1]


@given(st.integers(0, 2**32 - 1), st.integers(1, 30))
def test_no_image_of_a_class_is_nearer_to_its_mean(seed: int, images: int) -> None:
    rng = np.random.default_rng(seed)
    vectors, labels = rng.standard_normal((images, 3)), rng.integers(0, 4, images)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    for label, row in enumerate(representatives(vectors, labels, 4)):
        own = np.flatnonzero(labels == label)
        assert (row in own) if len(own) else row == -1
        if len(own):
            cosines = cosine_similarity(unit[own], unit[own].mean(axis=0, keepdims=True))
            assert cosines[own.tolist().index(row)] == pytest.approx(cosines.max(), abs=1e-5)


def test_a_label_for_each_image() -> None:
    with pytest.raises(DataError, match="3 embeddings but 2 labels; give one label per image"):
        representatives(np.eye(3), np.array([0, 1]), 2)
