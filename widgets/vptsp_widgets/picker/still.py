"""The table of runs without scripts, and the comparison of those that are marked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from vptsp.analysis.compared_run import ComparedRun
from vptsp.figures.html import html_table
from vptsp.runs.run import Run
from vptsp.text import plain, safe

_STILL_ROWS = 50


def html_of(folder: str, rows: Sequence[Mapping[str, Any]], chosen: int, marked: Sequence[Run]) -> str:
    """The runs in a folder as rows of :mod:`~vptsp_widgets.picker.data`, and below them those marked, compared.

    The row ``chosen`` is set in bold; -1: none.
    """
    if not rows:
        return (
            f'<p style="margin:0">There are no runs in {safe(folder, 400)}. '
            "<b>vptsp train</b> makes one, <b>vptsp demo</b> one in five minutes.</p>"
        )
    header = ["run", "state", "method", "data set", "R@1", "MAP@R", "trained", "when"]
    cells = [
        [
            *(row[key] for key in ("name", "state", "method", "dataset")),
            *(_percent(row[key], title) for key, title in zip(("recall", "map"), row["metrics"], strict=True)),
            "–" if row["trained"] is None else f"{row['trained']:,}",
            f"{datetime.fromtimestamp(row['when']):%Y-%m-%d %H:%M}",
        ]
        for row in rows[:_STILL_ROWS]
    ]
    caption = f"{len(cells)} of {len(rows):,} runs in {plain(folder)}, newest first."
    table = html_table(header, cells, caption, strong=chosen if 0 <= chosen < len(cells) else None)
    return table + (_comparison(marked) if len(marked) > 1 else "")


def _comparison(marked: Sequence[Run]) -> str:
    from vptsp.analysis.comparison import Comparison  # here, as it imports torch
    from vptsp.figures.comparison_tables import runs_table

    return runs_table(Comparison([ComparedRun.of_run(run) for run in marked]))


def _percent(value: float | None, title: str) -> str:
    return "–" if value is None else f"{100 * value:.1f} % {title}".rstrip()
