"""A table of runs to choose from, and to compare.

>>> from vptsp_widgets.picker import RunPicker
>>> RunPicker("runs")  # doctest: +SKIP
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd
import traitlets

from vptsp.errors import DataError, RunError
from vptsp.figures.runs import html_table
from vptsp.files import read_json
from vptsp.runs.run import RUNS, Run, compare, list_runs
from vptsp.settings.methods import METHODS
from vptsp.settings.tasks import TASKS
from vptsp.text import plain, safe
from vptsp_widgets.view import View, shown
from vptsp_widgets.watching import state_word

_STILL_ROWS = 50


class RunPicker(View):
    """The runs directly under a folder: filter, sort, choose one (``run``), mark several (``runs``) and compare them.

    ``run`` is a run directory as text, "" for none; ``runs`` the directories that are marked, in the table's first
    order, which is newest first. Runs that are unreadable, failed or not finished are rows as well.
    """

    _front = "picker"

    folder = traitlets.Unicode(str(RUNS), help="where the run directories lie").tag(sync=True)
    run = traitlets.Unicode("", help="the chosen run directory; empty: none")
    runs = traitlets.List(traitlets.Unicode(), help="the marked run directories")
    _rows: traitlets.List[Any] = traitlets.List().tag(sync=True)
    _settings = traitlets.Dict().tag(sync=True)
    _chosen = traitlets.Int(-1).tag(sync=True)
    _marked = traitlets.List(traitlets.Int()).tag(sync=True)

    def __init__(self, folder: str | Path = RUNS) -> None:
        self._found: list[Run] = []
        self._place: dict[str, int] = {}
        super().__init__(folder=str(folder))
        self.refresh()

    @traitlets.observe("folder")
    @shown
    def _look_elsewhere(self, change: Any) -> None:
        self.refresh()

    def refresh(self) -> None:
        """Read the folder again. What was chosen and marked stays so, as far as it is still there."""
        with self.lock:
            run, marked = self.run, self.runs
            self._found = list_runs(self.folder)[::-1]
            self._place = {str(found.path): row for row, found in enumerate(self._found)}
            configs = [_settings_of(found) for found in self._found]
            self.runs = [path for path in marked if path in self._place]
            with self.hold_sync():
                self._rows = [_row(found, config) for found, config in zip(self._found, configs, strict=True)]
                self._settings = _told_apart(configs)
                self._chosen = self._row_of(run)
                self._marked = [self._place[path] for path in self.runs]
            self.status = ""

    def _on_refresh(self, content: dict[str, Any], buffers: list[Any]) -> None:
        self.refresh()
        self.send({"kind": "answered"})

    # --- choice -----------------------------------------------------------------------------------
    def _row_of(self, path: str) -> int:
        if path in self._place or not path:
            return self._place.get(path, -1)
        whole = Path(path).resolve()  # given in another way, by a linked view for example
        return next((row for row, found in enumerate(self._found) if found.path.resolve() == whole), -1)

    @traitlets.validate("run")
    def _check_run(self, proposal: Any) -> str:
        return str(Run.open(proposal["value"]).path) if proposal["value"] else ""

    @traitlets.validate("runs")
    def _check_runs(self, proposal: Any) -> list[str]:
        rows = {path: self._row_of(path) for path in proposal["value"]}
        unknown = [path for path, row in rows.items() if row < 0]
        if unknown:
            raise DataError(f"{plain(unknown[0])!r} is not a run in {plain(self.folder)}; refresh() reads it again")
        return [str(self._found[row].path) for row in sorted(set(rows.values()))]

    @traitlets.observe("run")
    def _send_run(self, change: Any) -> None:
        self._chosen = self._row_of(change["new"])

    @traitlets.observe("_chosen")
    @shown
    def _take_run(self, change: Any) -> None:
        # no row: cleared by a person, or a run from elsewhere that a linked view shows
        if change["new"] >= 0:
            self.run = str(self._found[change["new"]].path)
        elif self._row_of(self.run) >= 0:
            self.run = ""

    @traitlets.observe("runs")
    def _send_runs(self, change: Any) -> None:
        self._marked = [self._row_of(path) for path in change["new"]]

    @traitlets.observe("_marked")
    @shown
    def _take_runs(self, change: Any) -> None:
        self.runs = [str(self._found[row].path) for row in change["new"]]

    # --- without a kernel -------------------------------------------------------------------------
    def summary(self) -> str:
        marked = f", {len(self.runs)} marked" if self.runs else ""
        return f"RunPicker of {len(self._rows):,} runs in {plain(self.folder)}{marked}"

    def still(self) -> str:
        if not self._rows:
            return (
                f'<p style="margin:0">There are no runs in {safe(self.folder, 400)}. '
                "<b>vptsp train</b> makes one, <b>vptsp demo</b> one in five minutes.</p>"
            )
        header = ["run", "state", "method", "data set", "R@1", "MAP@R", "trained", "when"]
        rows = [
            [
                row["name"], row["state"], row["method"], row["dataset"], 
                *(_percent(row[key], title) for key, title in zip(("recall", "map"), row["metrics"], strict=True)),
                "–" if row["trained"] is None else f"{row['trained']:,}",
                f"{datetime.fromtimestamp(row['when']):%Y-%m-%d %H:%M}",
            ]
            for row in self._rows[:_STILL_ROWS]
        ]  # fmt: skip
        caption = f"{len(rows)} of {len(self._rows):,} runs in {plain(self.folder)}, newest first."
        chosen = self._chosen if 0 <= self._chosen < len(rows) else None
        table = html_table(header, rows, caption, strong=chosen)
        return table + (self._comparison() if len(self.runs) > 1 else "")

    def _comparison(self) -> str:
        table = compare([self._found[row] for row in self._marked])
        rows = [
            [plain(name), *("–" if pd.isna(value) else plain(value) for value in table[name])]
            for name in table.columns[1:]
        ]
        header = ["", *(plain(name) for name in table["run"])]
        return html_table(header, rows, "The marked runs: results, and the settings in which they differ.")


def _row(run: Run, config: dict[str, Any]) -> dict[str, Any]:
    """What the table says of a run; None for what it does not have."""
    row: dict[str, Any] = {
        "name": _text(run.name),
        "path": _text(run.path),
        "state": state_word(run.state()) if config else "unreadable",
        "method": _title(config.get("method")),
        "dataset": _text(config.get("dataset", "–")),
        "recall": None,
        "map": None,
        "trained": None,
        "when": int(os.stat(run.path / "config.json").st_mtime),
        "metrics": ["", ""],
        "note": "",
    }
    with contextlib.suppress(RunError, KeyError, TypeError):
        result = run.result()
        task = TASKS[result.task]
        row |= {"recall": result.metrics[task.metric], "map": result.metrics[task.second]}
        row["trained"] = result.counts["trained"]
        if task is not TASKS["retrieval"]:  # stands in the same columns, and says what it is
            row["metrics"] = [task.title, task.second_title]
    if row["state"] == "failed":
        row["note"] = _text(run.progress().get("message", ""))
    return row


def _settings_of(run: Run) -> dict[str, Any]:
    """``config.json`` as it stands; empty if it cannot be read. Not validated, which takes longer than reading."""
    with contextlib.suppress(RunError):
        values = read_json(run.path / "config.json", "train it again")
        if isinstance(values, dict):
            return values
    return {}


def _told_apart(configs: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """``{"names", "values", "same"}``: settings in which runs differ, with a list of texts per run; others."""
    texts = [{name: _text(json.dumps(value)).strip('"') for name, value in config.items()} for config in configs]
    known = [text for text in texts if text]
    names = list(dict.fromkeys(name for text in known for name in text))
    differing = [name for name in names if len({text.get(name) for text in known}) > 1]
    return {
        "names": differing,
        "values": [[text.get(name) for name in differing] for text in texts],
        "same": [[name, known[0][name]] for name in names if name not in differing],
    }


def _title(method: Any) -> str:
    known = METHODS.get(method) if isinstance(method, str) else None
    return known.title if known else _text(method or "–")


def _text(value: object) -> str:
    """One line that can be sent: file names may hold bytes that are no text."""
    return plain(str(value).encode("utf-8", "replace").decode(), 200)


def _percent(value: float | None, title: str) -> str:
    return "–" if value is None else f"{100 * value:.1f} % {title}".rstrip()
