"""A sweep watched from outside while another process runs it.

>>> from vptsp_widgets.board import SweepBoard
>>> SweepBoard("runs/sweeps/table1")  # doctest: +SKIP

Only files are read, so that the sweep, its runs, this kernel and the notebook can each end without the others.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import traitlets

from vptsp.errors import DataError, RunError, UsageError
from vptsp.runs.run import Run
from vptsp.sweeps import SweepFolder, load
from vptsp.text import plain, safe
from vptsp_widgets.board.data import SweepWatch
from vptsp_widgets.board.still import facts, html_of
from vptsp_widgets.view import shown, told
from vptsp_widgets.watching_view import WatchingView

_MOVING = ("seconds", "left", "fraction", "place", "epoch", "best", "memory")


class SweepBoard(WatchingView):
    """A sweep as a live table: states, progress, best by validation, time left, errors, files; asks it to stop.

    ``job`` is the name of the chosen job, ``run`` its run directory as text once it has one: both can be set,
    observed, and ``run`` linked with a monitor, a gallery or a map. Empty: none. Nothing is ever written but the
    sweep's ``STOP``. ``close()`` ends the watch.

    Raises :class:`~vptsp.errors.RunError` for a folder that holds no sweep.
    """

    _front = "board"

    folder = traitlets.Unicode("", help="the sweep's folder").tag(sync=True)
    job = traitlets.Unicode("", help="name of the chosen job; empty: none")
    run = traitlets.Unicode("", help="run directory of the chosen job; empty: none, or it has not begun")
    _head = traitlets.Dict().tag(sync=True)
    _rows: traitlets.List[Any] = traitlets.List().tag(sync=True)
    _running = traitlets.Dict().tag(sync=True)  # row -> what moves while it runs: so the others are sent once
    _chosen = traitlets.Int(-1).tag(sync=True)

    def __init__(self, folder: SweepFolder | str | Path) -> None:
        self._watch = SweepWatch(load(folder.path if isinstance(folder, SweepFolder) else folder))
        self._place: dict[str, int] = {}  # job -> row
        self._trouble = ""
        super().__init__(folder=str(self._watch.folder.path))

    @traitlets.validate("folder")
    def _check_folder(self, proposal: Any) -> str:
        return str(load(proposal["value"]).path)

    @traitlets.observe("folder")
    @shown
    def _watch_it(self, change: Any) -> None:
        self.job = ""
        self._watch = SweepWatch(SweepFolder(change["new"]))
        self.status = self._trouble = ""
        self._show()
        self.look()

    def look(self) -> None:
        with self.lock:
            trouble, before = "", self._head.get("phase")
            try:
                self._watch.look()
                self._show()
                if before == "stopping" != self._head["phase"]:
                    self.status = ""
            except (UsageError, OSError, ValueError, KeyError, TypeError) as error:
                trouble = told(error)
            if trouble != self._trouble:
                self._trouble = self.status = trouble

    def _show(self) -> None:
        rows = self._watch.rows
        moving = {index: row for index, row in enumerate(rows) if row["state"] == "running"}
        self._place = {row["name"]: index for index, row in enumerate(rows)}
        with self.hold_sync():  # the head names rows
            self._rows = [row | dict.fromkeys(_MOVING) if index in moving else row for index, row in enumerate(rows)]
            self._running = {str(index): {name: row[name] for name in _MOVING} for index, row in moving.items()}
            self._head = self._watch.head
            self._chosen = self._place.get(self.job, -1)
        if self.job and not self.run:
            self._follow_job()

    # --- choice -----------------------------------------------------------------------------------
    def _run_of(self, job: str) -> str:
        path = self._watch.folder.path / job
        return str(path) if job and (path / "config.json").is_file() else ""

    def _job_of(self, run: str) -> str:
        path = Path(run).resolve()
        mine = run and path.parent == self._watch.folder.path.resolve() and path.name in self._place
        return path.name if mine else ""

    def _follow_job(self) -> None:
        self.run = self._run_of(self.job)

    @traitlets.validate("job")
    def _check_job(self, proposal: Any) -> str:
        if proposal["value"] and proposal["value"] not in self._place:
            some = ", ".join(list(self._place)[:3])
            raise DataError(
                f"there is no job {plain(proposal['value'])!r} in {plain(self.folder)}, which has {len(self._place):,}"
                f"{f', for example {plain(some, 200)}' if some else ''}"
            )
        return str(proposal["value"])

    @traitlets.observe("job")
    def _take_job(self, change: Any) -> None:
        self._chosen = self._place.get(change["new"], -1)
        if change["new"] or self._job_of(self.run):  # a run from elsewhere, shown by a linked view, stays
            self._follow_job()

    @traitlets.observe("_chosen")
    @shown
    def _take_chosen(self, change: Any) -> None:
        self.job = self._watch.rows[change["new"]]["name"] if change["new"] >= 0 else ""

    @traitlets.validate("run")
    def _check_run(self, proposal: Any) -> str:
        return str(Run.open(proposal["value"]).path) if proposal["value"] else ""

    @traitlets.observe("run")
    def _take_run(self, change: Any) -> None:
        if change["new"] or self._job_of(change["old"]) == self.job:
            self.job = self._job_of(change["new"])

    # --- stop -------------------------------------------------------------------------------------
    def stop(self) -> None:
        """Ask the sweep to stop: running jobs write a checkpoint and end, waiting ones do not start.

        Raises RunError if nobody runs it.
        """
        with self.lock:
            self.look()
            if self._head["phase"] not in ("running", "stopping"):
                raise RunError(f"nobody runs the sweep in {plain(self.folder, 400)}, so there is nothing to stop")
            self._ask("stop", "the sweep stops: running jobs write a checkpoint, waiting ones do not start")

    def withdraw(self) -> None:
        """Take the wish to stop back. What has heard of it already still ends."""
        said = "the wish to stop is withdrawn; jobs that heard of it still end, and the sweep can be started again"
        with self.lock:
            self._ask("", said)

    def _ask(self, wish: str, said: str) -> None:
        try:
            self._watch.folder.ask(wish)
        except OSError as error:
            path = plain(self._watch.folder.path / "STOP", 400)
            raise RunError(f"cannot change {path} ({error.strerror or error})") from error
        self.look()
        self.status = said

    def _on_stop(self, content: dict[str, Any], buffers: list[Any]) -> None:
        self._answer(self.stop)

    def _on_withdraw(self, content: dict[str, Any], buffers: list[Any]) -> None:
        self._answer(self.withdraw)

    # --- without a kernel -------------------------------------------------------------------------
    def summary(self) -> str:
        if not self._head:
            return f"SweepBoard of {plain(self.folder)}: {self.status}"
        said = ", ".join([self._head["phase"], *facts(self._head, self._watch.rows)])
        return f"SweepBoard of {self._head['name']}: {said}"

    def still(self) -> str:
        """The summary line and the jobs as a table, as HTML without scripts."""
        with self.lock:
            if not self._head:
                return f'<p style="margin:0">{safe(self.status, 400)}</p>'
            return html_of(self._head, self._watch.rows, self.job)
