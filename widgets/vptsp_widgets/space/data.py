"""What the map of :mod:`vptsp_widgets.space` shows, as arrays: columns to colour by, colours, an even sample."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from vptsp.analysis.representatives import representatives
from vptsp.errors import DataError
from vptsp.evaluation.ranking import search
from vptsp.figures.palettes import palette, ramp
from vptsp.runs.embeddings import SavedEmbeddings
from vptsp.text import plain
from vptsp_widgets.colour_names import colours_named
from vptsp_widgets.space import dates

CLASS = "class"  # the column that every map has
NEAREST = "nearest image"
MOST_COLOURED = 20  # categories in colour at once


@dataclass(frozen=True)
class Column:
    """One value per image: int32 codes into ``values`` (-1: missing), or float32 numbers where ``values`` is none.

    Of ``dates`` the numbers are days after the first.
    """

    name: str
    codes: np.ndarray  # (N,) int32 or float32
    values: tuple[str, ...] | None
    dates: np.ndarray | None = None  # (N,) datetime64[s]

    @cached_property
    def named(self) -> list[str] | None:
        """The colours that the categories name, if all of them do."""
        return colours_named(self.values) if self.values is not None else None

    @property
    def grey(self) -> bool:
        """Whether there are more categories than colours that can be told apart: coloured are those looked at only."""
        return self.values is not None and self.named is None and len(self.values) > MOST_COLOURED

    def header(self) -> dict[str, Any]:
        """What a front end needs to know besides the codes; the colour bar spans the 1st to 99th percentile."""
        if self.values is not None:
            header: dict[str, Any] = {"name": self.name, "kind": "category", "values": list(self.values)}
            if self.named is not None:
                header["colours"] = self.named
            elif self.grey:
                header["grey"] = True
            return header
        finite = self.codes[np.isfinite(self.codes)]
        low, high = np.percentile(finite, (1, 99)).tolist() if len(finite) else (0.0, 1.0)
        least, most = (float(finite.min()), float(finite.max())) if len(finite) else (0.0, 1.0)
        header = {"name": self.name, "kind": "number", "low": low, "high": high, "least": least, "most": most}
        if self.dates is not None:
            first = dates.first_of(self.dates).astype("datetime64[ms]").astype(int)
            header |= {"since": int(first), "days": dates.are_days(self.dates)}
        return header

    def told(self, value: float) -> str:
        """A number of this column as text, a date as one."""
        if self.dates is None:
            return f"{value:g}"
        return dates.told(dates.first_of(self.dates), value, dates.are_days(self.dates))


def column(values: pd.Series) -> Column:
    """Numbers and dates stay numbers; everything else is a category, in its own order or the order of its text."""
    name = plain(values.name)
    if (found_dates := dates.dates_in(values)) is not None:
        days = dates.days_after(found_dates, dates.first_of(found_dates))
        return Column(name, days, None, found_dates)
    if pd.api.types.is_numeric_dtype(values.dtype) and not pd.api.types.is_bool_dtype(values.dtype):
        numbers = values.to_numpy(dtype="<f4", na_value=np.nan)
        return Column(name, np.where(np.isfinite(numbers), numbers, np.nan).astype("<f4"), None)
    given = values if isinstance(values.dtype, pd.CategoricalDtype) else values.map(str, na_action="ignore")
    codes, found = (given.cat.codes, given.cat.categories) if hasattr(given, "cat") else pd.factorize(given, sort=True)
    return Column(name, np.asarray(codes, dtype="<i4"), tuple(plain(value) for value in found))


def columns_of(saved: SavedEmbeddings, table: pd.DataFrame | None) -> list[Column]:
    """The class, then the columns of ``table``, whose rows are known by image id or are the N images in order."""
    columns = [Column(CLASS, saved.labels.astype("<i4"), tuple(plain(name) for name in saved.class_names))]
    if table is None:
        return columns
    if not table.index.is_unique:
        raise DataError("the index of columns names some images twice; give one row per image")
    if len(table.index.intersection(pd.Index(saved.ids))):
        table = table.reindex(saved.ids)  # an image without a row has no values
    elif len(table) != len(saved):
        raise DataError(
            f"columns has {len(table)} rows, but there are {len(saved)} images"
            + (f" (without {len(saved.left_out)} left out)" if saved.left_out else "")
            + "; give one row per image, or index the rows by image id"
        )
    columns += [column(table[name]) for name in table.columns]
    names = [item.name for item in columns]
    if len(set(names)) < len(names):
        raise DataError(f"the columns to colour by need names of their own, and {CLASS!r} is taken; given: {names[1:]}")
    return columns


def nearest_columns(saved: SavedEmbeddings) -> pd.DataFrame:
    """Whether the nearest gallery image is of the same class, and how similar it is, by image id."""
    found = search(saved.embeddings, saved.labels, saved.is_query, saved.is_gallery, k=1)
    words = np.where(found.matches[:, 0], "right", "wrong").astype(object)
    words[found.relevant == 0] = "nothing to find"
    similarity = np.full(len(saved), np.nan, dtype=np.float32)
    similarity[found.query_positions] = found.similarities[:, 0]
    answer = np.full(len(saved), "not a query", dtype=object)
    answer[found.query_positions] = words
    order = [word for word in ("right", "wrong", "nothing to find", "not a query") if (answer == word).any()]
    return pd.DataFrame(
        {NEAREST: pd.Categorical(answer, order), "similarity to nearest": similarity}, index=pd.Index(saved.ids)
    )


def examples(saved: SavedEmbeddings) -> bytes:
    """An image of each class, as int32 rows; none where no classes are known."""
    if not saved.has_classes:
        return b""
    return representatives(saved.embeddings, saved.labels, len(saved.class_names)).astype("<i4").tobytes()


def attribute_columns(saved: SavedEmbeddings) -> pd.DataFrame | None:
    """What is known of each class, for each of its images."""
    table = saved.attributes
    if table is None:
        return None
    rows = table.reindex(saved.class_names).iloc[saved.labels].set_axis(pd.Index(saved.ids))
    return rows.drop(columns=[CLASS], errors="ignore")


def both_themes(columns: Sequence[Column]) -> bytes:
    """For light, then for dark: the ramp's 256 colours, then as many of the palette as the largest column needs."""
    count = max(len(column.values or ()) for column in columns)
    return b"".join(ramp(dark).tobytes() + palette(count, dark).tobytes() for dark in (False, True))
