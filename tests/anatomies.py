"""A run's proxies and training images, made up."""

from __future__ import annotations

import numpy as np

from vptsp.analysis.anatomy import Anatomy
from vptsp.evaluation.ranking import unit_rows


def some_anatomy(seed: int = 0, classes: int = 6, size: int = 5, images: int = 30) -> Anatomy:
    """Proxies somewhere near their images, O long and G of length 1, as in a run."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(classes, size))
    labels = np.sort(np.concatenate([np.arange(classes), rng.integers(0, classes, images - classes)]))
    near = [centres + rng.normal(0, 1.0, centres.shape) for _ in range(2)]
    return Anatomy(
        name="a run",
        learned=(5 * near[0]).astype(np.float32),
        semantic=unit_rows(near[1]),
        embeddings=unit_rows(centres[labels] + rng.normal(0, 1.0, (images, size))),
        labels=labels,
        class_names=tuple(f"class {label}" for label in range(classes)),
        ids=tuple(f"image {row}" for row in range(images)),
        alpha=0.5,
    )
