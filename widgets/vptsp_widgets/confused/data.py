"""What :mod:`vptsp_widgets.confused` shows of a pair of classes: who meets whom, and what both have in common."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float, Int64

from vptsp.analysis.confusions import (
    ConfusedPair,
    ProxyOverlap,
    confused_pairs,
    hard_negatives,
    overlapping_proxies,
    shared_hard_negatives,
)
from vptsp.analysis.mantel import visible
from vptsp.errors import DataError
from vptsp.evaluation.ranking import unit_rows
from vptsp.runs.embeddings import SavedEmbeddings
from vptsp.text import plain

LINKS = 10  # pairs of images shown of a pair of classes
SHARING = 8  # images shown of those that share a hard negative
GALLERY = 24  # images shown of each class
OTHER, HARD, MISTAKE = 0, 1, 2  # what an image of the other class is to an image


class Pairs:
    """Images of a split with their hard negatives, and fused ``proxies`` (C, E) of their classes if known."""

    def __init__(self, saved: SavedEmbeddings, proxies: Float[np.ndarray, "C E"] | None = None) -> None:
        if len(np.unique(saved.labels)) < 2:
            raise DataError(f"{plain(saved.name)} holds images of fewer than two classes; confusion takes two")
        self.saved, self.labels = saved, saved.labels
        self.unit = unit_rows(saved.embeddings)
        self.proxies = None if proxies is None else unit_rows(proxies)
        self.found = hard_negatives(saved.embeddings, saved.labels, saved.is_query, saved.is_gallery)
        self.wrong, cosine, right = self.found
        self.missed = (cosine > right) & np.isfinite(right)
        self.table = visible(saved.attributes) if saved.attributes is not None else None

    def by_images(self, most: int) -> list[dict[str, Any]]:
        """The most confused pairs by shared hard negatives, as the front end takes them."""
        pairs = confused_pairs(self.unit, self.labels, most, self.found)
        return [self._pair(pair.first, pair.second, pair) for pair in pairs]

    def by_proxies(self, most: int) -> list[dict[str, Any]]:
        """The pairs whose proxies overlap most."""
        if self.proxies is None:
            return []
        counted = confused_pairs(self.unit, self.labels, len(self.labels), self.found)  # all there are
        every = {(pair.first, pair.second): pair for pair in counted}
        found: list[ProxyOverlap] = overlapping_proxies(self.proxies, most)
        return [self._pair(pair.first, pair.second, every.get((pair.first, pair.second))) for pair in found]

    def _pair(self, first: int, second: int, counted: ConfusedPair | None) -> dict[str, Any]:
        sides = [np.flatnonzero(self.labels == label) for label in (first, second)]
        cosines = self.unit[sides[0]] @ self.unit[sides[1]].T
        return {
            "classes": [first, second],
            "toward": [counted.first_to_second, counted.second_to_first] if counted else [0, 0],
            "mistakes": counted.mistakes if counted else 0,
            "images": [len(side) for side in sides],
            "proxies": None if self.proxies is None else float(self.proxies[first] @ self.proxies[second]),
            "shared": self._shared(first, second),
            "links": self._links(sides, cosines) if cosines.size else [],
            "galleries": [
                self._gallery(sides[side], second if side == 0 else first, cosines.max(axis=1 - side, initial=-1))
                for side in (0, 1)
            ],
            "attributes": self._attributes(first, second),
        }

    def _shared(self, first: int, second: int) -> list[list[Any]]:
        """[row, how many it is the hard negative of, how many of them are mistaken, [[row, kind], ...]] for each."""
        shared = shared_hard_negatives(self.found, self.labels, first, second)
        return [
            [one.image, len(one.of), one.mistakes, [[row, self._kind(row, one.image)] for row in one.of[:SHARING]]]
            for one in shared
        ]

    def _links(self, sides: list[Int64[np.ndarray, " n"]], cosines: Float[np.ndarray, "n m"]) -> list[list[float]]:
        """[row, row, cosine, kind]: each image with its nearest of the other class, most similar first, once."""
        there = zip(range(len(sides[0])), cosines.argmax(axis=1).tolist(), strict=True)
        back = zip(cosines.argmax(axis=0).tolist(), range(len(sides[1])), strict=True)
        cells = sorted({*there, *back}, key=lambda cell: (-float(cosines[cell]), cell))[:LINKS]
        links = []
        for cell in cells:
            one, other = int(sides[0][cell[0]]), int(sides[1][cell[1]])
            kind = max(self._kind(one, other), self._kind(other, one))
            links.append([one, other, float(cosines[cell]), kind])
        return links

    def _kind(self, row: int, other: int) -> int:
        """What image ``other`` is to image ``row``."""
        if self.wrong[row] != other:
            return OTHER
        return MISTAKE if self.missed[row] else HARD

    def _gallery(self, rows: np.ndarray, other: int, nearness: np.ndarray) -> list[list[int]]:
        """[row, kind] of a class's images: those with a hard negative of the other class first."""
        kinds = np.zeros(len(rows), dtype=int)
        meets = (self.wrong[rows] >= 0) & (self.labels[self.wrong[rows]] == other)
        kinds[meets] = HARD
        kinds[meets & self.missed[rows]] = MISTAKE
        order = np.lexsort((-nearness, -kinds))[:GALLERY]
        return [[int(rows[place]), int(kinds[place])] for place in order]

    def _attributes(self, first: int, second: int) -> list[list[str]]:
        """[attribute, value of the first class, value of the second], those that differ first."""
        names = [self.saved.class_names[label] for label in (first, second)]
        if self.table is None or not set(names) <= set(self.table.index):
            return []
        found: pd.DataFrame = self.table.loc[names]
        lines = [[plain(name).replace("_", " "), *(plain(value) for value in found[name])] for name in found.columns]
        return sorted(lines, key=lambda line: line[1] == line[2])
