"""The table of runs without scripts, and the comparison of those that are marked."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from vptsp.analysis.compared_run import ComparedRun
from vptsp.figures.html import html_table
from vptsp.text import plain, safe

if TYPE_CHECKING:
    from vptsp_widgets.picker.view import RunPicker

_STILL_ROWS = 50


def html_of(view: RunPicker) -> str:
    """The runs, newest first, and below them those that are marked, compared."""
    if not view._rows:
        return (
            f'<p style="margin:0">There are no runs in {safe(view.folder, 400)}. '
            "<b>vptsp train</b> makes one, <b>vptsp demo</b> one in five minutes.</p>"
        )
    header = ["run", "state", "method", "data set", "R@1", "MAP@R", "trained", "when"]
    rows = [
        [
            *(row[key] for key in ("name", "state", "method", "dataset")),
            *(_percent(row[key], title) for key, title in zip(("recall", "map"), row["metrics"], strict=True)),
            "–" if row["trained"] is None else f"{row['trained']:,}",
            f"{datetime.fromtimestamp(row['when']):%Y-%m-%d %H:%M}",
        ]
        for row in view._rows[:_STILL_ROWS]
    ]
    caption = f"{len(rows)} of {len(view._rows):,} runs in {plain(view.folder)}, newest first."
    chosen = view._chosen if 0 <= view._chosen < len(rows) else None
    table = html_table(header, rows, caption, strong=chosen)
    return table + (_comparison(view) if len(view.runs) > 1 else "")


def _comparison(view: RunPicker) -> str:
    from vptsp.analysis.comparison import Comparison  # here, as it imports torch
    from vptsp.figures.comparison_tables import runs_table

    return runs_table(Comparison([ComparedRun.of_run(view._found[row]) for row in view._marked]))


def _percent(value: float | None, title: str) -> str:
    return "–" if value is None else f"{100 * value:.1f} % {title}".rstrip()
