"""The process of one run: executes its notebook and tells its supervisor how that went.

``python -m vptsp.sweeps.worker JOB``, started by :mod:`vptsp.sweeps.supervisor` only. Standard input is the
supervisor's hand: the line ``stop`` interrupts the kernel, so that training writes a checkpoint; its end means that the
supervisor is gone, however it went, and then kernel and process end at once. Standard output carries a JSON object per
event back. Everything printed, by the notebook too, goes to the log, which is standard error.
"""

from __future__ import annotations

import json
import os
import re
import resource
import signal
import subprocess
import sys
import threading
import time
import traceback
from pathlib import Path
from typing import Any

from vptsp.errors import UsageError
from vptsp.notebooks import execute
from vptsp.sweeps.process_ends import killed_by

_INTERRUPTS = ("KeyboardInterrupt", "TrainingStopped")
_SETTLE_SECONDS = 1.0  # a kernel interrupted before its cell has begun may never answer for it
_COLOURS = re.compile("\x1b\\[[0-9;]*m")


class StopBetweenCells(Exception):
    """The supervisor asked for a stop while no cell was running."""


class Link:
    """What supervisor and kernel have to do with each other."""

    def __init__(self) -> None:
        self.kernel: subprocess.Popen[bytes] | None = None
        self.stopping = False
        self.entered = 0
        self.since = 0.0
        self._report = os.fdopen(os.dup(1), "w", buffering=1)
        os.dup2(2, 1)  # whatever prints, prints into the log
        threading.Thread(target=self._listen, daemon=True).start()

    def tell(self, **event: Any) -> None:
        self._report.write(json.dumps(event) + "\n")

    def started(self, kernel: subprocess.Popen[bytes]) -> None:
        self.kernel = kernel
        self.tell(kernel=kernel.pid)

    def entering(self, cells: int) -> None:
        """Before a cell is handed to the kernel, which ignores interrupts while it has none."""
        if self.stopping:
            raise StopBetweenCells
        self.since = time.monotonic()
        self.entered += 1
        self.tell(cell=self.entered, cells=cells)

    def _listen(self) -> None:
        with os.fdopen(os.dup(0)) as commands:
            for line in commands:
                if line.strip() != "stop" or self.stopping:
                    continue
                self.stopping = True
                if not self.entered:  # there is nothing to save, and a kernel that starts may choke on an interrupt
                    self.tell(outcome="interrupted", error="stopped before its first cell")
                    break
                while time.monotonic() - self.since < _SETTLE_SECONDS:  # if the cell ends meanwhile, no other begins
                    time.sleep(0.05)
                # the kernel alone, not its group: processes that load images would die in the middle of a batch
                if self.kernel and self.kernel.poll() is None:
                    os.kill(self.kernel.pid, signal.SIGINT)
        self.kill()
        os._exit(1)

    def kill(self) -> None:
        """End the kernel and what it started; it leads a process group of its own."""
        if self.kernel is None:
            return
        try:
            os.killpg(self.kernel.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            return
        for _ in range(100):  # its locks are free once it is gone
            if self.kernel.poll() is not None:
                return
            time.sleep(0.05)


def run(folder: Path, link: Link) -> dict[str, str]:
    """Execute the notebook of the job in ``folder``; the outcome and, unless that is done, the error."""
    sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type] # takes a second, checks web addresses
    from jupyter_client.manager import AsyncKernelManager  # late: the supervisor is listened to meanwhile
    from papermill.exceptions import PapermillExecutionError

    job = json.loads((folder / "job.json").read_text(encoding="utf-8"))
    source = folder.parent / ".notebooks" / job["notebook"]
    parameters = job["parameters"] | ({"run_dir": str(folder)} if job["run_dir"] else {})
    cells = json.loads(source.read_text(encoding="utf-8"))["cells"]
    code = sum(cell["cell_type"] == "code" and bool("".join(cell["source"]).strip()) for cell in cells)
    code += bool(parameters)  # papermill puts them into a cell of their own

    class Kernel(AsyncKernelManager):
        async def _async_post_start_kernel(self, **options: Any) -> None:
            await super()._async_post_start_kernel(**options)
            link.started(self.provisioner.process)  # type: ignore[union-attr]

    try:
        execute(
            source,
            folder / "notebook.ipynb",
            parameters,
            kernel_manager_class=Kernel,
            on_cell_execute=lambda **_: link.entering(code),
            start_timeout=300,  # of a kernel on a busy machine with slow disks
            stdout_file=sys.stderr,
            stderr_file=sys.stderr,
        )
    except StopBetweenCells:
        return {"outcome": "interrupted", "error": "stopped between two cells"}
    except PapermillExecutionError as error:
        print(_COLOURS.sub("", "\n".join(error.traceback)), file=sys.stderr)
        what = error.evalue if error.ename in _user_errors() else f"{error.ename}: {error.evalue}".removesuffix(": ")
        return {"outcome": "interrupted" if error.ename in _INTERRUPTS else "failed", "error": what}
    except RuntimeError as error:  # DeadKernelError is one; a kernel that dies at its start raises no more than that
        if link.kernel is None or not str(error).startswith("Kernel died"):
            raise
        code = link.kernel.wait()
        link.kill()  # its other processes, of several devices, which would train on without it
        return _how_it_died(code, error)
    return {"outcome": "done", "error": ""}


def _how_it_died(code: int, error: Exception) -> dict[str, str]:
    """papermill notes the cell a kernel died in as completed; what the system says about the process is true."""
    if code < 0:
        return {"outcome": "killed", "error": killed_by(-code)}
    return {"outcome": "failed", "error": f"the kernel ended by itself with exit code {code} ({error})"}


def _user_errors() -> set[str]:
    """Names of the errors whose messages are written for the user."""
    return {"UsageError", *(kind.__name__ for kind in UsageError.__subclasses__())}


def main(folder: Path) -> None:
    link = Link()
    try:
        outcome = run(folder, link)
        if outcome["outcome"] == "failed" and not link.entered and not link.stopping:
            outcome = run(folder, link)  # no cell ran: the kernel did not start, which another one may
        # of the kernel: this process's own figure begins with its parent's, which Linux hands on
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
        link.tell(memory_peak=peak)
        link.tell(**outcome)
    except BaseException as error:
        traceback.print_exc()
        link.kill()
        link.tell(outcome="failed", error=f"{type(error).__name__}: {error}")
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)  # nothing that is left may keep the process


if __name__ == "__main__":
    main(Path(sys.argv[1]))
