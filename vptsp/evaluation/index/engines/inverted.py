"""Inverted lists on disk: the images of each of many cells, as vectors or as codes (FAISS ``IndexIVF``).

The cells are trained on a sample, then the rows pass through memory block by block, and only what the lists keep of
them stays until it is written: of IVF-PQ E / 8 + 8 bytes a row, of IVF-Flat 4 E + 8. To be searched, the file is mapped
into memory, so that only lists that are looked at are read.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, ClassVar

import faiss
import numpy as np
from faiss.contrib.ivf_tools import add_preassigned
from jaxtyping import Float32, Int64

from vptsp.evaluation.index.engines.cells import learned_cells, nearest_cells
from vptsp.evaluation.index.engines.faiss_file import written
from vptsp.evaluation.index.vectors import Vectors
from vptsp.evaluation.ranking import faiss_own

_faiss: Any = faiss  # its type stubs do not know the search parameters
_PER_LIST = 39  # rows per list to train on, below which FAISS warns of poor lists
_MOST_FOR_CODES = 64 * 2**8  # vectors that codes are trained on, 64 for each value: more find hardly more
_MOST_LISTS = 2**12  # the time of building grows with them; that of a search over codes hardly falls


class _Inverted(ABC):
    """``effort`` is the number of nearest lists that are searched."""

    efforts = (4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048)  # of ten million images 256 are too few
    more: ClassVar[int]  # candidates for each one that is wanted
    least: int

    @abstractmethod
    def untrained(self, cells: faiss.IndexFlatIP) -> Any:
        """An index without images whose lists are of these cells."""

    def build(self, stem: Path, vectors: Vectors, seed: int) -> list[Path]:
        lists = max(1, min(round(4 * math.sqrt(vectors.count)), vectors.count // _PER_LIST, _MOST_LISTS))
        sample = _sample(vectors, max(_PER_LIST * lists, 10_000), seed)
        cells: Any = faiss.IndexFlatIP(vectors.size)
        faiss_own(cells, "add")(learned_cells(sample, lists, seed))
        index = self.untrained(cells)
        faiss_own(index, "train")(sample[:_MOST_FOR_CODES])  # the cells are known: of codes alone, if there are any
        return _filled(index, stem, vectors)

    def extend(self, files: list[Path], stem: Path, vectors: Vectors) -> list[Path]:
        return _filled(faiss.read_index(str(files[0])), stem, vectors)

    def open(self, files: list[Path]) -> _Lists:
        return _Lists(faiss.read_index(str(files[0]), faiss.IO_FLAG_MMAP), self.more)


class InvertedFlat(_Inverted):
    """Lists of whole vectors in fp32."""

    more = 1
    least = 2_000

    def untrained(self, cells: faiss.IndexFlatIP) -> Any:
        return faiss.IndexIVFFlat(cells, cells.d, cells.ntotal, faiss.METRIC_INNER_PRODUCT)


class InvertedProducts(_Inverted):
    """Lists of product codes: of each 8 numbers, less the cell's centre, a byte."""

    more = 10  # codes are rough: what they put among the first ten times as many is ranked by its vectors
    least = 10_000

    def untrained(self, cells: faiss.IndexFlatIP) -> Any:
        return faiss.IndexIVFPQ(cells, cells.d, cells.ntotal, codes_of(cells.d), 8, faiss.METRIC_INNER_PRODUCT)


def codes_of(size: int) -> int:
    """Bytes that stand for a vector of ``size`` numbers: one for 8 of them, or for the most that divide it."""
    return size // next(number for number in (8, 7, 6, 5, 4, 3, 2, 1) if size % number == 0)


def _sample(vectors: Vectors, most: int, seed: int) -> Float32[np.ndarray, "m E"]:
    """Seeded rows, from one reading of the file: a map of it would count as memory of this process."""
    chosen = np.ones(vectors.count, dtype=bool)
    if most < vectors.count:
        chosen[:] = False
        chosen[np.random.default_rng(seed).choice(vectors.count, most, replace=False)] = True
    return np.concatenate([block[chosen[first : first + len(block)]] for first, block in vectors.blocks()])


def _filled(index: Any, stem: Path, vectors: Vectors) -> list[Path]:
    """The rows that the index lacks put into its lists, block by block, and the whole written; the file's path."""
    centres = faiss_own(index.quantizer, "reconstruct_n")(0, index.nlist)
    for _, block in vectors.blocks(index.ntotal):
        add_preassigned(index, block, nearest_cells(block, centres)[0])
    return written(index, stem)


class _Lists:
    def __init__(self, index: Any, more: int) -> None:
        self._index, self._more, self.rows = index, more, int(index.ntotal)

    def candidates(
        self, queries: Float32[np.ndarray, "Q E"], wanted: int, allowed: np.ndarray, effort: int
    ) -> Int64[np.ndarray, "Q m"]:
        parameters = _faiss.SearchParametersIVF(
            sel=_faiss.IDSelectorBitmap(allowed), nprobe=min(effort, self._index.nlist)
        )
        most = min(wanted * self._more, self.rows)
        found: np.ndarray = faiss_own(self._index, "search")(queries, most, params=parameters)[1]
        return found
