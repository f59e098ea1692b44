"""One run as a process of its own, watched by the only one who writes its status.

:func:`execute` takes a path and plain values, so that any ``concurrent.futures`` executor can call it: in a thread of
the sweep's own process, or on another machine that sees the same files.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from vptsp.errors import RunError, explained
from vptsp.sweeps.folder import HEARTBEAT_SECONDS, Job, SweepFolder, here
from vptsp.sweeps.process_ends import killed_by

GRACE_SECONDS = 120.0  # for a stopped run to finish its step and write a checkpoint
_POLL_SECONDS = 0.2
_THREADS = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)


@dataclass(frozen=True)
class Place:
    """Where a run may compute. ``threads`` and ``gpu`` none: as the environment has them."""

    worker: int | None = None
    threads: int | None = None
    gpu: str | None = None

    def environment(self) -> dict[str, str]:
        """The environment of a run's processes."""
        values = dict(os.environ)
        if self.threads is not None:
            values |= dict.fromkeys(_THREADS, str(self.threads))
        if self.gpu is not None:
            values["CUDA_VISIBLE_DEVICES"] = self.gpu
        return values | {"PYTHONUNBUFFERED": "1"}


def execute(path: str, place: Place | None = None, stop: Callable[[], bool] = lambda: False) -> str:
    """Run the job in the directory ``path`` to its end, whatever that is, and return its state.

    ``stop`` says whether this run alone is to write a checkpoint and end, as an unfinished one.

    A job that is done stays so. One that another supervisor still holds is waited for.
    Raises :class:`~vptsp.errors.RunError` if its status cannot be written.
    """
    job = Job(path)
    folder = SweepFolder(job.path.parent)
    with _hold(job, folder) as lock:
        state = job.status()["state"]
        if lock is None or state == "done" or folder.wish():
            return state
        return _Supervisor(job, folder, place or Place(), stop).run(lock)


@contextlib.contextmanager
def _hold(job: Job, folder: SweepFolder) -> Iterator[int | None]:
    """The job's lock, or none where the sweep is stopped while another holds it.

    The run's process inherits it, so that it is free only when both are gone.
    """
    with explained(job.path):
        lock = os.open(job.path / ".job.lock", os.O_CREAT | os.O_RDWR, 0o644)
    try:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if folder.wish():
                    yield None
                    return
                time.sleep(_POLL_SECONDS)
        yield lock
    finally:
        os.close(lock)


class _Supervisor:
    def __init__(self, job: Job, folder: SweepFolder, place: Place, stop: Callable[[], bool]) -> None:
        self.job, self.folder, self.place, self.stop = job, folder, place, stop
        before = job.status()
        self.status: dict[str, Any] = {
            "state": "running",
            "attempts": before["attempts"] + 1,
            "error": "",
            "worker": place.worker,
            "gpu": place.gpu,
            **here(),
            "started": time.time(),
            "memory_peak": before.get("memory_peak", 0),
        }
        self.kernel: int | None = None
        self.outcome: dict[str, str] = {}

    def run(self, lock: int) -> str:
        self._write()
        with explained(self.job.path), open(self.job.path / "log.txt", "ab") as log:
            attempt = f"--- attempt {self.status['attempts']}, {time.strftime('%Y-%m-%d %H:%M:%S')}\n"
            log.write(attempt.encode())
            log.flush()
            process = self._start(log, lock)
        stopped = False
        try:
            stopped = self._watch(process)
        finally:
            # before it is reaped, so that its number is still its own; with an outcome it has ended its kernel itself
            _kill(process.pid, None if self.outcome else self.kernel)
            code = process.wait()
            for pipe in (process.stdin, process.stdout):
                assert pipe is not None
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()
        self._conclude(code, stopped)
        return self.status["state"]

    def _start(self, log: IO[bytes], lock: int) -> subprocess.Popen[bytes]:
        cwd = Path(self.job.record["cwd"])
        process = subprocess.Popen(
            [sys.executable, "-m", "vptsp.sweeps.worker", str(self.job.path.resolve())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            cwd=cwd if cwd.is_dir() else None,
            env=self.place.environment(),
            start_new_session=True,  # a Ctrl-C at the terminal is ours to hand on
            pass_fds=(lock,),
        )
        self.status["pid"] = process.pid
        return process

    def _watch(self, process: subprocess.Popen[bytes]) -> bool:
        """Wait for the process's end; whether somebody asked for it."""
        assert process.stdout is not None
        assert process.stdin is not None
        rest, asked, written = b"", 0.0, 0.0
        with selectors.DefaultSelector() as selector:
            selector.register(process.stdout, selectors.EVENT_READ)
            while True:
                if selector.select(_POLL_SECONDS):
                    data = os.read(process.stdout.fileno(), 1 << 16)
                    if not data:
                        return bool(asked)
                    *lines, rest = (rest + data).split(b"\n")
                    for line in lines:
                        self._hear(json.loads(line))
                wish = self.folder.wish() or ("stop" if self.stop() else "")
                if wish and not asked:
                    asked = time.monotonic()
                    with contextlib.suppress(BrokenPipeError):
                        process.stdin.write(b"stop\n")
                        process.stdin.flush()
                if asked and (wish == "kill" or time.monotonic() - asked > GRACE_SECONDS):
                    return True
                if time.monotonic() - written >= HEARTBEAT_SECONDS:
                    written = time.monotonic()
                    with contextlib.suppress(RunError):  # a file system that stutters must not end the night
                        self._write()

    def _hear(self, event: dict[str, Any]) -> None:
        if "outcome" in event:
            self.outcome = event
        elif "kernel" in event:
            self.kernel = event["kernel"]
        elif "memory_peak" in event:
            self.status["memory_peak"] = max(self.status["memory_peak"], event["memory_peak"])
        else:
            self.status |= event

    def _conclude(self, code: int, stopped: bool) -> None:
        state, error = self.outcome.get("outcome", ""), self.outcome.get("error", "")
        if state != "done" and stopped:
            state, error = "interrupted", error or "ended before it could write a checkpoint"
        elif not state and code < 0:
            state, error = "killed", killed_by(-code)
        elif not state:
            state, error = "failed", f"the run's process ended with exit code {code}; see log.txt"
        self.status |= {"state": state, "error": error, "exit_code": code, "finished": time.time()}
        self._write()

    def _write(self) -> None:
        self.job.write_status(**self.status, heartbeat=time.time(), key=self.job.key)


def _kill(*leaders: int | None) -> None:
    """End process groups by their leaders; those that are gone already are none."""
    for leader in leaders:
        if leader is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(leader, signal.SIGKILL)
