"""A graph of neighbours, held in memory with its vectors (FAISS ``IndexHNSWFlat``)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import faiss
import numpy as np
from jaxtyping import Float32, Int64

from vptsp.evaluation.index.engines.faiss_file import filled
from vptsp.evaluation.index.vectors import Vectors
from vptsp.evaluation.ranking import faiss_own

_faiss: Any = faiss  # its type stubs do not know the search parameters
_LINKS = 32


class Hnsw:
    """The engine; ``effort`` is how many candidates are followed at a time."""

    efforts = (32, 64, 128, 256, 512, 1024)
    least = 2_000

    def build(self, stem: Path, vectors: Vectors, seed: int) -> list[Path]:
        return filled(faiss.IndexHNSWFlat(vectors.size, _LINKS, faiss.METRIC_INNER_PRODUCT), stem, vectors)

    def extend(self, files: list[Path], stem: Path, vectors: Vectors) -> list[Path]:
        return filled(faiss.read_index(str(files[0])), stem, vectors)

    def open(self, files: list[Path]) -> _Graph:
        return _Graph(faiss.read_index(str(files[0])))


class _Graph:
    def __init__(self, index: Any) -> None:
        self._index, self.rows = index, int(index.ntotal)

    def candidates(
        self, queries: Float32[np.ndarray, "Q E"], wanted: int, allowed: np.ndarray, effort: int
    ) -> Int64[np.ndarray, "Q m"]:
        chosen = _faiss.IDSelectorBitmap(allowed)
        parameters = _faiss.SearchParametersHNSW(sel=chosen, efSearch=max(effort, wanted))
        found: np.ndarray = faiss_own(self._index, "search")(queries, min(wanted, self.rows), params=parameters)[1]
        return found
