"""Which images a filter leaves, as ``front/filter.js`` has it, for what is drawn without a browser."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Bool

from vptsp_widgets.space.data import Column
from vptsp_widgets.space.dates import ends_of, first_of


def passing(
    columns: Sequence[Column], ids: Sequence[str], conditions: Sequence[Mapping[str, Any]]
) -> Bool[np.ndarray, " N"]:
    """The images that meet all conditions; one on a column that is not there holds for all of them."""
    named = {column.name: column for column in columns}
    passes = np.full(len(ids), True)
    for condition in conditions:
        wanted = str(condition.get("text") or "").strip().lower()
        if condition["column"] == "":
            passes &= np.array([wanted in name.lower() for name in ids], dtype=bool)
        elif condition["column"] in named:
            passes &= _meets(named[condition["column"]], condition, wanted)
    return passes


def _meets(column: Column, condition: Mapping[str, Any], wanted: str) -> Bool[np.ndarray, " N"]:
    if column.dates is not None:
        low, high = ends_of(condition, first_of(column.dates))
        return (column.codes >= low) & (column.codes <= high)
    if column.values is None:
        low, high = condition.get("low", -np.inf), condition.get("high", np.inf)
        return (column.codes >= low) & (column.codes <= high)  # not-a-number passes neither
    chosen = condition.get("values")
    fits = [name in chosen if chosen is not None else wanted in name.lower() for name in column.values]
    return np.array([*fits, False])[column.codes]  # -1, missing, is the last
