"""A sweep on the terminal: a table that redraws itself, or a line per change where nothing can be redrawn."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from vptsp.sweeps.folder import SweepFolder
from vptsp.sweeps.runner import Watcher
from vptsp.sweeps.view import Overview, Row, overview

_STYLES = {"running": "cyan", "done": "green", "failed": "red", "killed": "red", "interrupted": "yellow"}
_ORDER = ("running", "failed", "killed", "interrupted", "done", "queued")


@contextmanager
def watching(console: Console) -> Iterator[Watcher]:
    """A watcher for :func:`~vptsp.sweeps.runner.run_sweep` that shows the sweep on ``console``."""
    done: dict[str, Row] = {}
    if not console.is_terminal:
        yield _Lines(console, done)
        return
    with Live(console=console, auto_refresh=False, transient=True) as live:
        yield lambda folder: live.update(_screen(overview(folder, done), console.height), refresh=True)


def table(rows: list[Row]) -> Table:
    """Rows as a table; validation and test are the task's own metric."""
    shown = Table(box=None, pad_edge=False, header_style="bold")
    several = any(row.devices > 1 for row in rows)
    headings = ("state", "run", *(("devices",) if several else ()), "progress", "val", "test", "time", "left")
    for heading in (*headings, "error or directory"):
        right = heading in ("devices", "progress", "val", "test", "time", "left")
        shown.add_column(heading, justify="right" if right else "left", no_wrap=True, overflow="ellipsis")
    for row in rows:
        shown.add_row(
            Text(row.state, _STYLES.get(row.state, "dim")),
            Text(row.title),
            *([f"{row.devices} (GPU {row.gpu})" if row.gpu else str(row.devices)] if several else []),
            _progress(row),
            _share(row.best),
            _share(row.test),
            duration(row.seconds),
            duration(row.left),
            Text(row.error.partition("\n")[0] or str(row.path), "dim"),
        )
    return shown


def summary_line(view: Overview) -> str:
    """``5 done, 2 running, 17 queued, about 0:12:00 left``."""
    parts = [f"{count} {state}" for state, count in view.counts.items() if count]
    waiting = view.counts["running"] + view.counts["queued"]
    return ", ".join(parts) + (f", about {duration(view.left)} left" if waiting and view.left is not None else "")


def duration(seconds: float | None) -> str:
    """``0:04:09``, or nothing for none."""
    if seconds is None:
        return ""
    whole = int(seconds)
    return f"{whole // 3600}:{whole % 3600 // 60:02}:{whole % 60:02}"


def _screen(view: Overview, height: int) -> Group:
    rows = sorted(view.rows, key=lambda row: _ORDER.index(row.state))
    room = max(3, height - 4)
    more = f"... and {len(rows) - room} more" if len(rows) > room else ""
    return Group(table(rows[:room]), Text(more, "dim"), Text(summary_line(view), "bold"))


def _progress(row: Row) -> str:
    share = f"{row.fraction:.0%}" if row.fraction is not None else ""
    return " ".join(part for part in (row.place, share) if part)


def _share(value: float | None) -> str:
    return "" if value is None else f"{100 * value:.1f} %"


class _Lines:
    def __init__(self, console: Console, done: dict[str, Row]) -> None:
        self.console, self.done = console, done
        self.before: dict[str, str] = {}

    def __call__(self, folder: SweepFolder) -> None:
        view = overview(folder, self.done)
        for row in view.rows:
            before = self.before.get(row.name, "queued")
            self.before[row.name] = row.state
            if row.state != before:
                finished = len(view.rows) - view.counts["queued"] - view.counts["running"]
                score = f"{row.metric} {_share(row.test)}" if row.test is not None else row.error.partition("\n")[0]
                parts = (f"{finished}/{len(view.rows)}", row.state, row.title, duration(row.seconds), score)
                text = "  ".join(part for part in parts if part)
                self.console.print(text, soft_wrap=True, markup=False, highlight=False)
