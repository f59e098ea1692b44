"""What every index of a gallery can do, and what it answers with.

Dimensions: G gallery images, E embedding size, Q queries, k neighbours.
"""

from __future__ import annotations

from collections.abc import Collection, Container, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, Self, TypeAlias, runtime_checkable

import numpy as np
from jaxtyping import Float32

from vptsp.errors import DataError
from vptsp.evaluation.ranking import Array, unit_rows

Where: TypeAlias = str | Collection[str]  # an expression over the columns (SQL), or the ids to search among
_WORDS = {1: "one", 5: "five", 10: "ten", 20: "twenty"}


@dataclass(frozen=True)
class Recall:
    """How many of the truly nearest ``k`` an approximate index finds: ``share`` of 1, over ``queries`` images.

    The queries are a seeded sample of the gallery's own images, each searched without itself. ``current`` is false
    where the gallery has changed since.
    """

    share: float
    k: int
    queries: int
    current: bool = True

    @classmethod
    def kept(cls, told: Mapping[str, Any] | None, now: int) -> Self:
        """What an index wrote down, ``of`` the version that was measured; of version ``now`` it is current."""
        if told is None:
            return cls(float("nan"), 0, 0, False)
        return cls(told["share"], told["k"], told["queries"], told["of"] == now)

    def __str__(self) -> str:
        old = "" if self.current else ", measured before the last change"
        return f"finds {100 * self.share:.1f} % of the true {_WORDS.get(self.k, self.k)}{old}"


@dataclass(frozen=True)
class Found:
    """What Q queries found: ``ids`` by rank, nearest first, shorter than k where there are no more.

    ``similarities`` are exact cosines with the stored vectors, -inf beyond the last id. ``recall`` is what was measured
    of an approximate answer, none where the answer is exact.
    """

    ids: list[list[str]]
    similarities: Float32[np.ndarray, "Q k"]
    recall: Recall | None = None


@dataclass(frozen=True)
class Description:
    """An index in words and numbers: engine, images, embedding size E, bytes on disk, recall (none: exact)."""

    engine: str
    images: int
    size: int
    bytes: int
    recall: Recall | None
    facts: Mapping[str, Any] = field(default_factory=dict)  # what else the engine says

    def lines(self) -> list[str]:
        """For a person, a fact a line."""
        answers = "exact answers" if self.recall is None else str(self.recall)
        lines = [f"{self.images:,} images of {self.size} numbers each, engine {self.engine}: {answers}"]
        lines += [f"{self.bytes / 2**20:,.1f} MiB on disk"] if self.bytes else []
        return [*lines, *(f"{name}: {value}" for name, value in self.facts.items())]


@runtime_checkable
class Index(Protocol):
    """Embeddings by id, searched by cosine similarity.

    Every method leaves the index as it was where it raises: DataError for input that does not fit, RunError for files.
    """

    @property
    def kind(self) -> str:
        """The engine's name."""
        ...

    @property
    def size(self) -> int:
        """Embedding size E."""
        ...

    @property
    def ids(self) -> Sequence[str]:
        """Of all images, in the order in which they were added."""
        ...

    def __len__(self) -> int: ...

    def find(
        self, vectors: Array, k: int, exclude_ids: Sequence[str | None] | None = None, where: Where | None = None
    ) -> Found:
        """The k nearest images of each vector (Q, E), equal similarities in the order in which they were added.

        ``exclude_ids`` names for each query the image that it is, which it must not find. ``where`` says among which
        images is searched: an expression over the columns, where the index has any, or ids.
        """
        ...

    def add(
        self,
        embeddings: Array,
        ids: Sequence[str],
        columns: Mapping[str, Sequence[Any]] | None = None,
        *,
        replace: bool = False,
    ) -> None:
        """Add embeddings (n, E) under their ids; with ``replace`` an image whose id is there gives way to the new."""
        ...

    def remove(self, ids: Sequence[str]) -> None:
        """Remove images by id."""
        ...

    def save(self, folder: str | Path) -> None:
        """Write the index as it is now into a folder."""
        ...

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """The index that a folder holds."""
        ...

    def describe(self) -> Description:
        """What it is, and what its answers are worth."""
        ...


def checked_vectors(embeddings: Array, ids: Sequence[str], size: int | None = None) -> Float32[np.ndarray, "n E"]:
    """Unit embeddings (n, E). Raises DataError for NaN, another size, and ids that are too few or not unique."""
    if isinstance(embeddings, np.ndarray) and not embeddings.flags.writeable:
        embeddings = np.array(embeddings)  # of a memory map: torch warns of arrays that it may not write
    vectors = unit_rows(embeddings)
    if len(ids) != len(vectors):
        raise DataError(f"{len(vectors)} embeddings but {len(ids)} ids; give one id per embedding")
    if len(set(ids)) != len(ids):
        raise DataError(f"{len(ids) - len(set(ids))} of {len(ids)} ids are not unique")
    if size is not None and vectors.shape[1] != size:
        raise DataError(f"the embeddings have {vectors.shape[1]} numbers each, the index holds {size}")
    return vectors


def checked_queries(
    vectors: Array, k: int, exclude_ids: Sequence[str | None] | None, size: int
) -> tuple[Float32[np.ndarray, "Q E"], Sequence[str | None]]:
    """Unit queries and an excluded id (or none) for each. Raises DataError for what does not fit the index."""
    queries = unit_rows(vectors)
    if queries.shape[1] != size:
        raise DataError(f"the queries have {queries.shape[1]} numbers each, the index holds {size}")
    if k < 1:
        raise DataError(f"k is {k}; it must be at least 1")
    if exclude_ids is not None and len(exclude_ids) != len(queries):
        raise DataError(f"{len(queries)} queries but {len(exclude_ids)} exclude_ids; give one per query")
    return queries, exclude_ids if exclude_ids is not None else [None] * len(queries)


def require_there(ids: Sequence[str], known: Container[str]) -> None:
    """Raises DataError for ids that are not among the known ones."""
    unknown = [name for name in ids if name not in known]
    if unknown:
        raise DataError(f"{len(unknown)} of {len(ids)} ids are not in the index, the first is {unknown[0]!r}")


def require_new(ids: Sequence[str], known: Container[str]) -> None:
    """Raises DataError for ids that are among the known ones."""
    there = [name for name in ids if name in known]
    if there:
        raise DataError(
            f"{len(there)} of {len(ids)} ids are in the index already, the first is {there[0]!r}; "
            "remove them first, or replace them"
        )


def require_some_left(gone: int, images: int) -> None:
    """Raises DataError where ``gone`` are all of the images."""
    if gone == images:
        raise DataError(f"removing all {images} images would leave an index of nothing; delete it instead")


def require_same_model(model: str | None, known: str | None) -> None:
    """Raises DataError for the fingerprints of two models; none is that of any."""
    if model is not None and known is not None and model != known:
        raise DataError(
            f"the embeddings are of the model {model[:12]}, the index holds those of {known[:12]}, and similarities "
            "between two models mean nothing; embed the images with the index's model, or build another index"
        )
