"""The processes of one call on this machine: started, watched, and ended together.

They are forked, which takes milliseconds, or begin anew, where a GPU is in use already and a fork of it would not work.
Each finds in its environment what torchrun would have put there, so that nothing else knows how it was started. What
process 0 tells its observer is told in the process that called, where notebooks have their views.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import socket
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from multiprocessing.connection import Connection, wait
from pickle import UnpicklingError
from typing import Any, Protocol

from vptsp.devices.world import LostProcess
from vptsp.errors import ConfigError, TrainingError, UsageError
from vptsp.machine import require_devices

_GRACE = 10.0  # seconds that the others have to end, when one has failed, before they are killed


class Asked(Protocol):
    """The settings that say which processes to start."""

    @property
    def device(self) -> str: ...
    @property
    def devices(self) -> int: ...
    @property
    def num_nodes(self) -> int: ...
    @property
    def strategy(self) -> str: ...


def start_processes(
    function: Callable[..., Any],
    arguments: Sequence[Any],
    keywords: Mapping[str, Any],
    asked: Asked,
    observer: Callable[[Any], None],
) -> Any:
    """Run ``function(*arguments, **keywords, observer=...)`` in as many processes as there are devices.

    Returns the ``path`` of what process 0 returns. Raises what was raised there; where another process failed first,
    its :class:`UsageError`; and :class:`LostProcess` where one was killed. Ctrl-C and SIGTERM are passed on to all.
    """
    if asked.num_nodes > 1:
        raise ConfigError(
            f"num_nodes={asked.num_nodes}: one command starts the processes of one machine; start the command with "
            "torchrun or srun, which start those of all machines, or use num_nodes=1"
        )
    require_devices(asked.device, asked.devices)
    method = start_method(asked.strategy)
    import torch.multiprocessing as processes

    pipes = [multiprocessing.Pipe(duplex=False) for _ in range(asked.devices)]
    environment = _environment(asked.devices)
    context = processes.start_processes(
        _process,
        (environment, [writer for _, writer in pipes], function, tuple(arguments), dict(keywords), method),
        nprocs=asked.devices,
        join=False,
        start_method=method,
    )
    assert context is not None, "they are not joined yet"
    for _, writer in pipes:
        writer.close()
    with _signals_passed_on(context.processes):
        return _watch(context, [reader for reader, _ in pipes], observer)


def start_method(strategy: str) -> str:
    """``fork`` or ``spawn``. Raises :class:`ConfigError` for a fork that would not work here, and for a spawn from a
    script that would start itself again."""
    import torch

    used = torch.cuda.is_initialized()
    able = "fork" in multiprocessing.get_all_start_methods() and sys.platform != "darwin"
    if strategy == "fork" and (used or not able):
        why = "CUDA is in use in this process already" if used else "this system has none that is safe"
        raise ConfigError(f"strategy='fork' cannot fork: {why}; use strategy=spawn, or restart the kernel first")
    method = "fork" if strategy != "spawn" and able and not used else "spawn"
    if method == "spawn" and getattr(multiprocessing.current_process(), "_inheriting", False):
        raise ConfigError(
            "this script starts itself again in every process that it starts; put the call of train behind "
            'if __name__ == "__main__":'
        )
    return method


def _environment(count: int) -> dict[str, str]:
    """What torchrun would say to ``count`` processes of this machine, but their numbers."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = os.environ.get("MASTER_PORT") or str(free.getsockname()[1])
    found = {"WORLD_SIZE": str(count), "LOCAL_WORLD_SIZE": str(count), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    names = {name for _, name in socket.if_nameindex()} if hasattr(socket, "if_nameindex") else set()
    if "lo" in names:
        found["GLOO_SOCKET_IFNAME"] = os.environ.get("GLOO_SOCKET_IFNAME", "lo")
    return found


# --- in a process that was started ----------------------------------------------------------------------
def _process(
    rank: int,
    environment: dict[str, str],
    writers: Sequence[Connection],
    function: Callable[..., Any],
    arguments: tuple[Any, ...],
    keywords: dict[str, Any],
    method: str,
) -> None:
    os.environ.update(environment, RANK=str(rank), LOCAL_RANK=str(rank))
    if method == "fork":
        import torch

        torch.set_num_threads(1)  # the threads of OpenMP do not live through a fork, and waiting for them hangs
    writer = writers[rank]
    for other in writers:
        if other is not writer:
            other.close()
    outcome: tuple[str, Any]
    try:
        observer = (lambda event: writer.send(("event", event))) if rank == 0 else None
        outcome = "returned", getattr(function(*arguments, observer=observer, **keywords), "path", None)
    except (UsageError, KeyboardInterrupt) as error:
        outcome = "raised", error
    except Exception:
        outcome = "failed", traceback.format_exc()
    with contextlib.suppress(OSError):  # whoever started this process may be gone
        writer.send(outcome)
    writer.close()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0 if outcome[0] == "returned" else 1)  # threads of a backend that waits for others must not keep it


