"""What the front end of :mod:`vptsp_widgets.anatomy` computes with, as arrays.

Every proxy is ``a O + (1 - a) G`` over its length, so that each similarity to an image follows from the two dot
products with O and G, for any alpha: the front end gets those, and no embeddings.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float, Float32

from vptsp.analysis.anatomy import Anatomy
from vptsp.errors import DataError
from vptsp.evaluation.ranking import unit_rows
from vptsp.text import plain
from vptsp_widgets.sampling import spread

MOST_CLASSES = 400
MOST_CELLS = 640_000  # (class, image) pairs: two float32 each
STEPS = 100  # of the slider from 0 to 1


def choose(whole: Anatomy, seed: int = 0) -> Anatomy:
    """What is shown: everything, or as many classes and images, evenly by class, as a page can hold."""
    total = len(whole.class_names)
    classes = np.arange(total)
    if total > MOST_CLASSES:
        classes = np.sort(np.random.default_rng(seed).choice(total, MOST_CLASSES, replace=False))
    images = np.flatnonzero(np.isin(whole.labels, classes))
    most = max(1, MOST_CELLS // len(classes))
    if len(images) > most:
        images = images[spread(whole.labels[images], most, seed)]
    if len(classes) == total and len(images) == len(whole.ids):
        return whole
    return whole.subset(classes, images)


def second_part(parts: Anatomy) -> Float32[np.ndarray, "C E"]:
    """What the learned proxy is shown beside: the semantic one, or the mean of the class's images."""
    if parts.semantic is not None:
        return parts.semantic
    sums = np.zeros_like(parts.learned)
    np.add.at(sums, parts.labels, parts.embeddings)
    return unit_rows(sums)


def arrays(parts: Anatomy) -> dict[str, bytes]:
    """The front end's numbers: float32 ``_dots`` (2, C, N), ``_lengths`` (3, C) and ``_places``, int32 ``_labels``."""
    learned, second = parts.learned.astype(np.float64), second_part(parts).astype(np.float64)
    dots = np.stack([learned @ parts.embeddings.T, second @ parts.embeddings.T])
    lengths = [(learned**2).sum(axis=1), (second**2).sum(axis=1), (learned * second).sum(axis=1)]
    places = [_placed(parts, learned, second, *frame) for frame in frames(parts, learned, second)]
    return {
        "_dots": dots.astype("<f4").tobytes(),
        "_lengths": np.stack(lengths).astype("<f4").tobytes(),
        "_places": np.concatenate(places).astype("<f4").tobytes(),
        "_labels": parts.labels.astype("<i4").tobytes(),
    }


def frames(
    parts: Anatomy, learned: Float[np.ndarray, "C E"], second: Float[np.ndarray, "C E"]
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Mean (E,) and two axes (2, E) of each map: of proxies and classes alike, and of the images alone."""
    units = [unit_rows(rows).astype(np.float64) for rows in (learned, second)]
    sums = np.zeros_like(learned)
    np.add.at(sums, parts.labels, parts.embeddings)
    both = _axes(np.concatenate([*units, unit_rows(sums)]))
    if ((units[1] - units[0]).mean(axis=0) @ both[1][0]) < 0:
        both[1][0] *= -1  # O to the left, G to the right
    return [both, _axes(parts.embeddings.astype(np.float64))]


def _axes(rows: Float[np.ndarray, "N E"]) -> tuple[np.ndarray, np.ndarray]:
    mean = rows.mean(axis=0)
    _, _, axes = np.linalg.svd((rows - mean).T @ (rows - mean))
    axes = axes[:2] * np.sign(axes[:2, np.abs(axes[:2]).argmax(axis=1)].diagonal())[:, None]
    return mean, np.pad(axes, ((0, 2 - len(axes)), (0, 0)))


def _placed(
    parts: Anatomy, learned: np.ndarray, second: np.ndarray, mean: np.ndarray, axes: np.ndarray
) -> Float[np.ndarray, " values"]:
    """Images (N, 2) about the mean, then O and G (C, 2) and the mean (2) as the axes see them: fusion is linear."""
    rows = [(parts.embeddings - mean) @ axes.T, learned @ axes.T, second @ axes.T, mean[None] @ axes.T]
    return np.concatenate([row.ravel() for row in rows])


def correlations(parts: Anatomy, permutations: int) -> tuple[list[dict[str, Any]], bytes, str]:
    """Rank correlations with known attributes, rho for every step of alpha (float32), or why there are none."""
    if parts.attributes is None:
        return [], b"", ""
    try:
        found = parts.correlations(permutations)
    except DataError as error:  # too few classes, or classes that all look alike
        return [], b"", plain(error, 200)
    alphas = np.linspace(0, 1, STEPS + 1) if parts.semantic is not None else np.ones(1)
    lines = [
        {
            "kind": kind,
            "rho": one.rho,
            "p": one.p_value,
            "classes": one.classes,
            "permutations": one.permutations,
            "exact": one.exact,
        }
        for kind, one in found.items()
    ]
    return lines, parts.correlation_curve(alphas.tolist()).astype("<f4").tobytes(), ""
