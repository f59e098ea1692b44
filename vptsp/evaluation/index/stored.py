"""An index on disk that images come into and go from, and that others may search meanwhile.

A folder of three things: ``index.sqlite``, which says what counts (:mod:`~vptsp.evaluation.index.table`); a file of
vectors that only grows (:mod:`~vptsp.evaluation.index.vectors`); and the files of a segment, from which an approximate
engine guesses (:mod:`~vptsp.evaluation.index.engines`). A change writes vectors or a segment first and then says so in
the table, in one transaction. Whatever a killed process leaves is either said, and whole, or not said, and swept away
by the next change.

Dimensions: G images, M rows (images, and those that were removed), E embedding size, Q queries, k neighbours.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
from jaxtyping import Float32, Int64

from vptsp.errors import ConfigError, DataError, RunError, explained
from vptsp.evaluation.index import table as tables
from vptsp.evaluation.index import upkeep
from vptsp.evaluation.index.engines import ENGINES
from vptsp.evaluation.index.folders import appearing, changing_alone, flush
from vptsp.evaluation.index.measured import Sample
from vptsp.evaluation.index.protocol import (
    Description,
    Found,
    Recall,
    Where,
    checked_queries,
    checked_vectors,
    require_new,
    require_same_model,
    require_some_left,
    require_there,
)
from vptsp.evaluation.index.scan import scan
from vptsp.evaluation.index.state import State
from vptsp.evaluation.index.vectors import DTYPES, Dtype, append
from vptsp.evaluation.ranking import Array

Columns = Mapping[str, Sequence[Any]]
Part = tuple[Array, Sequence[str], Columns | None]  # embeddings, ids, columns

_FEW = 50_000  # allowed images up to which a filtered search compares with all of them
_TRIES = 5  # to open a version while others write the next ones
_AT_ONCE = 2**23  # numbers of a part of what is built


class StoredIndex:
    """The index in a folder. :meth:`build` makes one, :meth:`load` opens one.

    It may be open in several processes and threads. One at a time changes it; another that wants to is told so in a
    RunError. A search sees the newest version that is whole.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self._state: State | None = None
        self._current()  # so that a folder without an index is refused now

    # --- making one -------------------------------------------------------------------------------
    @classmethod
    def build(
        cls,
        folder: str | Path,
        embeddings: Array,
        ids: Sequence[str],
        columns: Columns | None = None,
        **options: Any,
    ) -> Self:
        """An index of embeddings (G, E) under unique ids; see :meth:`build_parts` for the options.

        The embeddings may be a memory map larger than memory: they are read part by part.
        """
        if len(ids) != len(embeddings):
            raise DataError(f"{len(embeddings)} embeddings but {len(ids)} ids; give one id per embedding")
        step = max(1, _AT_ONCE // max(1, int(np.prod(embeddings.shape[1:]))))

        def parts() -> Iterator[Part]:
            for start in range(0, len(ids), step):
                part = slice(start, start + step)
                yield embeddings[part], ids[part], {name: v[part] for name, v in (columns or {}).items()}

        return cls.build_parts(folder, parts(), **options)

    @classmethod
    def build_parts(
        cls,
        folder: str | Path,
        parts: Iterable[Part],
        *,
        engine: str = "exact",
        dtype: Dtype = "float32",
        effort: int | None = None,
        target: float = 0.95,
        model: str | None = None,
        seed: int = 0,
    ) -> Self:
        """An index of what comes in parts: embeddings (n, E), their ids, and columns by name or none.

        ``engine`` is one of :data:`~vptsp.evaluation.index.ENGINES`. ``dtype`` is how vectors are stored: fp16 takes
        half the space and moves similarities by up to 5e-4. ``effort`` is how hard an approximate engine looks; none:
        as little as finds the share ``target`` of the true ten. ``model`` says which model the embeddings are of
        (:func:`vptsp.runs.checkpoints.fingerprint_of`); those of another are refused later on.

        The folder appears when everything is in it. Raises ConfigError for options that there are not, DataError for
        parts that do not fit, RunError for a folder that exists.
        """
        ENGINES.find(engine)
        if dtype not in DTYPES:
            raise ConfigError(f"dtype {dtype!r} is unknown; legal: {', '.join(DTYPES)}")
        if effort is not None and effort < 1:
            raise ConfigError(f"effort is {effort}; it must be at least 1")
        if not 0 < target <= 1:
            raise ConfigError(f"target is {target}; it is a share, above 0 and at most 1")
        place = Path(folder)
        options = {"engine": engine, "dtype": dtype, "asked_effort": effort, "target": target, "seed": seed}
        with appearing(place) as staging:
            index = None
            for embeddings, ids, columns in parts:
                if index is None:
                    size = checked_vectors(embeddings, ids).shape[1]
                    index = cls._empty(staging, size=size, model=model, **options)
                index._append(embeddings, ids, columns, False)
            if index is None or not len(index):
                raise DataError("there are no images to build an index of")
            upkeep.seal_if_many(staging, index._current())
            upkeep.measure(staging, index._current())
        return cls(place)

    @classmethod
    def _empty(cls, folder: Path, **facts: Any) -> Self:
        (folder / "vectors").write_bytes(b"")
        more = {"segment": {}, "trained_on": 0, "effort": facts["asked_effort"], "recall": None, "checksum": 0}
        tables.create(folder, vectors="vectors", count=0, changes=0, **more, **facts)
        return cls(folder)

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """The index in a folder. Raises RunError where there is none, or a damaged one."""
        return cls(folder)

    def save(self, folder: str | Path) -> None:
        """Copy the newest version into another folder, which appears when everything is in it."""
        with appearing(Path(folder)) as staging, self._asking() as (state, table):
            table.copy_to(staging / tables.NAME)
            names = [state.facts["vectors"], *state.facts["segment"]]
            with explained(staging):
                for name in names:
                    shutil.copyfile(self.folder / name, staging / name)
                    flush(staging / name)

    # --- what it is -------------------------------------------------------------------------------
    @property
    def kind(self) -> str:
        return str(self._current().facts["engine"])

    @property
    def size(self) -> int:
        """Embedding size E."""
        return int(self._current().facts["size"])

    @property
    def model(self) -> str | None:
        """The fingerprint of the model that the embeddings are of; none where nobody said."""
        found = self._current().facts["model"]
        return None if found is None else str(found)

    def require_model(self, model: str | None) -> None:
        """Raises DataError for embeddings of another model than those in the index; none is of any."""
        require_same_model(model, self.model)

    def __len__(self) -> int:
        return self._current().images

    @property
    def ids(self) -> list[str]:
        """Ids of all images, in the order in which they were added."""
        with self._asking() as (_, table):
            return table.ids()

    @property
    def columns(self) -> list[str]:
        """Names of what is known of each image."""
        with self._asking() as (_, table):
            return table.columns()

    def about(self, ids: Sequence[str]) -> dict[str, dict[str, Any]]:
        """The columns of images, by id, of those that are there."""
        with self._asking() as (_, table):
            return table.about(ids)

    def ids_where(self, where: str) -> list[str]:
        """Ids of the images of which an expression over the columns is true."""
        with self._asking() as (_, table):
            names = table.ids_of(table.rows_where(where).tolist())
            return [names[row] for row in sorted(names)]

    def vectors(self, ids: Sequence[str]) -> Float32[np.ndarray, "n E"]:
        """The stored unit embeddings of images. Raises DataError for ids that are not there."""
        with self._asking() as (state, table):
            return state.vectors.take(self._rows(table, ids))

    @property
    def recall(self) -> Recall | None:
        """What was measured of its answers; none where they are exact."""
        return self._current().recall

    def describe(self) -> Description:
        state = self._current()
        names = [tables.NAME, state.facts["vectors"], *state.facts["segment"]]
        on_disk = sum((self.folder / name).stat().st_size for name in names if (self.folder / name).is_file())
        facts = {
            "columns": ", ".join(self.columns) or "none",
            "stored as": state.facts["dtype"],
            "model": state.facts["model"] or "not said",
            "version": state.stamp[1],
        }
        if state.segment is not None:
            facts |= {"effort": state.effort, "images compared with directly": int(state.alive[state.sealed :].sum())}
        return Description(self.kind, state.images, self.size, on_disk, state.recall, facts)

    # --- search -----------------------------------------------------------------------------------
    def find(
        self, vectors: Array, k: int, exclude_ids: Sequence[str | None] | None = None, where: Where | None = None
    ) -> Found:
        """The k nearest images of each vector (Q, E); see :meth:`vptsp.evaluation.index.Index.find`.

        Where a filter leaves few images, or the engine is exact, so is the answer, and its ``recall`` is none.
        """
        with self._asking() as (state, table):
            queries, excluded = checked_queries(vectors, k, exclude_ids, state.vectors.size)
            rows = table.rows_of(sorted({name for name in excluded if name is not None}))
            own = np.array([rows.get(name, -1) if name is not None else -1 for name in excluded], dtype=np.int64)
            allowed = state.rows_where(table, where)
            if state.segment is None or (where is not None and allowed.sum() <= _FEW):
                (found, cosines), recall = scan(state.vectors, queries, k, allowed, own), None
            else:
                (found, cosines), recall = state.guess(queries, k, allowed, own, state.effort), state.recall
            names = table.ids_of(sorted(set(found[found >= 0].tolist())))
        return Found([[names[row] for row in line if row >= 0] for line in found.tolist()], cosines, recall)

    @contextlib.contextmanager
    def _asking(self) -> Iterator[tuple[State, tables.Table]]:
        """The newest version, and its table, which stays as it is inside."""
        for attempt in range(_TRIES):
            with tables.reading(self.folder) as table:
                try:
                    state = self._at(table)
                except RunError:
                    if attempt == _TRIES - 1:
                        raise
                    continue  # another process has written the index anew since, and removed these files
                yield state, table
                return

    def _current(self) -> State:
        with self._asking() as (state, _):
            return state

    def _at(self, table: tables.Table) -> State:
        state = self._state
        if state is None or state.stamp != table.stamp:
            self._state = state = State.of(self.folder, table)
        return state

    @staticmethod
    def _rows(table: tables.Table, ids: Sequence[str]) -> Int64[np.ndarray, " n"]:
        rows = table.rows_of(ids)
        require_there(ids, rows)
        return np.array([rows[name] for name in ids], dtype=np.int64)

    # --- change -----------------------------------------------------------------------------------
    def add(
        self,
        embeddings: Array,
        ids: Sequence[str],
        columns: Columns | None = None,
        *,
        replace: bool = False,
        model: str | None = None,
        measure: bool = True,
    ) -> None:
        """Add embeddings (n, E) under their ids, with what is known of them by column.

        With ``replace`` an image whose id is there gives way to the new one. ``model`` is the fingerprint of theirs.
        ``measure`` false leaves the recall as it was, and :meth:`describe` says so, until :meth:`measure` is called.

        Raises DataError, with the index unchanged, for what does not fit: another size, NaN, ids that repeat or are
        there, embeddings of another model. Raises RunError while another process changes the index.
        """
        with changing_alone(self.folder):
            self.require_model(model)
            self._append(embeddings, ids, columns, replace)
            self._tidy(measure)

    def remove(self, ids: Sequence[str], *, measure: bool = True) -> None:
        """Remove images. Raises DataError, with the index unchanged, for unknown ids and when none would be left."""
        with changing_alone(self.folder):
            state = self._current()
            with tables.changing(self.folder) as table:
                gone = np.unique(self._rows(table, ids))
                require_some_left(len(gone), state.images)
                self._drop(state, table, gone)
            self._tidy(measure)

    def measure(self) -> Recall | None:
        """Compare the engine's answers to the sample with the true ones, keep what comes out, and return it."""
        with changing_alone(self.folder):
            upkeep.measure(self.folder, self._current())
            return self.recall

    def _append(self, embeddings: Array, ids: Sequence[str], columns: Columns | None, replace: bool) -> None:
        """Vectors behind the others, then a transaction that says that they count."""
        state = self._current()
        ids = [str(name) for name in ids]
        vectors = checked_vectors(embeddings, ids, state.vectors.size)
        _require_text(ids)
        for name, values in (columns or {}).items():
            if len(values) != len(ids):
                raise DataError(f"{len(ids)} ids but {len(values)} values of {name!r}; give one for each image")
        if not ids:
            return
        with self._asking() as (_, table):
            known = table.rows_of(ids)
        if not replace:
            require_new(ids, known)
        first_row = state.vectors.count
        checksum = append(state.vectors, vectors, state.facts["checksum"])
        with tables.changing(self.folder) as table:
            if known:
                self._drop(state, table, np.array(sorted(known.values()), dtype=np.int64))
            table.put(first_row, ids, columns or {})
            sample = Sample.from_bytes(table.blob("sample"))
            if sample is not None:
                sample.added(vectors.astype(state.vectors.dtype).astype(np.float32), first_row)
                table.keep_blob("sample", sample.to_bytes())
            table.keep(count=first_row + len(ids), checksum=checksum, changes=table.facts()["changes"] + 1)

    def _drop(self, state: State, table: tables.Table, rows: Int64[np.ndarray, " n"]) -> None:
        table.drop(rows.tolist())
        sample = Sample.from_bytes(table.blob("sample"))
        if sample is not None:
            alive = state.alive.copy()
            alive[rows] = False
            sample.removed(rows, state.vectors, alive)
            table.keep_blob("sample", sample.to_bytes())
        table.keep(changes=table.facts()["changes"] + 1)

    def _tidy(self, measure: bool) -> None:
        """What a change makes necessary: fewer dead rows, fewer behind the segment, a recall that holds."""
        upkeep.rewrite_if_sparse(self.folder, self._current())
        upkeep.seal_if_many(self.folder, self._current())
        if measure and self._current().segment is not None:
            upkeep.measure(self.folder, self._current())
        upkeep.sweep(self.folder, self._current())


def _require_text(ids: Sequence[str]) -> None:
    for name in ids:
        try:
            name.encode()
        except UnicodeEncodeError:
            raise DataError(f"the id {name!r} is no text that can be kept; rename its file") from None
