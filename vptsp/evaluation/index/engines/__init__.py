"""Engines of an index on disk: how the nearest of many stored vectors are guessed.

An engine makes a *segment* of the first rows, files that never change, and a segment names candidates. Everything else
is the same for all: the index compares rows behind the segment with the query itself, scores all candidates by
their stored vectors, passes over removed images, and measures how often the guess is right. A new engine is a file with
a class that has the methods of :class:`Engine`, and a line here.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from vptsp.core.registry import Registry

if TYPE_CHECKING:
    import numpy as np
    from jaxtyping import Float32, Int64

    from vptsp.evaluation.index.vectors import Vectors


class Segment(Protocol):
    """The first ``rows`` rows, ready to be searched."""

    rows: int

    def candidates(
        self, queries: Float32[np.ndarray, "Q E"], wanted: int, allowed: np.ndarray, effort: int
    ) -> Int64[np.ndarray, "Q m"]:
        """Rows that may be among the ``wanted`` nearest allowed ones, in any order; -1 for none.

        ``allowed`` has a bit for each row, as np.packbits makes them with bitorder little. More ``effort`` finds more.
        """
        ...


class Engine(Protocol):
    """Makes and opens segments."""

    efforts: tuple[int, ...]  # worth trying, ascending; empty: there is no segment, all answers are exact
    least: int  # rows for which a segment is worth its while

    def build(self, stem: Path, vectors: Vectors, seed: int) -> list[Path]:
        """Write the segment of all rows into files whose names begin with ``stem``."""
        ...

    def extend(self, files: list[Path], stem: Path, vectors: Vectors) -> list[Path]:
        """Write a segment of all rows into new files, from the files of one of fewer rows."""
        ...

    def open(self, files: list[Path]) -> Segment:
        """A segment of files that are whole."""
        ...


ENGINES: Registry[Any] = Registry("index engine")
_HERE = __name__
ENGINES.add(
    "exact",
    f"{_HERE}.exact:Exact",
    title="exact",
    summary="compares with every image; memory does not grow with the gallery",
    source="brute force",
)
ENGINES.add(
    "hnsw",
    f"{_HERE}.hnsw:Hnsw",
    title="HNSW",
    summary="follows a graph of neighbours, which it holds in memory with the vectors",
    source="Malkov and Yashunin, TPAMI 2020; FAISS IndexHNSWFlat",
)
ENGINES.add(
    "ivf",
    f"{_HERE}.inverted:InvertedFlat",
    title="IVF-Flat",
    summary="compares with the images of the nearest lists, which lie on disk",
    source="Sivic and Zisserman, ICCV 2003; FAISS IndexIVFFlat",
)
ENGINES.add(
    "ivfpq",
    f"{_HERE}.inverted:InvertedProducts",
    title="IVF-PQ",
    summary="as ivf, over codes of a byte for 8 numbers; what they find is ranked by the stored vectors",
    source="Jegou et al., TPAMI 2011; FAISS IndexIVFPQ",
)
