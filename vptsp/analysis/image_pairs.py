"""Pairs of a query and a gallery image, block by block: how similar they are, and which stand out.

An image is no pair with itself, and two images that are both query and gallery are one pair, not two. Of very many
images some queries are drawn, by a seed, and each is paired with the whole gallery.

Dimensions: N images, E embedding size, Q queries, G gallery images; b queries and c gallery images of a block.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Float32, Int32, Int64

from vptsp.errors import DataError
from vptsp.evaluation.ranking import checked_labels, chosen_rows, unit_rows

BINS = 4000  # of cosines from -1 to 1, each 0.0005 wide
MOST_PAIRS = 10**8  # similarities computed; all pairs of 10,000 images, in seconds
_CELLS_AT_ONCE = 2**22


def bins_of(cosines: Float[np.ndarray, "*shape"], bins: int = BINS) -> Int32[np.ndarray, "*shape"]:
    """The bin of each cosine; the last one holds 1, and what rounding puts beyond."""
    return np.clip((cosines + 1) * (bins / 2), 0, bins - 1).astype(np.int32)


@dataclass(frozen=True)
class Block:
    """Some queries and gallery images (rows of the embeddings), and of each pair: cosine, same class, not to count."""

    rows: Int64[np.ndarray, " b"]
    columns: Int64[np.ndarray, " c"]
    cosines: Float32[np.ndarray, "b c"]
    same: Bool[np.ndarray, "b c"]
    left_out: Bool[np.ndarray, "b c"]


@dataclass(frozen=True)
class FoundPair:
    """Two images as rows, their cosine and its bin."""

    first: int
    second: int
    cosine: float
    bin: int


class ImagePairs:
    """All pairs of queries and gallery images, as :func:`vptsp.evaluation.ranking.search` takes them.

    Where there are more than ``most`` similarities, ``queries`` are as many as fit, drawn by ``seed`` of
    ``all_queries``. Raises DataError for embeddings that are not finite, lengths that differ, and an empty query or
    gallery set.
    """

    def __init__(
        self,
        embeddings: Any,
        labels: Any,
        is_query: Any = None,
        is_gallery: Any = None,
        most: int = MOST_PAIRS,
        seed: int = 0,
    ) -> None:
        if most < 1:
            raise DataError(f"most={most} pairs leaves nothing to count; give 1 or more")
        self.vectors = unit_rows(embeddings)
        self.labels = checked_labels(labels, len(self.vectors))
        self.gallery = chosen_rows(is_gallery, len(self.vectors), "is_gallery", "gallery")
        self.queries = self.all_queries = chosen_rows(is_query, len(self.vectors), "is_query", "query")
        room = max(1, most // len(self.gallery))
        if room < len(self.queries):
            self.queries = np.sort(np.random.default_rng(seed).choice(self.all_queries, room, replace=False))

    def blocks(self, once: bool) -> Iterator[Block]:
        """Every pair with every query, or each pair ``once``: with the first of the queries that has it."""
        asked, held = np.zeros((2, len(self.vectors)), dtype=bool)
        asked[self.queries], held[self.gallery] = True, True
        step = max(1, _CELLS_AT_ONCE // len(self.gallery))
        for start in range(0, len(self.queries), step):
            rows = self.queries[start : start + step]
            columns = self.gallery
            if once and held[rows].all():  # else some of their pairs with earlier queries are still to come
                columns = columns[~asked[columns] | (columns > rows[0])]
            left_out = rows[:, None] == columns
            if once:
                left_out |= held[rows][:, None] & asked[columns] & (columns < rows[:, None])
            yield Block(
                rows,
                columns,
                self.vectors[rows] @ self.vectors[columns].T,
                self.labels[rows][:, None] == self.labels[columns],
                left_out,
            )

    def counts(self, bins: int = BINS) -> tuple[Int64[np.ndarray, " bins"], Int64[np.ndarray, " bins"]]:
        """How many pairs of the same class, and of others, have a cosine in each bin."""
        total = np.zeros(2 * bins + 1, dtype=np.int64)
        for block in self.blocks(once=True):
            place = bins_of(block.cosines, bins)
            place += np.int32(bins) * block.same
            place[block.left_out] = 2 * bins
            total += np.bincount(place.ravel(), minlength=2 * bins + 1)
        return total[bins : 2 * bins], total[:bins]

    def wrong(self, most: int, edge: int | None = None, bins: int = BINS) -> tuple[list[FoundPair], list[FoundPair]]:
        """Up to ``most`` pairs of other classes that are taken for one, and of the same class that are not.

        Without ``edge`` those that go wrong at the most thresholds, the most similar of other classes and the least
        similar of the same one. With ``edge``, the number of the first bin that is accepted, those that it gets wrong
        by least. Of each query the first such pair, and no image twice: one odd image would fill the list.
        """
        found: tuple[list[tuple[float, FoundPair]], ...] = ([], [])
        for block in self.blocks(once=False):
            accepted = None if edge is None else bins_of(block.cosines, bins) >= edge
            for same in (False, True):
                wanted = (block.same == same) & ~block.left_out
                if accepted is not None:
                    wanted &= accepted != same
                most_similar = same == (edge is not None)  # first, else the least similar
                scores = np.where(wanted, block.cosines if most_similar else -block.cosines, -np.inf)
                found[same].extend(_best_of_rows(block, scores, bins))
        return _each_once(found[False], most), _each_once(found[True], most)


def _best_of_rows(block: Block, scores: Float32[np.ndarray, "b c"], bins: int) -> list[tuple[float, FoundPair]]:
    """The pair of each query with the highest score, where it has one that is not -inf."""
    best = scores.argmax(axis=1)
    there = np.flatnonzero(np.isfinite(scores[np.arange(len(best)), best]))
    best = best[there]
    cosines = block.cosines[there, best]
    columns = (scores[there, best], block.rows[there], block.columns[best], cosines, bins_of(cosines, bins))
    lines = zip(*(column.tolist() for column in columns), strict=True)
    return [(score, FoundPair(*pair)) for score, *pair in lines]


def _each_once(found: list[tuple[float, FoundPair]], most: int) -> list[FoundPair]:
    """Pairs with the highest scores, without those of which an image was shown before."""
    taken: set[int] = set()
    kept: list[FoundPair] = []
    for _, pair in sorted(found, key=lambda item: (-item[0], item[1].first, item[1].second)):
        if len(kept) == most:
            break
        if not taken & {pair.first, pair.second}:
            taken |= {pair.first, pair.second}
            kept.append(pair)
    return kept
