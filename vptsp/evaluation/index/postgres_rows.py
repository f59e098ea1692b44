"""Embedded images as rows of a PostgreSQL table with pgvector: their vectors, columns of any kind, and facts beside it.

Dimensions: E embedding size, n images.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float32

from vptsp.errors import DataError

RESERVED = ("row", "id", "vector")


def _take_vectors(db: Any) -> None:
    """Let this connection write numpy arrays as pgvector's type, in its binary form."""
    from psycopg.adapt import Dumper  # type: ignore[import-not-found,unused-ignore]
    from psycopg.pq import Format  # type: ignore[import-not-found,unused-ignore]
    from psycopg.types import TypeInfo  # type: ignore[import-not-found,unused-ignore]

    about = TypeInfo.fetch(db, "vector")
    about.register(db)

    class Vector(Dumper):  # type: ignore[misc,unused-ignore]
        format, oid = Format.BINARY, about.oid

        def dump(self, value: np.ndarray) -> bytes:
            return np.array([len(value), 0], ">i2").tobytes() + value.astype(">f4").tobytes()

    db.adapters.register_dumper(np.ndarray, Vector)


def vectors_of(sent: Sequence[bytes], size: int) -> Float32[np.ndarray, "n E"]:
    """Vectors as ``vector_send`` gives them."""
    whole = np.array([np.frombuffer(data, ">f4", offset=4) for data in sent], dtype=np.float32)
    return whole.reshape(-1, size)


# --- columns ----------------------------------------------------------------------------------------
def columns_of(db: Any, table: str) -> dict[str, str]:
    """Names and types of what is known of each image."""
    found = db.execute(
        "SELECT attname, format_type(atttypid, NULL) FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 "
        "AND NOT attisdropped ORDER BY attnum",
        (table,),
    )
    return {name: kind for name, kind in found if name not in RESERVED}


def _plain_values(name: str, values: Sequence[Any], count: int) -> list[Any]:
    """A column's values as Python's own, none for not-a-number. Raises DataError for a name or a number of values that
    cannot be.
    """
    if name.lower() in RESERVED or not name.strip() or "\0" in name or len(name.encode()) > 63:
        raise DataError(f"a column cannot be called {name!r}; give it another name than {', '.join(RESERVED)}")
    if len(values) != count:
        raise DataError(f"{count} ids but {len(values)} values of {name!r}; give one for each image")
    own = [value.item() if hasattr(value, "item") else value for value in values]
    return [None if value is None or value != value else value for value in own]


def _type_of(values: Sequence[Any]) -> str:
    """The type of a new column: the narrowest that takes all values, else text."""
    kinds = {type(value) for value in values if value is not None}
    if kinds and kinds <= {bool}:
        return "boolean"
    if kinds and kinds <= {int} and all(-(2**63) <= value < 2**63 for value in values if value is not None):
        return "bigint"
    if kinds and kinds <= {int, float}:
        return "double precision"
    return "bytea" if kinds and kinds <= {bytes} else "text"


def _fitting(name: str, values: Sequence[Any], kind: str) -> list[Any]:
    """Values as a column of this type takes them: numbers as floats, anything as text. Raises DataError for others."""
    taken: Any = {"boolean": bool, "bigint": int, "double precision": (int, float), "bytea": bytes}.get(kind)
    strange = [value for value in values if value is not None and taken is not None and not isinstance(value, taken)]
    if strange:
        raise DataError(f"the column {name!r} holds {kind}, and not {strange[0]!r}; give values of that kind")
    own: Any = {"double precision": float, "text": str}.get(kind, lambda value: value)
    return [None if value is None else own(value) for value in values]


def quoted(name: str) -> str:
    """As SQL's name."""
    return '"' + name.replace('"', '""') + '"'


# --- rows and facts ----------------------------------------------------------------------------------
def keep(db: Any, table: str, **facts: Any) -> None:
    """Write facts down."""
    from psycopg.types.json import Jsonb  # type: ignore[import-not-found,unused-ignore]

    for name, value in facts.items():
        db.execute(
            f"INSERT INTO {table}_facts VALUES (%s, %s) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
            (name, Jsonb(value)),
        )


def put(
    db: Any,
    table: str,
    first: int,
    vectors: Float32[np.ndarray, "n E"],
    ids: Sequence[str],
    columns: Mapping[str, Sequence[Any]],
) -> None:
    """New images, in rows from ``first`` on, by one binary copy."""
    given = {name: _plain_values(name, values, len(ids)) for name, values in columns.items()}
    known = columns_of(db, table)
    for name, values in given.items():
        if name not in known:
            known[name] = _type_of(values)
            db.execute(f"ALTER TABLE {table} ADD COLUMN {quoted(name)} {known[name]}")
    _take_vectors(db)
    listed = "".join(f", {quoted(name)}" for name in given)
    lines = zip(*(_fitting(n, values, known[n]) for n, values in given.items()), strict=True) if given else None
    with (
        db.cursor() as cursor,
        cursor.copy(f"COPY {table} (row, id, vector{listed}) FROM STDIN (FORMAT BINARY)") as copy,
    ):
        copy.set_types(["bigint", "text", "vector", *(known[name] for name in given)])
        for number, (name, vector) in enumerate(zip(ids, vectors, strict=True)):
            copy.write_row((first + number, str(name), vector, *(next(lines) if lines is not None else ())))
    changes = db.execute(f"SELECT value FROM {table}_facts WHERE name = 'changes'").fetchone()[0]
    keep(db, table, changes=changes + 1)
