"""The command line in processes of its own, which tests can kill, interrupt and starve of disk.

A fork server imports the workbench once, so that each process starts in milliseconds; it is a real process
with its own signal handlers, open files and memory.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.context import ForkServerProcess
from pathlib import Path

import torch

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["vptsp.training.loop", "vptsp.cli"])


@dataclass
class Finished:
    """How a process ended: its exit code (negative: the signal that killed it) and everything it printed."""

    code: int
    output: str


def start(arguments: Sequence[str], log: Path, prepare: Callable[[], None] | None = None) -> ForkServerProcess:
    """Start ``vptsp <arguments>``; ``prepare`` (a module-level callable) runs in the process first."""
    process = _CONTEXT.Process(target=_main, args=(list(arguments), log, prepare, torch.get_num_threads()))
    process.start()
    return process


def vptsp(arguments: Sequence[str], log: Path, prepare: Callable[[], None] | None = None) -> Finished:
    """Run ``vptsp <arguments>`` to its end."""
    process = start(arguments, log, prepare)
    process.join(120)
    if process.is_alive():
        process.kill()
        raise TimeoutError(f"vptsp {' '.join(arguments)} did not end: {log.read_text()}")
    return Finished(process.exitcode, log.read_text())


def _main(arguments: list[str], log: Path, prepare: Callable[[], None] | None, threads: int) -> None:
    descriptor = os.open(log, os.O_CREAT | os.O_TRUNC | os.O_WRONLY)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    # line by line, so that what was printed survives SIGKILL
    sys.stdout, sys.stderr = os.fdopen(1, "w", buffering=1), os.fdopen(2, "w", buffering=1)
    torch.set_num_threads(threads)
    if prepare is not None:
        prepare()
    from vptsp.cli import main

    main(arguments, prog_name="vptsp")


@dataclass
class SignalAfter:
    """Send the process a signal at the end of a step of training."""

    step: int
    number: signal.Signals
    times: int = 1

    def __call__(self) -> None:
        from vptsp.training import loop as training

        def observe(event: object) -> None:
            if event.kind == "step" and event.step == self.step:  # type: ignore[attr-defined]
                for _ in range(self.times):
                    os.kill(os.getpid(), self.number)

        training.default_observer = lambda: observe


@dataclass
class KillInSwap:
    """Die between the two renames that put the ``turn``-th checkpoint in place."""

    turn: int

    def __call__(self) -> None:
        rename = os.rename

        def dying(source: Path, target: Path) -> None:
            if Path(target).name == "last":
                self.turn -= 1
                if self.turn == 0:
                    os.kill(os.getpid(), signal.SIGKILL)
            rename(source, target)

        os.rename = dying  # type: ignore[assignment]
