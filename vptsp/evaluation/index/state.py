"""One version of an index on disk, opened: its vectors, who of them is there, and its segment."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
from jaxtyping import Bool, Float32, Int64

from vptsp.errors import RunError
from vptsp.evaluation.index.engines import ENGINES, Engine, Segment
from vptsp.evaluation.index.protocol import Recall
from vptsp.evaluation.index.scan import rank, scan
from vptsp.evaluation.index.table import Table
from vptsp.evaluation.index.vectors import Vectors

_DEEPER = 40  # times as many candidates, at most, where a filter leaves few
_SMALL = 2**26  # bytes up to which a file of a segment is read whole before FAISS is given it


@dataclass(frozen=True)
class State:
    """What is searched until the table's stamp changes."""

    stamp: tuple[str, int]  # of the table
    facts: dict[str, Any]
    vectors: Vectors
    alive: Bool[np.ndarray, " M"]
    engine: Engine
    segment: Segment | None

    @classmethod
    def of(cls, folder: Path, table: Table) -> Self:
        """The version that a table stands for. Raises RunError for files that are missing, cut off or damaged."""
        facts = table.facts()
        vectors = Vectors(folder / facts["vectors"], facts["size"], facts["dtype"], facts["count"])
        alive = np.ones(facts["count"], dtype=bool)
        alive[table.removed()] = False
        engine: Engine = ENGINES.load(facts["engine"])()
        segment = None
        if facts["segment"]:
            files = [whole_file(folder / name, about) for name, about in facts["segment"].items()]
            segment = engine.open(files)
        return cls(table.stamp, facts, vectors, alive, engine, segment)

    @cached_property
    def images(self) -> int:
        """How many there are."""
        return int(self.alive.sum())

    @cached_property
    def bits(self) -> np.ndarray:
        """``alive`` as engines take it."""
        return np.packbits(self.alive, bitorder="little")

    @property
    def sealed(self) -> int:
        """Rows that the segment holds; those behind it are compared with directly."""
        return self.segment.rows if self.segment else 0

    @property
    def effort(self) -> int:
        """Of an approximate search, as it was chosen."""
        return int(self.facts["effort"] or (self.engine.efforts or (0,))[0])

    @property
    def recall(self) -> Recall | None:
        """What was measured; none where answers are exact."""
        return None if self.segment is None else Recall.kept(self.facts["recall"], self.facts["changes"])

    def rows_where(self, table: Table, where: Any) -> Bool[np.ndarray, " M"]:
        """Which rows a filter leaves: an SQL expression, ids, or none for all."""
        if where is None:
            return self.alive
        rows: Int64[np.ndarray, " m"]
        if isinstance(where, str):
            rows = table.rows_where(where)
        else:
            rows = np.fromiter(table.rows_of(list(where)).values(), dtype=np.int64)
        allowed = np.zeros(len(self.alive), dtype=bool)
        allowed[rows] = True
        return allowed & self.alive

    def guess(
        self,
        queries: Float32[np.ndarray, "Q E"],
        k: int,
        allowed: Bool[np.ndarray, " M"],
        own: Int64[np.ndarray, " Q"],
        effort: int,
    ) -> tuple[Int64[np.ndarray, "Q k"], Float32[np.ndarray, "Q k"]]:
        """Rows and cosines: candidates of the segment, and what is near behind it."""
        assert self.segment is not None
        whole = allowed is self.alive
        share = max(1, self.images if whole else int(allowed.sum())) / max(1, len(allowed))
        # where few are allowed, they lie further apart, and further down among what is alike
        harder, deeper = int(np.ceil(effort / share)), min(_DEEPER, int(np.ceil(1 / share)))
        bits = self.bits if whole else np.packbits(allowed, bitorder="little")
        guessed = self.segment.candidates(queries, deeper * (k + 1), bits, harder)
        behind, _ = scan(self.vectors, queries, k, allowed, own, self.sealed)
        return rank(self.vectors, queries, k, np.hstack([guessed, behind]), own)


def about_file(path: Path) -> dict[str, Any]:
    """Its size and SHA-256."""
    with open(path, "rb") as file:
        return {"bytes": path.stat().st_size, "sha256": hashlib.file_digest(file, "sha256").hexdigest()}


def whole_file(path: Path, about: dict[str, Any]) -> Path:
    """The path of a file that is as it was written: a large one by its size, others by their sum as well.

    FAISS would crash on some damaged files. Raises RunError.
    """
    try:
        size = path.stat().st_size
    except OSError as error:
        raise RunError(f"{path} cannot be read ({error.strerror}); build the index again") from None
    if size != about["bytes"] or (size <= _SMALL and about_file(path) != about):
        raise RunError(f"{path} is damaged or cut off; build the index again")
    return path
