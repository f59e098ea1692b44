"""An index as a LanceDB table: vectors and columns of any kind in one place, versions of it, filters in its own SQL.

For galleries whose columns (thumbnails, texts, tables of facts) matter as much as their vectors, and for programs that
read Lance already. Needs ``pip install 'vptsp-workbench[lance]'``. A change is one commit of the table, or a few, each
whole; ``index.json`` beside it holds what the table does not: the recall, and of which version it is.

Dimensions: G images, E embedding size, Q queries, k neighbours.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Self

import numpy as np
import pyarrow as pa
from jaxtyping import Float32

from vptsp.errors import DataError, RunError, UsageError
from vptsp.evaluation.index.certain import Candidates, nearest
from vptsp.evaluation.index.engines.inverted import codes_of
from vptsp.evaluation.index.folders import appearing, changing_alone
from vptsp.evaluation.index.lance_rows import RESERVED, among, arrow, matrix
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
from vptsp.evaluation.ranking import Array
from vptsp.files import read_json, write_json
from vptsp.text import plain

Columns = Mapping[str, Sequence[Any]]
FACTS, TABLE = "lance.json", "images"
LEAST = 10_000  # images from which there is an approximate index of them
_PROBES, _REFINED = 20, 10  # lists that are searched; candidates for each one wanted, ranked by their vectors
_SAMPLED, _SAMPLED_K = 100, 10
_REMEDY = "build the index again"


class LanceIndex:
    """The index in a folder; :meth:`build` makes one, :meth:`load` opens one.

    It answers exactly while it has fewer than ``LEAST`` images. Beyond, LanceDB's IVF-PQ guesses, and what it finds is
    ranked by the stored fp32 vectors; images that are newer than the last ``optimize`` are compared with directly.
    """

    kind = "lance"

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self._facts: dict[str, Any] = read_json(self.folder / FACTS, _REMEDY)
        self._table()

    # --- making one -------------------------------------------------------------------------------
    @classmethod
    def build(
        cls,
        folder: str | Path,
        embeddings: Array,
        ids: Sequence[str],
        columns: Columns | None = None,
        *,
        model: str | None = None,
        seed: int = 0,
    ) -> Self:
        """An index of embeddings (G, E) under unique ids, with columns of values that Arrow holds (bytes as well).

        The folder appears when everything is in it. Raises DataError for parts that do not fit, UsageError where
        LanceDB is not installed.
        """
        lancedb = _lancedb()
        vectors = checked_vectors(embeddings, ids)
        if not len(vectors):
            raise DataError("there are no images to build an index of")
        place = Path(folder)
        with appearing(place) as staging:
            lancedb.connect(str(staging)).create_table(TABLE, arrow(vectors, ids, columns or {}, 0))
            facts = {"size": vectors.shape[1], "model": model, "seed": seed, "recall": None}
            write_json(staging / FACTS, facts)
            index = cls(staging)
            index._tidy()
        return cls(place)

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """The index in a folder. Raises RunError where there is none."""
        return cls(folder)

    def save(self, folder: str | Path) -> None:
        """Copy the index into another folder; nobody may change it meanwhile."""
        with changing_alone(self.folder), appearing(Path(folder)) as staging:
            shutil.copytree(self.folder, staging, dirs_exist_ok=True, ignore=shutil.ignore_patterns(".lock"))

    def _table(self) -> Any:
        """The newest version of the table."""
        try:
            return _lancedb().connect(str(self.folder)).open_table(TABLE)
        except (ValueError, OSError, RuntimeError) as error:
            raise RunError(f"{self.folder} cannot be read as an index ({plain(error, 200)}); {_REMEDY}") from None

    # --- what it is -------------------------------------------------------------------------------
    @property
    def size(self) -> int:
        """Embedding size E."""
        return int(self._facts["size"])

    @property
    def model(self) -> str | None:
        """The fingerprint of the model that the embeddings are of; none where nobody said."""
        found = self._facts["model"]
        return None if found is None else str(found)

    def require_model(self, model: str | None) -> None:
        """Raises DataError for embeddings of another model than those in the index; none is of any."""
        require_same_model(model, self.model)

    def __len__(self) -> int:
        return int(self._table().count_rows())

    @property
    def ids(self) -> list[str]:
        """Ids of all images, in the order in which they were added."""
        rows = self._table().search().select(["id", "row"]).limit(len(self)).to_arrow()
        return [str(name) for name in rows.sort_by("row")["id"].to_pylist()]

    @property
    def columns(self) -> list[str]:
        """Names of what is known of each image."""
        return [name for name in self._table().schema.names if name not in RESERVED]

    def about(self, ids: Sequence[str]) -> dict[str, dict[str, Any]]:
        """The columns of images, by id, of those that are there."""
        if not ids or not self.columns:
            return {name: {} for name in ids}
        found = self._table().search().where(among(ids)).select(["id", *self.columns]).limit(len(ids)).to_arrow()
        return {line.pop("id"): line for line in found.to_pylist()}

    def ids_where(self, where: str) -> list[str]:
        """Ids of the images of which an expression over the columns is true."""
        found = self._asked(self._table().search().where(where), ["id", "row"], len(self))
        return [str(name) for name in found.sort_by("row")["id"].to_pylist()]

    def vectors(self, ids: Sequence[str]) -> Float32[np.ndarray, "n E"]:
        """The stored unit embeddings of images. Raises DataError for ids that are not there."""
        table = self._table()
        found = table.search().where(among(ids)).select(["id", "vector"]).limit(len(ids)).to_arrow() if ids else None
        names = found["id"].to_pylist() if found is not None else []
        place = {name: row for row, name in enumerate(names)}
        require_there(ids, place)
        stored = matrix(found["vector"], self.size) if found is not None else np.empty((0, self.size), np.float32)
        return stored[[place[name] for name in ids]]

    @property
    def recall(self) -> Recall | None:
        """What was measured of its answers; none where they are exact."""
        table = self._table()
        if not table.list_indices():
            return None
        return Recall.kept(read_json(self.folder / FACTS, _REMEDY)["recall"], table.version)

    def describe(self) -> Description:
        on_disk = sum(path.stat().st_size for path in self.folder.rglob("*") if path.is_file())
        facts = {
            "columns": ", ".join(self.columns) or "none",
            "model": self.model or "not said",
            "version": self._table().version,
        }
        return Description(self.kind, len(self), self.size, on_disk, self.recall, facts)

    # --- search -----------------------------------------------------------------------------------
    def find(
        self, vectors: Array, k: int, exclude_ids: Sequence[str | None] | None = None, where: Where | None = None
    ) -> Found:
        """The k nearest images of each vector (Q, E); see :meth:`vptsp.evaluation.index.Index.find`."""
        queries, excluded = checked_queries(vectors, k, exclude_ids, self.size)
        table = self._table()
        expression = where if where is None or isinstance(where, str) else among(list(where))
        guessed = bool(table.list_indices())
        lines = [self._one(table, q, k, own, expression, guessed) for q, own in zip(queries, excluded, strict=True)]
        similarities = np.full((len(queries), k), -np.inf, dtype=np.float32)
        for line, (_, cosines) in zip(similarities, lines, strict=True):
            line[: len(cosines)] = cosines
        return Found([ids for ids, _ in lines], similarities, self.recall)

    def _one(
        self, table: Any, query: np.ndarray, k: int, own: str | None, where: str | None, guessed: bool
    ) -> tuple[list[str], Float32[np.ndarray, " m"]]:
        """Ids and cosines."""

        def ask(most: int) -> Candidates:
            asked = table.search(query).distance_type("dot")
            asked = asked.nprobes(_PROBES).refine_factor(_REFINED) if guessed else asked.bypass_vector_index()
            asked = asked.where(where, prefilter=True) if where is not None else asked
            found = self._asked(asked, ["id", "row", "vector", "_distance"], most)
            least = 1 - found["_distance"].to_numpy().max() if len(found) else -np.inf  # it gives 1 - cosine
            rows = found["row"].to_numpy()
            return Candidates(found["id"].to_pylist(), rows, matrix(found["vector"], self.size), float(least))

        return nearest(query, k, own, int(table.count_rows()), ask, exact=not guessed)

    def _asked(self, question: Any, columns: list[str], most: int) -> pa.Table:
        """The answer to a question. Raises DataError for a filter that LanceDB does not understand."""
        try:
            return question.select(columns).limit(max(1, most)).to_arrow()
        except (ValueError, RuntimeError) as error:
            names = ", ".join(plain(name) for name in ("id", *self.columns))
            raise DataError(
                f"the filter cannot be used ({plain(error, 200)}); it is an SQL expression over the columns {names}, "
                "such as id LIKE 'a%'"
            ) from None

    # --- change -----------------------------------------------------------------------------------
    def add(
        self,
        embeddings: Array,
        ids: Sequence[str],
        columns: Columns | None = None,
        *,
        replace: bool = False,
        model: str | None = None,
    ) -> None:
        """Add embeddings (n, E) under their ids, with the columns that the table has; those not given are null.

        With ``replace`` an image whose id is there gives way to the new one, in the same commit. Raises DataError, with
        the index unchanged, for what does not fit. Raises RunError while another process changes the index.
        """
        with changing_alone(self.folder):
            self.require_model(model)
            vectors = checked_vectors(embeddings, ids, self.size)
            unknown = [name for name in columns or {} if name not in self.columns]
            if unknown:
                raise DataError(f"there is no column {unknown[0]!r}; legal: {', '.join(self.columns) or 'none'}")
            if not len(vectors):
                return
            table = self._table()
            if not replace:
                known = table.search().where(among(ids)).select(["id"]).limit(len(ids)).to_arrow()["id"].to_pylist()
                require_new(ids, set(known))
            rows = table.search().select(["row"]).limit(len(self)).to_arrow()["row"]
            new = arrow(vectors, ids, columns or {}, 1 + max(rows.to_pylist()), table.schema)
            table.merge_insert("id").when_matched_update_all().when_not_matched_insert_all().execute(new)
            self._tidy()

    def remove(self, ids: Sequence[str]) -> None:
        """Remove images. Raises DataError, with the index unchanged, for unknown ids and when none would be left."""
        with changing_alone(self.folder):
            self.vectors(ids)  # says which are unknown
            require_some_left(len(set(ids)), len(self))
            self._table().delete(among(ids))
            self._tidy()

    def measure(self) -> Recall | None:
        """Compare the guesses for a seeded sample of images with the true answers, keep it, and return it."""
        with changing_alone(self.folder):
            self._measured()
            return self.recall

    def _tidy(self) -> None:
        """An approximate index where there are many images, of the new ones as well, and a recall that holds."""
        table = self._table()
        if len(self) >= LEAST:
            if table.list_indices():
                table.optimize()
            else:
                from lancedb.index import IvfPq  # type: ignore[import-not-found,unused-ignore]

                table.create_index("vector", config=IvfPq(distance_type="dot", num_sub_vectors=codes_of(self.size)))
        self._measured()

    def _measured(self) -> None:
        table = self._table()
        facts = read_json(self.folder / FACTS, _REMEDY)
        facts["recall"] = None
        if table.list_indices():
            names = self.ids
            chosen = np.random.default_rng(facts["seed"]).choice(len(names), min(_SAMPLED, len(names)), replace=False)
            own = [names[row] for row in np.sort(chosen)]
            right = 0.0
            for name, query in zip(own, self.vectors(own), strict=True):
                true = self._one(table, query, _SAMPLED_K, name, None, False)[1]
                found = self._one(table, query, _SAMPLED_K, name, None, True)[1]
                right += float((found >= np.nextafter(true[-1], -1)).sum()) / len(true)
            facts["recall"] = {**asdict(Recall(right / len(own), _SAMPLED_K, len(own))), "of": table.version}
        write_json(self.folder / FACTS, facts)
        self._facts = facts


def _lancedb() -> Any:
    try:
        import lancedb  # type: ignore[import-not-found,unused-ignore]
    except ImportError:
        raise UsageError("a Lance index needs the package lancedb: pip install 'vptsp-workbench[lance]'") from None
    return lancedb
