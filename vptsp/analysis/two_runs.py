"""The same images in two runs: who finds a right image in one only, whose neighbours changed, who moved on the map.

Only images that both have are looked at, each beside the others of these, so that neither run has an easier gallery.
Maps are laid on each other by orthogonal Procrustes (Schönemann, Psychometrika 31, 1966) with one scale: turning,
mirroring and stretching a map is none of what was learned. What is left includes the projector's own restlessness, of
which :func:`restlessness` is the measure: how far images jump between two maps of the same embeddings.

Dimensions: S shared images, E embedding size, k neighbours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float32, Float64, Int64

from vptsp.analysis.projection import Method, project
from vptsp.errors import DataError
from vptsp.evaluation.ranking import RetrievalResults, search
from vptsp.runs.embeddings import SavedEmbeddings

NEIGHBOURS = 10
LOST, WON, BOTH, NEITHER, UNSCORED = "right → wrong", "wrong → right", "right in both", "wrong in both", "not scored"
CHANGES = (LOST, WON, BOTH, NEITHER, UNSCORED)  # of the nearest image of a query


@dataclass(frozen=True)
class Shared:
    """Rows of the images that both have, in the order of the first, and how many only one of them has."""

    first: Int64[np.ndarray, " S"]
    second: Int64[np.ndarray, " S"]
    only_first: int
    only_second: int

    @property
    def note(self) -> str:
        """What to say of the rest; empty where there is none."""
        parts = [f"{count:,} only in the {which}" for count, which in self._rest if count]
        return f"{len(self.first):,} images in both are shown; {', '.join(parts)}" if parts else ""

    @property
    def _rest(self) -> tuple[tuple[int, str], ...]:
        return (self.only_first, "first"), (self.only_second, "second")


def shared_images(first: Sequence[str], second: Sequence[str]) -> Shared:
    """By their ids. Raises DataError for fewer than four that both have, which is too few to compare."""
    place = {name: row for row, name in enumerate(second)}
    pairs = np.array([(row, place[name]) for row, name in enumerate(first) if name in place], dtype=np.int64)
    if len(pairs) < 4:
        raise DataError(
            f"the two have {len(pairs)} of {len(first):,} and {len(second):,} images in common; "
            "choose runs on the same data, or the same split of both"
        )
    return Shared(pairs[:, 0], pairs[:, 1], len(first) - len(pairs), len(second) - len(pairs))


def laid_onto(points: Float[np.ndarray, "S d"], onto: Float[np.ndarray, "S d"]) -> Float64[np.ndarray, "S d"]:
    """Points turned, mirrored, stretched and shifted, all as one, so that they lie as near to ``onto`` as can be."""
    centre, target = points.mean(axis=0, dtype=np.float64), onto.mean(axis=0, dtype=np.float64)
    moved, still = points - centre, onto - target
    left, strength, right = np.linalg.svd(moved.T @ still)
    spread = float((moved**2).sum())
    scale = float(strength.sum()) / spread if spread else 0.0
    return np.asarray(scale * moved @ (left @ right) + target)


def restlessness(
    vectors: Float[np.ndarray, "S E"], method: Method, seed: int, share: float = 0.95
) -> tuple[float, Float32[np.ndarray, "S 2"]]:
    """How far all but 1 - ``share`` of the images jump between maps of ``seed`` and of the next; and the former map.

    0 for methods without chance.
    """
    points = project(vectors, method, seed=seed)
    if method == "pca":
        return 0.0, points
    again = laid_onto(project(vectors, method, seed=seed + 1), points)
    return float(np.quantile(np.linalg.norm(again - points, axis=1), share)), points


@dataclass(frozen=True)
class Comparison:
    """Of each shared image, in the order of :class:`Shared`.

    ``change`` is one of ``CHANGES``; ``kept`` the share of the k nearest images that are the same in both.
    ``neighbours`` are those that it finds in either run, as places among the shared images, -1 where there are no more,
    and ``right`` whether each is of its class there.
    """

    change: np.ndarray  # (S,) of text
    kept: Float32[np.ndarray, " S"]
    neighbours: tuple[Int64[np.ndarray, "S k"], Int64[np.ndarray, "S k"]]
    right: tuple[Bool[np.ndarray, "S k"], Bool[np.ndarray, "S k"]]

    def counts(self) -> dict[str, int]:
        """How many images changed in which way, those that do occur."""
        return {word: int((self.change == word).sum()) for word in CHANGES if (self.change == word).any()}


def compare(first: SavedEmbeddings, second: SavedEmbeddings, neighbours: int = NEIGHBOURS) -> Comparison:
    """Of two runs' embeddings of the same images in the same order (:meth:`SavedEmbeddings.only`).

    Each is scored by its own labels and roles: a run on relabelled data is right by those. Raises DataError for images
    that are not the same.
    """
    if first.ids != second.ids:
        raise DataError("the embeddings are of other images, or in another order; give what shared_images finds")
    k = min(neighbours, len(first) - 1)
    found = [search(one.embeddings, one.labels, None, one.is_gallery, k=k) for one in (first, second)]
    hits, scored = zip(*(_hits(one, results) for one, results in zip((first, second), found, strict=True)), strict=True)
    both = scored[0] & scored[1]
    words = np.where(hits[0], np.where(hits[1], BOTH, LOST), np.where(hits[1], WON, NEITHER)).astype(object)
    words[~both] = UNSCORED
    ours, theirs = (results.neighbor_positions for results in found)
    same = (ours[:, :, None] == theirs[:, None, :]) & (ours[:, :, None] >= 0)
    there = np.maximum((ours >= 0).sum(axis=1), 1)
    return Comparison(
        change=words,
        kept=(same.any(axis=2).sum(axis=1) / there).astype(np.float32),
        neighbours=(ours, theirs),
        right=(found[0].matches, found[1].matches),
    )


def _hits(saved: SavedEmbeddings, found: RetrievalResults) -> tuple[np.ndarray, np.ndarray]:
    """Whether the nearest image is of the class, and whether that is asked: of queries with something to find."""
    asked = np.ones(len(saved), dtype=bool) if saved.is_query is None else saved.is_query
    return found.matches[:, 0], asked & (found.relevant > 0)
