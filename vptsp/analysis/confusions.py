"""Which classes are mistaken for which: by the images that stand in each other's way, and by overlapping proxies.

A *hard negative* of an image is the image of another class most similar to it. Two classes are confused when they
are each other's hard negatives, and the more so when those come before every image of the own class.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int64

from vptsp.errors import DataError
from vptsp.evaluation.ranking import unit_rows

_CELLS_AT_ONCE = 2**24  # similarities held at once, in fp32


Found = tuple[Int64[np.ndarray, " N"], Float[np.ndarray, " N"], Float[np.ndarray, " N"]]


@dataclass(frozen=True)
class ConfusedPair:
    """Two classes (``first`` < ``second``, as labels) and how often an image of one has the other before it.

    ``first_to_second`` counts images of ``first`` whose hard negative is of ``second``, and the other way round;
    ``mistakes`` counts those of both for which it is nearer than every image of their own class, which are misses
    of recall at 1. ``images`` is how many images both classes have, ``similarity`` the mean cosine to the hard
    negatives counted.
    """

    first: int
    second: int
    first_to_second: int
    second_to_first: int
    mistakes: int
    images: int
    similarity: float

    @property
    def count(self) -> int:
        """Images of either class whose hard negative is of the other."""
        return self.first_to_second + self.second_to_first


@dataclass(frozen=True)
class ProxyOverlap:
    """Two classes (``first`` < ``second``, as rows of the proxies) and the cosine of their proxies."""

    first: int
    second: int
    cosine: float


def hard_negatives(
    embeddings: Float[np.ndarray, "N E"],
    labels: Int64[np.ndarray, " N"],
    is_query: Bool[np.ndarray, " N"] | None = None,
    is_gallery: Bool[np.ndarray, " N"] | None = None,
) -> Found:
    """For each image the row of its hard negative, the cosine to it, and the cosine to its nearest right image.

    Row -1 and cosine -inf where there is no such image. Of equally near images the first counts. With roles only
    queries have any, among the gallery; none: every image is both.
    """
    rows = unit_rows(embeddings)
    if len(labels) != len(rows):
        raise DataError(f"{len(rows)} embeddings but {len(labels)} labels; give one label per image")
    wrong = np.full(len(rows), -1, dtype=np.int64)
    wrong_cosine, right_cosine = np.full((2, len(rows)), -np.inf, dtype=np.float32)
    step = max(1, _CELLS_AT_ONCE // max(1, len(rows)))
    for start in range(0, len(rows), step):
        part = np.arange(start, min(start + step, len(rows)))
        cosines = rows[part] @ rows.T
        if is_gallery is not None:
            cosines[:, ~is_gallery] = -np.inf
        same = labels[part, None] == labels[None, :]
        others = np.where(same, -np.inf, cosines)
        best = others.argmax(axis=1)
        wrong_cosine[part] = others[np.arange(len(part)), best]
        wrong[part] = np.where(np.isfinite(wrong_cosine[part]), best, -1)
        cosines[~same] = -np.inf
        cosines[np.arange(len(part)), part] = -np.inf
        right_cosine[part] = cosines.max(axis=1)
    if is_query is not None:
        wrong[~is_query], wrong_cosine[~is_query], right_cosine[~is_query] = -1, -np.inf, -np.inf
    return wrong, wrong_cosine, right_cosine


@dataclass(frozen=True)
class SharedNegative:
    """An image (as a row) that is the hard negative of several images of one other class.

    ``of`` are those images, mistaken ones first, then the most similar; ``mistakes`` is how many of them are mistaken.
    """

    image: int
    of: tuple[int, ...]
    mistakes: int


def shared_hard_negatives(
    found: Found,
    labels: Int64[np.ndarray, " N"],
    first: int,
    second: int,
    most: int = 6,
) -> list[SharedNegative]:
    """Images of either class that stand in the way of two or more of the other: by mistakes, then by how many.

    ``found`` is what :func:`hard_negatives` gives for these ``labels``; at most ``most`` images are answered.
    """
    wrong, cosine, right = found
    missed = (cosine > right) & np.isfinite(right)
    shared = []
    for own, other in ((first, second), (second, first)):
        rows = np.flatnonzero((labels == own) & (wrong >= 0))
        rows = rows[labels[wrong[rows]] == other]
        rows = rows[np.lexsort((rows, -cosine[rows], ~missed[rows]))]
        images, counts = np.unique(wrong[rows], return_counts=True)
        for image in images[counts > 1]:
            mine = rows[wrong[rows] == image]
            shared.append(SharedNegative(int(image), tuple(mine.tolist()), int(missed[mine].sum())))
    return sorted(shared, key=lambda one: (-one.mistakes, -len(one.of), one.image))[:most]


def confused_pairs(
    embeddings: Float[np.ndarray, "N E"], labels: Int64[np.ndarray, " N"], most: int = 20, found: Found | None = None
) -> list[ConfusedPair]:
    """The ``most`` confused pairs of classes: by mistakes, then by shared hard negatives, then by their similarity.

    ``found`` is what :func:`hard_negatives` gave for these images, where that is known already (or with roles).
    Raises DataError for embeddings that are not finite and lengths that differ.
    """
    labels = np.asarray(labels)
    wrong, cosine, right = found or hard_negatives(embeddings, labels)
    there = wrong >= 0
    sizes = dict(zip(*np.unique(labels, return_counts=True), strict=True))
    own, other = labels[there], labels[wrong[there]]
    ends = np.stack([np.minimum(own, other), np.maximum(own, other)], axis=1)
    pairs, place = np.unique(ends, axis=0, return_inverse=True)
    # an image alone in its class has no right image to be missed
    missed = (cosine[there] > right[there]) & np.isfinite(right[there])
    total, forward, mistakes, sums = (
        np.bincount(place.ravel(), weights=weights, minlength=len(pairs))
        for weights in (None, own < other, missed, cosine[there])
    )
    made = [
        ConfusedPair(
            first=int(first),
            second=int(second),
            first_to_second=int(forward[row]),
            second_to_first=int(total[row] - forward[row]),
            mistakes=int(mistakes[row]),
            images=int(sizes[first] + sizes[second]),
            similarity=float(sums[row] / total[row]),
        )
        for row, (first, second) in enumerate(pairs)
    ]
    return sorted(made, key=lambda pair: (-pair.mistakes, -pair.count, -pair.similarity, pair.first))[:most]


def overlapping_proxies(proxies: Float[np.ndarray, "C E"], most: int = 20) -> list[ProxyOverlap]:
    """The ``most`` pairs of classes whose proxies point in the most similar directions, most similar first.

    Raises DataError for proxies that are not finite.
    """
    rows = unit_rows(proxies)
    classes = len(rows)
    step = max(1, _CELLS_AT_ONCE // max(1, classes))
    best: list[tuple[float, int, int]] = []
    for start in range(0, classes, step):
        part = np.arange(start, min(start + step, classes))
        cosines = (rows[part] @ rows.T).ravel()
        later = (np.arange(classes)[None, :] > part[:, None]).ravel()  # each pair once
        cells = np.flatnonzero(later)
        if len(cells) > most:
            cells = cells[np.argpartition(-cosines[cells], most - 1)[:most]]
        best += [(float(cosines[cell]), start + int(cell) // classes, int(cell) % classes) for cell in cells]
        best = sorted(best, key=lambda item: (-item[0], *item[1:]))[:most]
    return [ProxyOverlap(first, second, cosine) for cosine, first, second in best]
