"""What a sweep's folder says at the moment, as rows that can be sent; read while other processes write it."""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

from vptsp.errors import RunError, UsageError
from vptsp.files import read_json, to_plain
from vptsp.settings.tasks import TASKS
from vptsp.sweeps import STATES, Job, SweepFolder, overview
from vptsp.sweeps.view import Overview, Row
from vptsp.text import plain

UNREADABLE = "unreadable"
SHOWN_STATES = (*STATES, UNREADABLE)
FILES = {"notebook": "notebook.ipynb", "log": "log.txt", "report": "report.html"}
_LONGEST_ERROR = 4000
_DAMAGED = (UsageError, OSError, ValueError, KeyError, TypeError, AttributeError, ZeroDivisionError)
_TITLES = {task.metric: task.title for task in TASKS.values()}
_Known = tuple[Any, Row, dict[str, Any]]  # stamp of the job's files, the row, and the row as it is sent


class SweepWatch:
    """Follows one sweep. :meth:`look` reads what has changed; the attributes hold plain JSON values.

    ``rows``: one per job, in the plan's order. ``head``: phase (running, stopping, not running, ended, done), counts
    per state, the share that is done, seconds left, whether a job has several devices, and per metric the best row by
    validation. Writes nothing.
    """

    def __init__(self, folder: SweepFolder) -> None:
        self.folder = folder
        self.rows: list[dict[str, Any]] = []
        self.head: dict[str, Any] = {}
        self._known: dict[str, _Known] = {}

    def look(self) -> None:
        """Raises an error that says what is wrong if the plan itself cannot be read; damaged jobs are rows."""
        record = self.folder.record()
        names = [str(name) for name in record["jobs"]]
        differing = [str(name) for name in record.get("differing", [])]
        known = {name: self._read(name, record, differing) for name in names}
        self._known = known
        self.rows = [shown for _, _, shown in known.values()]
        view = overview(_Part(self.folder, record), {name: row for name, (_, row, _) in known.items()})
        self.head = self._head(record, differing, view)

    def _read(self, name: str, record: dict[str, Any], differing: list[str]) -> _Known:
        job = Job(self.folder.path / name)
        stamp = (differing, *(_stamp(job.path / part) for part in (".", "job.json", "status.json")))
        before = self._known.get(name)
        if before is not None and before[0] == stamp and before[1].state != "running":
            return before
        try:
            _check_status(job)
            row = overview(_Part(self.folder, record | {"jobs": [name]})).rows[0]
            return stamp, row, _shown(row, differing, job.progress(), job.labels)
        except _DAMAGED as error:
            row = _unreadable(job, error)
            return stamp, row, _shown(row, differing, {}, [])

    def _head(self, record: dict[str, Any], differing: list[str], view: Overview) -> dict[str, Any]:
        counts = Counter(row["state"] for row in self.rows)
        wish = self.folder.wish()
        # runs of an executor on other machines do not hold this machine's lock
        alive = counts["running"] > 0 or is_held(self.folder.path / ".sweep.lock")
        left = view.left if alive and not wish and counts["running"] + counts["queued"] else None
        share = sum(row["fraction"] or 0.0 for row in self.rows if row["state"] not in ("failed", UNREADABLE))
        said = {
            "name": text(self.folder.path.resolve().name),
            "folder": text(self.folder.path, 400),
            "place": os.path.abspath(self.folder.path).encode("utf-8", "replace").decode(),
            "home": os.path.expanduser("~"),
            "phase": _phase(alive, wish, counts, len(self.rows)),
            "wish": wish,
            "counts": {state: counts[state] for state in SHOWN_STATES},
            "fraction": share / len(self.rows) if self.rows else 0.0,
            "left": left,
            "workers": record.get("workers"),
            "several": any(row.devices > 1 for row in view.rows),
            "started": record.get("started"),
            "names": [text(name) for name in differing],
            "best": self._best(),
        }
        return to_plain(said)

    def _best(self) -> list[dict[str, Any]]:
        """Per metric the first row whose best validation value is the highest; test values never decide."""
        found = []
        for metric in dict.fromkeys(row["metric"] for row in self.rows if row["best"] is not None):
            mine = [index for index, row in enumerate(self.rows) if row["best"] is not None and row["metric"] == metric]
            top = max(mine, key=lambda index: self.rows[index]["best"])
            found.append({"metric": metric, "value": self.rows[top]["best"], "row": top})
        return found


