"""Which images a view draws where it cannot draw all."""

from __future__ import annotations

import numpy as np


def spread(labels: np.ndarray, most: int, seed: int = 0) -> np.ndarray:
    """``most`` of the rows, evenly by class: each keeps its share, and at least one where there is room for all."""
    order = np.random.default_rng(seed).permutation(len(labels))
    order = order[np.argsort(labels[order], kind="stable")]
    counts = np.bincount(labels, minlength=1)
    rank = np.arange(len(labels)) - np.repeat(np.cumsum(counts) - counts, counts)
    share = rank / np.repeat(counts, counts)
    return np.sort(order[np.argsort(share, kind="stable")[:most]]).astype("<i4")
