"""What an approximate index finds of what is truly nearest, measured on a sample of its own images.

The true answers to the sample are found once by a scan, and then kept true: new images are compared with the sample
alone, and a removed one leaves the answers that it was in. They are deeper than needed, so that removals seldom make
a new scan necessary. Dimensions: S sample queries, E embedding size, d depth, n new images.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Self

import numpy as np
from jaxtyping import Bool, Float32, Int64

from vptsp.errors import RunError
from vptsp.evaluation.index.protocol import Recall
from vptsp.evaluation.index.scan import scan, scores
from vptsp.evaluation.index.vectors import Vectors

QUERIES, K = 100, 10
_DEPTH = 4 * K


@dataclass
class Sample:
    """Queries (S, E), the row that each must not find, and the true answers: rows and cosines (S, d).

    Of each answer the first ``depth`` places are certain; ``whole``: they are all images that there are.
    """

    queries: Float32[np.ndarray, "S E"]
    own: Int64[np.ndarray, " S"]
    rows: Int64[np.ndarray, "S d"]
    cosines: Float32[np.ndarray, "S d"]
    depth: Int64[np.ndarray, " S"]
    whole: Bool[np.ndarray, " S"]

    @classmethod
    def drawn(cls, vectors: Vectors, alive: Bool[np.ndarray, " M"], seed: int) -> Self:
        """A seeded sample of the images, with their true answers."""
        there = np.flatnonzero(alive)
        own = np.sort(np.random.default_rng(seed).choice(there, min(QUERIES, len(there)), replace=False))
        none, shape = np.zeros(len(own), dtype=np.int64), (len(own), _DEPTH)
        sample = cls(vectors.take(own), own, np.full(shape, -1), np.full(shape, -np.inf, np.float32), none, none > 0)
        sample._scan(vectors, alive, np.arange(len(own)))
        return sample

    def _scan(self, vectors: Vectors, alive: Bool[np.ndarray, " M"], which: Int64[np.ndarray, " q"]) -> None:
        rows, cosines = scan(vectors, self.queries[which], _DEPTH, alive, self.own[which])
        self.rows[which], self.cosines[which] = rows, cosines
        self.depth[which] = (rows >= 0).sum(axis=1)
        self.whole[which] = self.depth[which] < _DEPTH

    def added(self, new: Float32[np.ndarray, "n E"], first_row: int) -> None:
        """Images that are there from now on, in rows from ``first_row`` on, as they are stored."""
        for query, vector in enumerate(self.queries):
            certain = self.depth[query]
            cosines = np.append(self.cosines[query, :certain], scores(vector, new))
            rows = np.append(self.rows[query, :certain], np.arange(first_row, first_row + len(new)))
            order = np.argsort(-cosines, kind="stable")
            if not self.whole[query]:  # what is less similar than the last known one may not be the next
                order = order[: np.flatnonzero(order < certain)[-1] + 1] if certain else order[:0]
            self._take(query, rows[order], cosines[order])

    def removed(self, gone: Int64[np.ndarray, " n"], vectors: Vectors, alive: Bool[np.ndarray, " M"]) -> None:
        """Rows without an image from now on; ``alive`` says so already."""
        for query in np.flatnonzero(np.isin(self.rows, gone).any(axis=1)).tolist():
            kept = np.arange(_DEPTH) < self.depth[query]
            kept &= ~np.isin(self.rows[query], gone)
            self._take(query, self.rows[query][kept], self.cosines[query][kept])
        poor = np.flatnonzero((self.depth < K) & ~self.whole)
        if len(poor):
            self._scan(vectors, alive, poor)

    def _take(self, query: int, rows: Int64[np.ndarray, " m"], cosines: Float32[np.ndarray, " m"]) -> None:
        self.whole[query] &= len(rows) <= _DEPTH
        self.depth[query] = certain = min(len(rows), _DEPTH)
        self.rows[query], self.cosines[query] = -1, -np.inf
        self.rows[query, :certain], self.cosines[query, :certain] = rows[:certain], cosines[:certain]

    def renumbered(self, new_row: Int64[np.ndarray, " M"]) -> None:
        """Rows that have other numbers from now on: ``new_row`` by old row, -1 for those that are gone."""
        self.rows = np.where(self.rows >= 0, new_row[self.rows], -1)
        self.own = np.where(self.own >= 0, new_row[self.own], -1)

    def is_typical(self, alive: Bool[np.ndarray, " M"]) -> bool:
        """Whether there are as many queries as there may be, and most of them are still images of the gallery."""
        there = (self.own >= 0) & alive[self.own]
        return len(self.own) >= min(QUERIES, int(alive.sum())) and bool(there.mean() > 0.5)

    def recall(self, cosines: Float32[np.ndarray, "S k"]) -> Recall:
        """How much of the true ten the answers hold, by the cosines of what was found: equal ones count as true."""
        wanted = np.minimum(self.depth, K)
        last = self.cosines[np.arange(len(wanted)), np.maximum(wanted - 1, 0)]
        found = np.minimum((cosines >= last[:, None]).sum(axis=1), wanted)[wanted > 0]
        share = float((found / wanted[wanted > 0]).mean()) if len(found) else 1.0
        return Recall(share, K, len(self.queries))

    def to_bytes(self) -> bytes:
        """For :meth:`from_bytes`."""
        file = io.BytesIO()
        np.savez(file, allow_pickle=False, **vars(self))
        return file.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes | None) -> Self | None:
        """What :meth:`to_bytes` gave; none of none."""
        if data is None:
            return None
        try:
            with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
                return cls(**{name: arrays[name] for name in cls.__dataclass_fields__})
        except (OSError, ValueError, KeyError, EOFError) as error:
            raise RunError(f"the index's measured answers are damaged ({error}); build the index again") from None
