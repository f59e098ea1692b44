"""Small galleries, and engines that make a segment of few images."""

from __future__ import annotations

import numpy as np
import pytest

from vptsp.evaluation.index.engines.hnsw import Hnsw
from vptsp.evaluation.index.engines.inverted import InvertedFlat, InvertedProducts

SIZE = 16


def names(count: int, first: int = 0) -> list[str]:
    return [f"image {number}" for number in range(first, first + count)]


def clustered(images: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    centres = rng.standard_normal((20, SIZE))
    return (centres[rng.integers(20, size=images)] + 0.5 * rng.standard_normal((images, SIZE))).astype(np.float32)


def few_are_enough(patch: pytest.MonkeyPatch) -> None:
    """A segment of 300 images, and a filtered search that compares with 20 images at most."""
    for engine in (Hnsw, InvertedFlat, InvertedProducts):
        patch.setattr(engine, "least", 300)
    patch.setattr("vptsp.evaluation.index.stored._FEW", 20)
