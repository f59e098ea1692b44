"""A run watched from outside while another process trains it.

>>> from vptsp_widgets.monitor import TrainingMonitor
>>> TrainingMonitor("runs/demo-1")  # doctest: +SKIP

Only files are read, so that the run, this kernel and the notebook can each end without the others.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import traitlets

from vptsp.errors import UsageError
from vptsp.runs.run import Run
from vptsp_widgets.monitor.still import facts, html_of
from vptsp_widgets.monitor.watching import Watch
from vptsp_widgets.view import shown, told
from vptsp_widgets.watching_view import WatchingView


class TrainingMonitor(WatchingView):
    """Follows a run directory: state, progress, curves, speed, time left, confused classes; stops and resumes it.

    ``run`` is the directory as text and can be set, observed and linked with a :class:`RunPicker`; empty: none.
    Nothing is ever written to the run but ``STOP``, and by a resumed run what it prints. ``close()`` ends the watch.

    Raises :class:`~vptsp.errors.RunError` for a directory that is no run.
    """

    _front = "monitor"

    run = traitlets.Unicode("", help="run directory; empty: none")
    _now = traitlets.Dict().tag(sync=True)
    _curves = traitlets.Dict().tag(sync=True)
    _confused = traitlets.Dict().tag(sync=True)

    def __init__(self, run: Run | str | Path = "") -> None:
        self._watch: Watch | None = None
        super().__init__(run=str(run.path if isinstance(run, Run) else run))

    @traitlets.validate("run")
    def _check_run(self, proposal: Any) -> str:
        return str(Run.open(proposal["value"]).path) if proposal["value"] else ""

    @traitlets.observe("run")
    @shown
    def _follow(self, change: Any) -> None:
        self._watch = Watch(Run(Path(change["new"]))) if change["new"] else None
        self.status = ""
        self._show()
        self.look()

    def look(self) -> None:
        with self.lock:
            if self._watch is None:
                return
            try:
                self._watch.look()
            except (UsageError, OSError, ValueError, KeyError) as error:
                self.status = told(error)
            self._show()

    def _show(self) -> None:
        watch = self._watch
        self._now, self._curves, self._confused = (watch.now, watch.curves, watch.confused) if watch else ({}, {}, {})

    # --- stop and resume ------------------------------------------------------------------------
    def stop(self) -> None:
        """Ask the run to stop after its current step. Raises RunError if it is not training."""
        self._ask("stop")

    def resume(self) -> None:
        """Let a process of its own go on with the run, its output in ``log.txt`` of the run directory.

        Raises RunError unless the run was stopped, was killed or failed.
        """
        self._ask("resume")

    def _ask(self, what: str) -> None:
        with self.lock:
            if self._watch is None:
                raise UsageError(f"there is no run to {what}; set run to a run directory")
            self.status = getattr(self._watch, what)()
            self.look()

    def _on_stop(self, content: dict[str, Any], buffers: list[Any]) -> None:
        self._answer(self.stop)

    def _on_resume(self, content: dict[str, Any], buffers: list[Any]) -> None:
        self._answer(self.resume)

    # --- without a kernel -----------------------------------------------------------------------
    def summary(self) -> str:
        if not self._now:
            return "TrainingMonitor of no run"
        return f"TrainingMonitor of {self._now['name']}: {', '.join(facts(self._now, self._curves))}"

    def still(self) -> str:
        with self.lock:
            return html_of(self._watch.run if self._watch else None, self._now, self._curves, self._confused)
