"""Tags of one's own as a column of the map."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from vptsp_widgets.space.data import Column, column

_NAMES = ("tag", "own tag", "tag of the map")


def tag_column_name(taken: Sequence[str]) -> str:
    """What the column of tags is called beside others."""
    return next((name for name in _NAMES if name not in taken), "tags of the map")


def with_tags(columns: Sequence[Column], ids: Sequence[str], tags: Mapping[str, str]) -> list[Column]:
    """The columns, and one of the tags, if there are any; an image without one has no value."""
    if not tags:
        return list(columns)
    name = tag_column_name([one.name for one in columns])
    return [*columns, column(pd.Series([tags.get(one) for one in ids], name=name, dtype=object))]


def table_of(columns: Sequence[Column], ids: Sequence[str]) -> pd.DataFrame:
    """What the columns say of each image, by id: numbers as float32, dates, everything else as a categorical."""
    series = {one.name: _series(one) for one in columns}
    return pd.DataFrame(series, index=pd.Index(ids, name="id"))


def _series(one: Column) -> Any:
    if one.dates is not None:
        return one.dates
    if one.values is None:
        return one.codes
    return pd.Categorical.from_codes(one.codes.tolist(), pd.Index(one.values or ()))
