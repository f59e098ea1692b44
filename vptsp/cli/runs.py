"""``vptsp runs``."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vptsp.cli import layout, suggestions
from vptsp.errors import UsageError
from vptsp.project import placed, where
from vptsp.text import plain

if TYPE_CHECKING:
    from vptsp.runs.run_table import Overview

_GAP = "  "
_LONGEST = 32  # letters of a name or setting on a terminal
_WHOLE = 10_000
# Settings that tell runs apart for most people, before those that a data set or a preset brings along
_WORTH = ("dataset", "method", "blossoms_classes", "epochs", "backbone", "lr", "batch_size", "alpha", "seed")
_STATE = re.compile(rf"(?<=  )({'|'.join(layout.STATES)})(?= |$)")


@click.command()
@click.argument("folder", type=click.Path(path_type=Path), default="runs", shell_complete=suggestions.runs)
def command(folder: Path) -> None:
    """List runs: state, when they began, test metrics, parameters, and the settings in which they differ.

    On a terminal, what does not fit its width is left out and named; into a pipe or a file everything is written.
    """
    from vptsp.runs.run import list_runs
    from vptsp.runs.run_table import overview

    if (placed(folder) / "config.json").is_file():
        raise UsageError(f"{folder} is a run; name the folder that it is in, or look at it: vptsp report {folder}")
    if not placed(folder).is_dir() and folder != Path("runs"):
        raise UsageError(f"{where(folder)} is not a folder; name one that holds runs, or none for the project's runs/")
    found = list_runs(folder)
    if not found:
        raise UsageError(f"there are no runs in {where(folder)}; vptsp train makes one, vptsp demo the first")
    live = sys.stdout.isatty()
    if live:
        click.echo(f"in {placed(folder).resolve()}")
    heading, *lines = table(overview(found), shutil.get_terminal_size().columns if live else None)
    click.echo(layout.heading(heading))
    for line in lines:
        click.echo(_STATE.sub(lambda found: layout.state(found[0]), line, count=1))


def table(found: Overview, width: int | None = None) -> list[str]:
    """A heading and a line per run, at most ``width`` letters wide (none: however wide it is).

    What selects and what differs stays longest; a last line names what is left out.
    """
    from vptsp.settings.tasks import TASKS

    columns = found.results + found.settings
    longest = _WHOLE if width is None else _LONGEST
    cells = {
        name: [name, *(_text(row.get(name), longest, name in found.metrics) for row in found.rows)] for name in columns
    }
    sizes = {name: max(map(len, column)) for name, column in cells.items()}
    kept = columns
    if width is not None:
        first = ["run", "state", *(task.metric for task in TASKS.values()), "began"]
        first += [task.second for task in TASKS.values()] + [name for name in _WORTH if name in found.settings]
        kept = _fitting(dict.fromkeys([*first, *found.settings, "trained", *columns]), columns, sizes, width)
    lines = [
        _GAP.join(
            cells[name][line].ljust(sizes[name])
            if name in ("run", "state", "began")
            else cells[name][line].rjust(sizes[name])
            for name in kept
        ).rstrip()
        for line in range(len(found.rows) + 1)
    ]
    if left := [name for name in columns if name not in kept]:
        lines.append(f"left out, as the terminal is narrow: {', '.join(left)}; a pipe (| cat) gets all")
    return lines


def _fitting(by_worth: Iterable[str], columns: list[str], sizes: dict[str, int], width: int) -> list[str]:
    """The columns that fit, in their own order; the name is there whatever its size."""
    chosen: set[str] = set()
    used = -len(_GAP)
    for name in by_worth:
        if name in sizes and (not chosen or used + len(_GAP) + sizes[name] <= width):
            chosen.add(name)
            used += len(_GAP) + sizes[name]
    return [name for name in columns if name in chosen]


def _text(value: Any, longest: int, share: bool) -> str:
    if value is None:
        return "-"
    if share:
        return f"{100 * value:.2f} %"
    return f"{value:.6g}" if isinstance(value, float) else plain(value, longest)