class _Part(SweepFolder):
    """The sweep as if its plan were ``record``: so one job is read without the others, and the plan only once."""

    def __init__(self, folder: SweepFolder, record: dict[str, Any]) -> None:
        super().__init__(folder.path)
        self._record = record

    def record(self) -> dict[str, Any]:
        return self._record


def is_held(lock: Path) -> bool:
    """Whether a process of this machine holds the file's lock, without ever taking it from one that wants it.

    Where the system does not list its locks (it is not Linux), nothing is known and the answer is no.
    """
    try:
        number, listed = os.stat(lock).st_ino, Path("/proc/locks").read_text()
    except OSError:
        return False
    # "1: FLOCK  ADVISORY  WRITE 1458 fe:00:2434304 0 EOF"; a line with "->" is one that waits
    return any(
        fields[1] == "FLOCK" and fields[5].rpartition(":")[2] == str(number)
        for fields in map(str.split, listed.splitlines())
        if len(fields) > 5
    )


def text(value: object, longest: int = 200) -> str:
    """One line that can be sent: file names may hold bytes that are no text."""
    return plain(str(value).encode("utf-8", "replace").decode(), longest)


def _phase(alive: bool, wish: str, counts: Counter[str], total: int) -> str:
    if alive:
        return "stopping" if wish else "running"
    if counts["done"] == total:
        return "done"
    return "not running" if total - counts["done"] - counts["failed"] > 0 else "ended"


def _stamp(path: Path) -> tuple[int, ...]:
    try:
        status = os.stat(path)
    except OSError:
        return ()
    return status.st_mtime_ns, status.st_size, status.st_ino


def _check_status(job: Job) -> None:
    """A job whose status is damaged reads as queued; here it must not look as if nothing had happened yet."""
    path = job.path / "status.json"
    if path.exists():
        status = read_json(path, "start the sweep again, which runs the job anew")
        if not isinstance(status, dict) or status.get("state") not in STATES:
            raise RunError(f"{path} holds no state of a job; start the sweep again, which runs the job anew")


def _unreadable(job: Job, error: Exception) -> Row:
    message = str(error) if isinstance(error, UsageError) else f"its files are damaged ({error!r})"
    message = message.replace(f"{job.path.parent}{os.sep}", "")  # the folder is told once, above all rows
    try:
        parameters = dict(job.parameters)
    except _DAMAGED:
        parameters = {}
    return Row(
        name=job.name,
        title=job.name,
        parameters=parameters,
        state=UNREADABLE,
        error=message,
        attempts=0,
        fraction=None,
        place="",
        metric="",
        best=None,
        test=None,
        seconds=None,
        left=None,
        memory_peak=0,
        path=job.path,
        notebook=job.notebook(),
        report=job.report(),
    )


def _shown(row: Row, differing: list[str], progress: dict[str, Any], labels: list[str]) -> dict[str, Any]:
    steps = progress.get("steps")
    fraction = row.fraction
    if fraction is None and row.state != "queued" and steps:
        fraction = min(1.0, progress.get("step", 0) / steps)
    shown = {
        "name": row.name.encode("utf-8", "replace").decode(),
        "title": text(row.title),
        "label": text(", ".join(labels)) if labels else "",
        "state": row.state,
        "values": [_value(row.parameters[name]) if name in row.parameters else None for name in differing],
        "parameters": [[text(name), _value(value)] for name, value in row.parameters.items()],
        "fraction": fraction,
        "place": row.place,
        "epoch": progress.get("epoch"),
        "epochs": progress.get("epochs"),
        "metric": _TITLES.get(row.metric, row.metric),
        "best": row.best,
        "test": row.test,
        "seconds": row.seconds,
        "left": row.left,
        "attempts": row.attempts,
        "memory": row.memory_peak,
        "devices": _devices(row),
        "error": row.error.encode("utf-8", "replace").decode()[:_LONGEST_ERROR],
        "files": [kind for kind, name in FILES.items() if (row.path / name).is_file()],
    }
    return to_plain(shown)


def _devices(row: Row) -> str:
    """What a job computes on, where there is something to say: ``2 devices (GPU 0,1)``, ``GPU 3``."""
    gpu = f"GPU {text(row.gpu)}" if row.gpu else ""
    return gpu if row.devices == 1 else f"{row.devices} devices" + f" ({gpu})" * bool(gpu)


def _value(value: Any) -> str:
    return text(f"{value:g}" if isinstance(value, float) else value if isinstance(value, str) else json.dumps(value))