# --- in the process that started them --------------------------------------------------------------------
def _watch(context: Any, readers: Sequence[Connection], observer: Callable[[Any], None]) -> Any:
    """Tell the observer what process 0 says, until all have ended; then what came out."""
    from torch.multiprocessing.spawn import ProcessExitedException, ProcessRaisedException

    outcomes: dict[int, tuple[str, Any]] = {}
    open_ = dict(zip(readers, range(len(readers)), strict=True))
    killed: Any = None
    try:
        while True:
            for ready in wait([*open_, *context.sentinels], 1.0):
                if isinstance(ready, Connection) and ready in open_:
                    _receive(ready, open_, outcomes, observer)
            if context.join(timeout=0, grace_period=_GRACE):
                break
    except (ProcessExitedException, ProcessRaisedException) as error:
        killed = error
    except BaseException:  # of the observer
        for process in context.processes:
            process.terminate()
        context.join(grace_period=_GRACE)
        raise
    while open_:  # what was said before the end
        for reader in list(open_):
            _receive(reader, open_, outcomes, observer)
    return _result(outcomes, killed, len(readers))


def _receive(
    reader: Connection,
    open_: dict[Connection, int],
    outcomes: dict[int, tuple[str, Any]],
    observer: Callable[[Any], None],
) -> None:
    try:
        kind, value = reader.recv()
    except (EOFError, OSError, UnpicklingError):
        del open_[reader]
        return
    if kind == "event":
        observer(value)
    else:
        outcomes[open_[reader]] = kind, value


def _result(outcomes: dict[int, tuple[str, Any]], killed: Any, count: int) -> Any:
    """What process 0 returned, or the error that came first: none that only says that another one is gone."""
    ended_by = getattr(killed, "signal_name", None)
    raised = [value for _, (kind, value) in sorted(outcomes.items()) if kind == "raised"]
    failed = [value for _, (kind, value) in sorted(outcomes.items()) if kind == "failed"]
    own = [error for error in raised if not isinstance(error, LostProcess)]
    if own:
        raise own[0]
    if failed:
        raise RuntimeError(f"a process of {count} failed:\n{failed[0]}")
    if ended_by:
        how = f"; {raised[0]}" if raised else ""
        raise LostProcess(f"process {killed.error_index} of {count} was ended by {ended_by}{how}")
    if raised:
        raise raised[0]
    if killed is not None or 0 not in outcomes:
        raise TrainingError(f"a process of {count} ended without a word ({killed}); its output above may say why")
    return outcomes[0][1]


@contextlib.contextmanager
def _signals_passed_on(processes: Sequence[Any]) -> Iterator[None]:
    """Ctrl-C and SIGTERM of this process are those of all; a terminal has sent Ctrl-C to all of them already."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def pass_on(number: int, frame: Any) -> None:
        for process in processes:
            if process.is_alive():
                os.kill(process.pid, number)

    def interrupted(number: int, frame: Any) -> None:
        if not _sent_by_terminal():
            pass_on(number, frame)

    before = {signal.SIGTERM: signal.signal(signal.SIGTERM, pass_on)}
    before[signal.SIGINT] = signal.signal(signal.SIGINT, interrupted)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _sent_by_terminal() -> bool:
    """Whether this process is of the group in front of its terminal, so that Ctrl-C has reached all of the group."""
    with contextlib.suppress(OSError):
        return os.tcgetpgrp(0) == os.getpgrp()
    return False
