"""The command line in processes of its own, which tests can kill, interrupt and starve of disk.

They are forked from a server that has imported the workbench, so that each starts in milliseconds; each is a real
process with its own signal handlers, open files and memory.
"""

from __future__ import annotations

import os
import pickle
import select
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import fork_client
import forks
import torch

READING = (": reading images and model", ": reading images and model, looking at how far images may be cut")


@dataclass
class Finished:
    """How a process ended: its exit code (negative: the signal that killed it) and everything it printed."""

    code: int
    output: str


class Process:
    """A process that was forked for the one who asks, not its child: told of its end by the server."""

    def __init__(self, connection: socket.socket, pid: int) -> None:
        self._connection, self.pid = connection, pid
        self._code: int | None = None

    @property
    def exitcode(self) -> int | None:
        """None while it runs; negative: the signal that killed it."""
        self.join(0)
        return self._code

    def join(self, seconds: float | None = None) -> None:
        """Wait until it has ended, at most so many seconds."""
        if self._code is None and select.select([self._connection], [], [], seconds)[0]:
            (self._code,) = fork_client.INTEGER.unpack(fork_client.receive(self._connection, fork_client.INTEGER.size))

    def is_alive(self) -> bool:
        return self.exitcode is None

    def kill(self) -> None:
        """With SIGKILL; nothing where it has ended."""
        if self.is_alive():
            os.kill(self.pid, signal.SIGKILL)


def start(arguments: Sequence[str], log: Path, prepare: Callable[[], None] | None = None) -> Process:
    """Start ``vptsp <arguments>``; ``prepare`` (a module-level callable) runs in the process first."""
    call = pickle.dumps((_main, (list(arguments), prepare, torch.get_num_threads())))
    with log.open("w") as file, open(os.devnull) as nothing:
        files = (nothing.fileno(), file.fileno(), file.fileno())
        return Process(*fork_client.ask(forks.address(), files, path=sys.path, call=call))


def vptsp(arguments: Sequence[str], log: Path, prepare: Callable[[], None] | None = None) -> Finished:
    """Run ``vptsp <arguments>`` to its end."""
    process = start(arguments, log, prepare)
    process.join(120)
    if process.is_alive():
        process.kill()
        raise TimeoutError(f"vptsp {' '.join(arguments)} did not end: {log.read_text()}")
    return Finished(process.exitcode, log.read_text())


def _main(arguments: list[str], prepare: Callable[[], None] | None, threads: int) -> None:
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
