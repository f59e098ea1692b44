"""A sweep's folder and its jobs, as anything may read them at any time.

::

    <sweep>/
      sweep.json       the plan: sections, code version, names of its jobs in order
      ledger.jsonl     a line per finished run
      STOP             a wish to stop: "stop" lets runs write a checkpoint, "kill" does not
      .notebooks/      the notebooks as they were when the plan was made
      <job>/           also the run directory of a notebook that has a parameter run_dir
        job.json       notebook, parameters, key
        status.json    state, heartbeat, attempts, error: written by whoever supervises the run, never by the run
        log.txt        what the run printed
        notebook.ipynb the executed notebook

The SweepBoard and the comparison of runs read this and nothing else.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import time
from functools import cached_property
from pathlib import Path
from typing import Any

from vptsp.errors import RunError, UsageError
from vptsp.files import read_json, write_json, write_text
from vptsp.project import existing
from vptsp.runs.epochs_of_model import epochs_of_model
from vptsp.runs.result import RunResult
from vptsp.runs.run import Run
from vptsp.settings.methods import METHODS

STATES = ("queued", "running", "done", "failed", "killed", "interrupted")
HEARTBEAT_SECONDS = 1.0
_LOST_SECONDS = 60.0  # without a heartbeat, on a machine that cannot be asked


class Job:
    """One run of a sweep: its directory, what it was asked to do, and how it stands."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)

    def __repr__(self) -> str:
        return f"Job({str(self.path)!r})"

    @cached_property
    def record(self) -> dict[str, Any]:
        """``job.json``: name, labels, notebook, parameters, key, meaning_key, code, cwd, run_dir,
        devices."""
        return read_json(self.path / "job.json", "it is not a job of a sweep, or its disk was full")

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def parameters(self) -> dict[str, Any]:
        """Parameters as given, without those that are the same by default."""
        return self.record["parameters"]

    @property
    def labels(self) -> list[str]:
        """Names that the sweep's list gives this run; several where equal runs were merged."""
        return self.record["labels"]

    @property
    def key(self) -> str:
        """Hash of what the parameters mean, of the notebook and of the code."""
        return self.record["key"]

    @property
    def devices(self) -> int:
        """Processes of the run, each on a device of its own; jobs of earlier versions have one."""
        return self.record.get("devices", 1)

    def status(self) -> dict[str, Any]:
        """``state`` (one of :data:`STATES`), ``attempts`` and ``error``; once it ran also pid, host, worker, gpu,
        started, heartbeat, finished (seconds since 1970), exit_code, cell, cells, memory_peak (bytes).

        A run whose supervisor is gone reads as killed, whatever the file says.
        """
        try:
            status = read_json(self.path / "status.json", "")
        except RunError:
            return {"state": "queued", "attempts": 0, "error": ""}
        if status["state"] == "running" and _is_lost(status):
            return status | {"state": "killed", "error": "whoever supervised the run is gone; start the sweep again"}
        return status

    def write_status(self, **values: Any) -> None:
        write_json(self.path / "status.json", values)

    # --- what the run itself wrote ------------------------------------------------------------
    def progress(self) -> dict[str, Any]:
        """The run's ``progress.json``: step, steps, epoch, epochs, loss, ...; empty where it writes none."""
        return self._optional("progress.json")

    def summary(self) -> dict[str, Any]:
        """The run's ``summary.json``; empty before it is finished, and where it writes none."""
        return self._optional("summary.json")

    def result(self) -> RunResult | None:
        """What came out; none before the run is finished, and where it writes no test metrics."""
        with contextlib.suppress(RunError):
            return RunResult.of(self.summary(), str(self.path / "summary.json"))
        return None

    def metrics(self) -> dict[str, float]:
        """Test metrics of the epoch that was selected; empty before there are any."""
        result = self.result()
        return dict(result.metrics) if result else {}

    def curve(self) -> list[dict[str, Any]]:
        """The run's ``metrics.jsonl``, one line per epoch so far."""
        with contextlib.suppress(OSError, UnicodeDecodeError, json.JSONDecodeError):
            lines = (self.path / "metrics.jsonl").read_text().splitlines(keepends=True)
            return [json.loads(line) for line in lines if line.endswith("\n")]
        return []

    def epochs_of_model(self) -> list[dict[str, Any]]:
        """:meth:`curve` without epochs before a pruning, which are another model's; all where that is not known."""
        config = None
        with contextlib.suppress(UsageError, KeyError):
            if METHODS[self._optional("config.json").get("method", "")].pruned:  # a configuration takes time to check
                config = Run(self.path).config
        return epochs_of_model(self.curve(), config)

    def notebook(self) -> Path | None:
        """The executed notebook, once there is one."""
        return self._existing("notebook.ipynb")

    def report(self) -> Path | None:
        return self._existing("report.html")

    def _existing(self, name: str) -> Path | None:
        return self.path / name if (self.path / name).is_file() else None

    def _optional(self, name: str) -> dict[str, Any]:
        with contextlib.suppress(RunError):
            found = read_json(self.path / name, "")
            return found if isinstance(found, dict) else {}
        return {}


class SweepFolder:
    """A folder that holds a sweep; open it with :func:`load`."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)

    def __repr__(self) -> str:
        return f"SweepFolder({str(self.path)!r})"

    def record(self) -> dict[str, Any]:
        """``sweep.json``: sweep (its sections), jobs (names in order), code, workers, started."""
        return read_json(self.path / "sweep.json", "start the sweep again")

    def jobs(self) -> list[Job]:
        """The jobs of the present plan, in its order."""
        return [Job(self.path / name) for name in self.record()["jobs"]]

    def all_jobs(self) -> list[Job]:
        """Every job ever planned here, those of earlier plans and of other code included."""
        return [Job(path.parent) for path in sorted(self.path.glob("*/job.json"))]

    def wish(self) -> str:
        """What the ``STOP`` file asks for: "stop", "kill" or nothing."""
        try:
            text = (self.path / "STOP").read_text().strip()
        except FileNotFoundError:
            return ""
        except OSError:
            return "stop"
        return "kill" if text == "kill" else "stop"

    def ask(self, wish: str) -> None:
        """Ask all runs to "stop" or "kill"; an empty wish takes earlier ones back."""
        if wish:
            write_text(self.path / "STOP", wish)
        else:
            (self.path / "STOP").unlink(missing_ok=True)


def load(folder: str | Path) -> SweepFolder:
    """The sweep in ``folder``.

    Raises :class:`~vptsp.errors.RunError` where there is none.
    """
    path = existing(folder)
    if not (path / "sweep.json").is_file():
        raise RunError(f"{path} is not the folder of a sweep (it holds no sweep.json); vptsp sweep makes one")
    return SweepFolder(path)


def here() -> dict[str, Any]:
    """Host and process, as a status names its supervisor."""
    return {"host": socket.gethostname(), "supervisor": os.getpid()}


def _is_lost(status: dict[str, Any]) -> bool:
    if status.get("host") == socket.gethostname():
        try:
            os.kill(status["supervisor"], 0)
        except ProcessLookupError:
            return True
        except OSError:
            pass  # somebody else's process
    return time.time() - status.get("heartbeat", 0.0) > _LOST_SECONDS
