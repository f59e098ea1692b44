"""How the numbers of a comparison are printed, on a page and on a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from vptsp.settings.tasks import TASKS
from vptsp.text import plain

METRIC_TITLES = {task.metric: task.title for task in TASKS.values()}
METRIC_TITLES |= {task.second: task.second_title for task in TASKS.values()}


def records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows of a table, by the names of its columns."""
    return [dict(zip(table.columns, row, strict=True)) for row in table.itertuples(index=False)]


def with_spread(row: dict[str, Any], name: str) -> str:
    """A metric of a row of :meth:`~vptsp.analysis.comparison.Comparison.table`, in percent: ``63.6 ± 0.2``."""
    if name not in row or pd.isna(row[name]):
        return "–"
    spread = row.get(f"{name}_sd")
    return f"{100 * row[name]:.1f}" + ("" if spread is None or pd.isna(spread) else f" ± {100 * spread:.1f}")


def mean_and_spread(shares: Sequence[float]) -> str:
    """One share per seed, in percent: ``63.6 ± 0.2``, the sample standard deviation; of one seed only its value."""
    series = pd.Series(shares, dtype=float)
    return with_spread({"all": series.mean(), "all_sd": series.std()}, "all")


def cell(value: Any) -> str:
    """A setting as it is printed."""
    if isinstance(value, (list, tuple)):
        return plain(", ".join(map(str, value)))
    if value is None or value is pd.NA or value != value:
        return "–"
    return plain(f"{value:g}" if isinstance(value, float) else str(value))
