"""Session 1: neighbours on the sphere, and the metrics that count them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from vptsp.evaluation.metrics import map_at_r, recall_at_k
from vptsp.evaluation.ranking import search
from vptsp.teaching.exercise import Exercise, Trial

CHANCE_CLASSES, CHANCE_IMAGES = 20, 5


def _embedded(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Embeddings (24, 8), not of unit length, of four classes that overlap, and labels (24,)."""
    labels = rng.permutation(np.repeat(np.arange(4), 6))
    vectors = rng.normal(size=(4, 8))[labels] + rng.normal(size=(24, 8)) * 1.2
    return vectors * rng.uniform(0.2, 5, size=(24, 1)), labels


def _nearest(rng: np.random.Generator) -> Iterator[Trial]:
    for _ in range(3):
        vectors, labels = _embedded(rng)
        yield (vectors,), search(vectors, labels, k=1).neighbor_positions[:, 0]


def _recall(rng: np.random.Generator) -> Iterator[Trial]:
    for k in (1, 2, 4):
        vectors, labels = _embedded(rng)
        yield (vectors, labels, k), recall_at_k(search(vectors, labels, k=k), k)


def _map(rng: np.random.Generator) -> Iterator[Trial]:
    for _ in range(3):
        vectors, labels = _embedded(rng)
        yield (vectors, labels), map_at_r(search(vectors, labels))


EXERCISES = {
    "nearest": Exercise(
        session=1,
        question="write nearest(embeddings): for each row of embeddings (N, E) the row (N,) of the most similar other "
        "image, by the cosine; rows need not have length 1.",
        hint="Divide by the lengths, multiply with the transpose, and keep every image from finding itself.",
        trials=_nearest,
        names=("embeddings",),
    ),
    "recall": Exercise(
        session=1,
        question="write recall(embeddings, labels, k): the share of images with one of their class among the first k.",
        hint="A query counts once, however many of its k neighbours are right; argsort of the negative cosines.",
        trials=_recall,
        names=("embeddings", "labels", "k"),
    ),
    "chance": Exercise(
        session=1,
        question=f"{CHANCE_CLASSES} classes of {CHANCE_IMAGES} images, and embeddings that know nothing. "
        "What is R@1 on average?",
        hint="The nearest is any of the others. How many are there, and how many of them are of the class?",
        value=lambda: (CHANCE_IMAGES - 1) / (CHANCE_CLASSES * CHANCE_IMAGES - 1),
        tolerance=5e-4,
    ),
    "map_at_r": Exercise(
        session=1,
        question="write map_at_r(embeddings, labels): with R other images of the query's class, the mean over ranks "
        "i <= R of the precision at i, taken as 0 where neighbour i is wrong; then the mean over queries.",
        hint="Divide by R, not by the number of right neighbours found (Musgrave et al., arXiv 2003.08505).",
        trials=_map,
        names=("embeddings", "labels"),
    ),
}
