"""A table of runs to choose from, and to compare.

>>> from vptsp_widgets.picker import RunPicker
>>> RunPicker("runs")  # doctest: +SKIP
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import traitlets

from vptsp.errors import DataError
from vptsp.project import placed
from vptsp.runs.run import RUNS, Run, list_runs
from vptsp.text import plain
from vptsp_widgets.picker.data import row_of, settings_of, told_apart
from vptsp_widgets.picker.still import html_of
from vptsp_widgets.view import View, shown


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
        super().__init__(folder=str(placed(folder)))
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
            configs = [settings_of(found) for found in self._found]
            self.runs = [path for path in marked if path in self._place]
            with self.hold_sync():
                self._rows = [row_of(found, config) for found, config in zip(self._found, configs, strict=True)]
                self._settings = told_apart(configs)
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
        return html_of(self.folder, self._rows, self._chosen, [self._found[row] for row in self._marked])
