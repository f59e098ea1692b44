"""Embedded images as rows of an Arrow table: their order, id, vector, and columns of values of one kind each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from jaxtyping import Float32

from vptsp.errors import DataError

RESERVED = ("row", "id", "vector")


def arrow(
    vectors: Float32[np.ndarray, "n E"],
    ids: Sequence[str],
    columns: Mapping[str, Sequence[Any]],
    first: int,
    schema: pa.Schema | None = None,
) -> pa.Table:
    """Rows of the table, numbered from ``first`` on; columns of ``schema`` that are not given are null."""
    for name, values in columns.items():
        if name.lower() in RESERVED or name.startswith("_") or not name.strip():
            raise DataError(f"a column cannot be called {name!r}; give it another name than {', '.join(RESERVED)}")
        if len(values) != len(ids):
            raise DataError(f"{len(ids)} ids but {len(values)} values of {name!r}; give one for each image")
    parts: dict[str, Any] = {
        "row": pa.array(range(first, first + len(ids)), pa.int64()),
        "id": pa.array([str(name) for name in ids], pa.string()),
        "vector": pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel(), pa.float32()), vectors.shape[1]),
    }
    wanted = {} if schema is None else {field.name: field.type for field in schema if field.name not in RESERVED}
    try:
        for name in dict.fromkeys([*wanted, *columns]):
            values = list(columns.get(name, [None] * len(ids)))
            parts[name] = pa.array(values, wanted.get(name), from_pandas=True)
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise DataError(f"the column {name!r} cannot be kept ({error}); give values of one kind") from None
    return pa.table(parts)


def among(ids: Sequence[str]) -> str:
    """An expression that is true of these images."""
    quoted = ", ".join("'" + str(name).replace("'", "''") + "'" for name in ids)
    return f"id IN ({quoted})" if ids else "false"


def matrix(column: Any, size: int) -> Float32[np.ndarray, "n E"]:
    """A column of vectors of ``size`` numbers."""
    whole = column.combine_chunks() if hasattr(column, "combine_chunks") else column
    return np.asarray(whole.flatten(), dtype=np.float32).reshape(-1, size)
