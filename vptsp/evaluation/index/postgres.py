"""An index as a table of a PostgreSQL server with pgvector, for a team that runs one: named by a URL.

Every change is one transaction, readers see the version before or after it, and filters are SQL over the table's
columns. Needs ``pip install 'vptsp-workbench[postgres]'``; ``TABLE_facts`` beside the table holds the model and the
recall. Dimensions: G images, E embedding size, Q queries, k neighbours.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Self

import numpy as np
from jaxtyping import Float32

from vptsp.errors import ConfigError, DataError, RunError
from vptsp.evaluation.index.certain import Candidates, nearest
from vptsp.evaluation.index.postgres_address import Address, connected
from vptsp.evaluation.index.postgres_rows import columns_of, keep, put, quoted, vectors_of
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
from vptsp.text import plain

Columns = Mapping[str, Sequence[Any]]
KINDS = ("exact", "hnsw")
_EFFORTS = (40, 80, 160, 320, 640, 1000)  # pgvector follows 1000 at most
_LARGEST = 2000  # numbers of a vector that pgvector's HNSW takes
_SAMPLED, _SAMPLED_K = 100, 10
_AT_ONCE = 10_000  # images that are copied into a folder at once


class PostgresIndex:
    """The index at a URL; :meth:`build` makes one, :meth:`load` opens one.

    It compares with every image (``exact``), or follows pgvector's graph (``hnsw``); an answer with a filter is always
    exact. Whatever the server names is ranked by its fp32 vectors.
    """

    def __init__(self, url: str) -> None:
        self.address = Address.of(url)
        self._table = self.address.table
        with self._reading() as db:
            facts = self._facts(db)
        self.kind, self.size = str(facts["kind"]), int(facts["size"])

    # --- making one -------------------------------------------------------------------------------
    @classmethod
    def build(
        cls,
        url: str,
        embeddings: Array,
        ids: Sequence[str],
        columns: Columns | None = None,
        *,
        kind: str = "exact",
        target: float = 0.95,
        model: str | None = None,
        seed: int = 0,
    ) -> Self:
        """A table of embeddings (G, E) under unique ids, in one transaction.

        Raises DataError for parts that do not fit, ConfigError for a kind that there is not, RunError for a table that
        exists, a server that is away or has no pgvector.
        """
        if kind not in KINDS:
            raise ConfigError(f"a PostgreSQL server has no engine {kind!r}; legal: {', '.join(KINDS)}")
        vectors = checked_vectors(embeddings, ids)
        if not len(vectors):
            raise DataError("there are no images to build an index of")
        size, address = vectors.shape[1], Address.of(url)
        if kind == "hnsw" and size > _LARGEST:
            raise ConfigError(f"pgvector's graph takes {_LARGEST} numbers an image, not {size}; choose the kind exact")
        table = address.table
        with connected(address, change=True) as db:
            if db.execute("SELECT to_regclass(%s)", (table,)).fetchone()[0] is not None:
                raise RunError(f"{address.words} exists already; choose another table, or drop it first")
            db.execute("CREATE EXTENSION IF NOT EXISTS vector")
            names = f"row bigint PRIMARY KEY, id text NOT NULL UNIQUE, vector vector({size}) NOT NULL"
            db.execute(f"CREATE TABLE {table} ({names})")
            db.execute(f"CREATE TABLE {table}_facts (name text PRIMARY KEY, value jsonb)")
            if kind == "hnsw":
                db.execute(f"CREATE INDEX {table}_near ON {table} USING hnsw (vector vector_ip_ops)")
            keep(db, table, kind=kind, size=size, model=model, seed=seed, target=target, effort=_EFFORTS[0])
            keep(db, table, changes=0, recall=None)
            put(db, table, 0, vectors, ids, columns or {})
        index = cls(url)
        index.measure()
        return index

    @classmethod
    def load(cls, url: str | Path) -> Self:
        """The index at a URL. Raises RunError where there is none, or no server."""
        return cls(str(url))

    def save(self, folder: str | Path) -> None:
        """Copy the newest version into a folder, as an exact index on disk."""
        from vptsp.evaluation.index.stored import StoredIndex

        StoredIndex.build_parts(folder, self._parts(), model=self.model)

    def _parts(self) -> Iterator[tuple[np.ndarray, list[str], Columns]]:
        with self._reading() as db:
            names = list(columns_of(db, self._table))
            listed = "".join(f", {quoted(name)}" for name in names)
            with db.cursor("images") as cursor:  # on the server: not all at once
                cursor.execute(f"SELECT id, vector_send(vector){listed} FROM {self._table} ORDER BY row")
                while lines := cursor.fetchmany(_AT_ONCE):
                    ids, sent, *values = zip(*lines, strict=True)
                    yield vectors_of(sent, self.size), list(ids), dict(zip(names, values, strict=True))

    # --- what it is -------------------------------------------------------------------------------
    @property
    def model(self) -> str | None:
        """The fingerprint of the model that the embeddings are of; none where nobody said."""
        with self._reading() as db:
            found = self._facts(db)["model"]
        return None if found is None else str(found)

    def require_model(self, model: str | None) -> None:
        """Raises DataError for embeddings of another model than those in the index; none is of any."""
        require_same_model(model, self.model)

    def __len__(self) -> int:
        with self._reading() as db:
            return self._count(db)

    @property
    def ids(self) -> list[str]:
        """Ids of all images, in the order in which they were added."""
        with self._reading() as db:
            return [name for (name,) in db.execute(f"SELECT id FROM {self._table} ORDER BY row")]

    @property
    def columns(self) -> list[str]:
        """Names of what is known of each image."""
        with self._reading() as db:
            return list(columns_of(db, self._table))

    def about(self, ids: Sequence[str]) -> dict[str, dict[str, Any]]:
        """The columns of images, by id, of those that are there."""
        with self._reading() as db:
            names = list(columns_of(db, self._table))
            listed = "".join(f", {quoted(name)}" for name in names).replace("%", "%%")
            found = db.execute(f"SELECT id{listed} FROM {self._table} WHERE id = ANY(%s)", (list(ids),)).fetchall()
        return {name: dict(zip(names, values, strict=True)) for name, *values in found}

    def ids_where(self, where: str) -> list[str]:
        """Ids of the images of which an expression over the columns is true."""
        with self._reading() as db:
            return [name for (name,) in self._asked(db, f"SELECT id FROM {self._table}", where, "ORDER BY row", ())]

    def vectors(self, ids: Sequence[str]) -> Float32[np.ndarray, "n E"]:
        """The stored unit embeddings of images. Raises DataError for ids that are not there."""
        with self._reading() as db:
            return self._vectors(db, ids)

    def _vectors(self, db: Any, ids: Sequence[str]) -> Float32[np.ndarray, "n E"]:
        found = dict(
            db.execute(f"SELECT id, vector_send(vector) FROM {self._table} WHERE id = ANY(%s)", (list(ids),)).fetchall()
        )
        require_there(ids, found)
        return vectors_of([found[name] for name in ids], self.size)

    @property
    def recall(self) -> Recall | None:
        """What was measured of its answers; none where they are exact."""
        with self._reading() as db:
            return self._recall(self._facts(db))

    def describe(self) -> Description:
        with self._reading() as db:
            facts, count, columns = self._facts(db), self._count(db), columns_of(db, self._table)
            ((on_disk,),) = db.execute("SELECT pg_total_relation_size(%s::regclass)", (self._table,))
        more = {
            "columns": ", ".join(columns) or "none",
            "model": facts["model"] or "not said",
            "version": facts["changes"],
            "server": self.address.words,
        }
        return Description(f"{self.kind} of PostgreSQL", count, self.size, int(on_disk), self._recall(facts), more)

    # --- search -----------------------------------------------------------------------------------
    def find(
        self, vectors: Array, k: int, exclude_ids: Sequence[str | None] | None = None, where: Where | None = None
    ) -> Found:
        """The k nearest images of each vector (Q, E); see :meth:`vptsp.evaluation.index.Index.find`."""
        queries, excluded = checked_queries(vectors, k, exclude_ids, self.size)
        with self._reading() as db:
            facts, there = self._facts(db), self._count(db)
            guessed = self.kind == "hnsw" and where is None and k + 1 <= _EFFORTS[-1]
            effort = int(facts["effort"])
            lines = [
                self._nearest(db, q, k, own, there, where, effort if guessed else None)
                for q, own in zip(queries, excluded, strict=True)
            ]
        similarities = np.full((len(queries), k), -np.inf, dtype=np.float32)
        for line, (_, cosines) in zip(similarities, lines, strict=True):
            line[: len(cosines)] = cosines
        return Found([ids for ids, _ in lines], similarities, self._recall(facts) if guessed else None)

    def _nearest(
        self,
        db: Any,
        query: Float32[np.ndarray, " E"],
        k: int,
        own: str | None,
        there: int,
        where: Where | None,
        effort: int | None,
    ) -> tuple[list[str], Float32[np.ndarray, " m"]]:
        """Ids and cosines; by the graph where there is an ``effort``."""

        def ask(most: int) -> Candidates:
            if effort is not None:
                most = min(most, _EFFORTS[-1])
                db.execute(f"SET LOCAL hnsw.ef_search = {max(effort, most)}")
            db.execute(f"SET LOCAL enable_indexscan = {'off' if effort is None else 'on'}")
            db.execute(f"SET LOCAL enable_seqscan = {'on' if effort is None else 'off'}")
            order = f"ORDER BY vector <#> %s::vector LIMIT {most}"
            chosen = f"SELECT id, row, vector_send(vector), vector <#> %s::vector FROM {self._table}"
            text = "[" + ",".join(f"{number:.9g}" for number in query.tolist()) + "]"
            found = self._asked(db, chosen, where, order, (text,), (text,))
            least = -max((line[3] for line in found), default=np.inf)  # it gives minus the product
            rows = np.array([line[1] for line in found], dtype=np.int64)
            return Candidates([line[0] for line in found], rows, vectors_of([f[2] for f in found], self.size), least)

        return nearest(query, k, own, there, ask, exact=effort is None)

    def _asked(
        self,
        db: Any,
        chosen: str,
        where: Where | None,
        order: str,
        before: tuple[Any, ...],
        after: tuple[Any, ...] = (),
    ) -> list[Any]:
        """The answer to a question. Raises DataError for a filter that the server does not understand."""
        import psycopg  # type: ignore[import-not-found,unused-ignore]

        if where is None:
            return list(db.execute(f"{chosen} {order}", (*before, *after)).fetchall())
        if not isinstance(where, str):
            return list(
                db.execute(
                    f"{chosen} WHERE id = ANY(%s) {order}", (*before, [str(n) for n in where], *after)
                ).fetchall()
            )
        names = ", ".join(plain(name) for name in ("id", *columns_of(db, self._table)))
        asked = f"{chosen} WHERE %s::boolean AND ({where.replace('%', '%%')}\n) {order}"
        try:  # with parameters, of which there is one at least, it can be one statement only
            return list(db.execute(asked, (*before, True, *after)).fetchall())
        except (psycopg.ProgrammingError, psycopg.DataError, psycopg.InternalError) as error:
            raise DataError(
                f"the filter {plain(where)!r} cannot be used ({plain(str(error), 200)}); it is an SQL expression over "
                f"the columns {names}, such as id LIKE 'a%'"
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
        """Add embeddings (n, E) under their ids; columns that are new are there from now on, those not given are null.

        With ``replace`` an image whose id is there gives way to the new one. Raises DataError, with the index
        unchanged, for what does not fit. Raises RunError while another process changes the index.
        """
        vectors = checked_vectors(embeddings, ids, self.size)
        with connected(self.address, change=True) as db:
            require_same_model(model, self._facts(db)["model"])
            known = db.execute(f"SELECT id FROM {self._table} WHERE id = ANY(%s)", (list(map(str, ids)),)).fetchall()
            if not replace:
                require_new(ids, {name for (name,) in known})
            db.execute(f"DELETE FROM {self._table} WHERE id = ANY(%s)", ([name for (name,) in known],))
            ((first,),) = db.execute(f"SELECT coalesce(max(row) + 1, 0) FROM {self._table}")
            put(db, self._table, int(first), vectors, ids, columns or {})
        self.measure()

    def remove(self, ids: Sequence[str]) -> None:
        """Remove images. Raises DataError, with the index unchanged, for unknown ids and when none would be left."""
        with connected(self.address, change=True) as db:
            self._vectors(db, ids)  # says which are unknown
            require_some_left(len(set(ids)), self._count(db))
            db.execute(f"DELETE FROM {self._table} WHERE id = ANY(%s)", (list(ids),))
            keep(db, self._table, changes=self._facts(db)["changes"] + 1)
        self.measure()

    def measure(self) -> Recall | None:
        """Compare the graph's answers for a seeded sample of images with the true ones, keep it, and return it.

        From now on as little effort is taken as finds the share ``target`` of :meth:`build`.
        """
        if self.kind == "exact":
            return None
        with connected(self.address, change=True) as db:
            facts, there = self._facts(db), self._count(db)
            rng = np.random.default_rng(int(facts["seed"]))
            chosen = np.sort(rng.choice(there, min(_SAMPLED, there), replace=False))
            names = [name for (name,) in db.execute(f"SELECT id FROM {self._table} ORDER BY row")]
            own = [names[row] for row in chosen]
            queries = list(zip(self._vectors(db, own), own, strict=True))
            true = [self._nearest(db, q, _SAMPLED_K, name, there, None, None)[1] for q, name in queries]
            for effort in _EFFORTS:
                found = [self._nearest(db, q, _SAMPLED_K, name, there, None, effort)[1] for q, name in queries]
                shares = [
                    (f >= np.nextafter(t[-1], -1)).sum() / len(t) for f, t in zip(found, true, strict=True) if len(t)
                ]
                recall = Recall(float(np.mean(shares)) if shares else 1.0, _SAMPLED_K, len(own))
                if recall.share >= facts["target"]:
                    break
            keep(db, self._table, effort=effort, recall={**asdict(recall), "of": facts["changes"]})
        return recall

    # --- what it is made of -----------------------------------------------------------------------
    def _reading(self) -> Any:
        return connected(self.address)

    def _facts(self, db: Any) -> dict[str, Any]:
        facts = f"{self._table}_facts"
        there = db.execute("SELECT to_regclass(%s), to_regclass(%s)", (self._table, facts)).fetchone()
        if there[0] is None:
            raise RunError(f"{self.address.words} holds no index; vptsp index build makes one at such an address")
        if there[1] is None:
            raise RunError(f"{self.address.words} is of another program; choose another table")
        return dict(db.execute(f"SELECT name, value FROM {facts}").fetchall())

    def _count(self, db: Any) -> int:
        return int(db.execute(f"SELECT count(*) FROM {self._table}").fetchone()[0])

    def _recall(self, facts: Mapping[str, Any]) -> Recall | None:
        return None if self.kind == "exact" else Recall.kept(facts["recall"], facts["changes"])
