"""No segment: every row is compared with."""

from __future__ import annotations

from pathlib import Path

from vptsp.evaluation.index.engines import Segment
from vptsp.evaluation.index.vectors import Vectors


class Exact:
    """The engine whose answers are the true ones."""

    efforts: tuple[int, ...] = ()
    least = 0

    def build(self, stem: Path, vectors: Vectors, seed: int) -> list[Path]:
        raise NotImplementedError("exact search has no segments")

    def extend(self, files: list[Path], stem: Path, vectors: Vectors) -> list[Path]:
        raise NotImplementedError("exact search has no segments")

    def open(self, files: list[Path]) -> Segment:
        raise NotImplementedError("exact search has no segments")
