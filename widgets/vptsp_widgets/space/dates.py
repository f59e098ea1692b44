"""Dates of images as numbers, days after the first of them, so that a map has ranges of them; as ``front/dates.js``.

Of a date with a time zone it is the clock's time there that counts. In a view's state dates are text, ``2024-05-01`` or
``2024-05-01T14:05:00``, which says the same of other images.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from vptsp.errors import DataError
from vptsp.text import plain

if TYPE_CHECKING:
    from vptsp_widgets.space.data import Column

_DAY = np.timedelta64(1, "D")
SECOND = 7e-6  # of a day, and a little for rounding: to which states write dates
_WRITTEN = re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)?)?")


def dates_in(values: pd.Series) -> np.ndarray | None:
    """The (N,) datetime64[s] that a column holds, NaT where it has none; none for a column of anything else.

    Text counts where all of it is written as ISO 8601 has it, year first.
    """
    if isinstance(values.dtype, pd.PeriodDtype):
        values = values.dt.to_timestamp()
    if not pd.api.types.is_datetime64_any_dtype(values.dtype):
        given = values.dropna().map(str)
        if isinstance(values.dtype, pd.CategoricalDtype) or pd.api.types.is_numeric_dtype(values.dtype):
            return None
        if not len(given) or not all(map(_WRITTEN.fullmatch, given.unique())):
            return None
        local = given.str.replace(r"(Z|[+-]\d\d:?\d\d)$", "", regex=True).where(given.str.len() > 10, given)
        values = pd.to_datetime(local, format="ISO8601", errors="coerce").reindex(values.index)
    if getattr(values.dtype, "tz", None) is not None:
        values = values.dt.tz_localize(None)
    found = values.to_numpy(dtype="datetime64[s]")
    return None if np.isnat(found).all() else found


def first_of(dates: np.ndarray) -> np.datetime64:
    """The earliest."""
    first: np.datetime64 = dates[~np.isnat(dates)].min()
    return first


def days_after(dates: np.ndarray, first: np.datetime64) -> np.ndarray:
    """Float32 (N,), NaN where there is no date."""
    return ((dates - first) / _DAY).astype("<f4")


def are_days(dates: np.ndarray) -> bool:
    """Whether no date has a time."""
    there = dates[~np.isnat(dates)]
    return bool((there == there.astype("datetime64[D]")).all())


def told(first: np.datetime64, days: float, whole: bool) -> str:
    """A date as people read it; ``whole``: without its time."""
    date = first + np.timedelta64(round(days * 86400), "s")
    return str(date.astype("datetime64[D]")) if whole else str((date + np.timedelta64(30, "s")).astype("datetime64[m]"))


def ends_of(condition: Mapping[str, Any], first: np.datetime64) -> tuple[float, float]:
    """``low`` and ``high`` of a condition as days after ``first``; a high that is a day ends with it."""
    low, high = (condition.get(name) for name in ("low", "high"))
    after = 1.0 - 2 * SECOND if high is not None and len(str(high)) == 10 else 0.0
    days = [np.nan if end is None else float((np.datetime64(end, "s") - first) / _DAY) for end in (low, high)]
    return -np.inf if low is None else days[0] - SECOND, np.inf if high is None else days[1] + after + SECOND


def with_dates_as_text(condition: Mapping[str, Any], column: Column) -> dict[str, Any]:
    """A condition on a column of dates as states have it. Raises DataError for an end that is no date."""
    found = dict(condition)
    for end in {"low", "high"} & found.keys():
        try:
            if isinstance(found[end], int | float):
                raise ValueError
            date = pd.Timestamp(found[end])
            if pd.isna(date):
                raise ValueError
            text = date.tz_localize(None).isoformat(timespec="seconds")
        except (TypeError, ValueError):
            raise DataError(
                f"view_state filter has {end}={plain(found[end])!r} for {column.name!r}; it must be a date such as "
                "2024-05-01"
            ) from None
        found[end] = text.removesuffix("T00:00:00") if len(str(found[end])) == 10 else text
    return found
