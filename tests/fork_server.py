"""A process that has imported the workbench and forks when asked: kernels and command lines that start in milliseconds.

Importing the workbench takes ten seconds, and the tests start about a hundred kernels and command lines. Each of them
is a process of its own, with its own signal handlers, open files and memory; only the imports are done already.

One server serves all workers of a test session. :mod:`forks` starts it, :mod:`fork_client` talks with it:
    python tests/fork_server.py COMMANDS KERNELS      descriptors of two sockets that listen already
It splits in two: command lines find imported what a command imports, kernels all that a notebook may want, so that the
former are not taken for the latter. A connection is either held open without a word, by a worker, or carries one
request, the pickled dictionary of :func:`fork_client.ask`, with three open files. It is answered by the number of the
process that was forked, and in the end by its exit code. When it is closed early, that process is killed. A server ends
when no connection is left.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import pickle
import pkgutil
import selectors
import signal
import socket
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fork_client import INTEGER, SIZE, receive

Job = Callable[[], None]


def preload_commands() -> None:
    os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = os.environ["NUMBA_NUM_THREADS"] = "1"
    os.environ["JE_ARROW_MALLOC_CONF"] = "background_thread:false"  # of pyarrow's allocator
    for name in ("vptsp.training.loop", "vptsp.cli", "lightning_fabric", "pandas"):  # the last two are imported late
        importlib.import_module(name)
    require_one_thread()


def preload_kernels() -> None:
    os.environ["MPLBACKEND"] = "module://matplotlib_inline.backend_inline"  # as a kernel does, before matplotlib
    for name in ("ipykernel.kernelapp", "vptsp", "vptsp_widgets"):
        package = importlib.import_module(name)
        for found in pkgutil.walk_packages(getattr(package, "__path__", ()), f"{name}."):
            if not found.name.endswith("__main__"):
                importlib.import_module(found.name)
    require_one_thread()


def require_one_thread() -> None:
    """A fork copies one thread, and what others held stays locked for ever; raises RuntimeError if there are any."""
    tasks = Path("/proc/self/task")
    number = len(list(tasks.iterdir())) if tasks.is_dir() else threading.active_count()
    if number > 1:
        raise RuntimeError(f"the imports started {number - 1} threads; processes cannot be forked beside them")


# --- in the server ------------------------------------------------------------------------------------
class Server:
    def __init__(self, listening: socket.socket) -> None:
        self.listening = listening
        self.waking, self.wake = socket.socketpair()
        self.waking.setblocking(False)
        self.wake.setblocking(False)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        signal.set_wakeup_fd(self.wake.fileno())
        self.children: dict[int, socket.socket] = {}
        self.connections: set[socket.socket] = set()
        self.selector = selectors.DefaultSelector()
        self.selector.register(self.listening, selectors.EVENT_READ)
        self.selector.register(self.waking, selectors.EVENT_READ)

    def serve(self) -> Job | None:
        """Returns in each process that is forked, with what it has to do; in the server, none when it may end."""
        begun = False
        while self.connections or not begun:
            for key, _ in self.selector.select():
                connection = key.fileobj
                assert isinstance(connection, socket.socket)
                if connection is self.waking:
                    self.waking.recv(4096)
                    self._reap()
                elif connection is self.listening:
                    accepted = self.listening.accept()[0]
                    self.connections.add(accepted)
                    begun = True
                    self.selector.register(accepted, selectors.EVENT_READ)
                elif connection in self.connections and (job := self._answer(connection)):
                    return job
        return None

    def _answer(self, connection: socket.socket) -> Job | None:
        """A request, or the end of a connection."""
        try:
            size, files, _, _ = socket.recv_fds(connection, SIZE.size, 3)
        except OSError:
            size, files = b"", []
        if not size:
            for pid in [pid for pid, other in self.children.items() if other is connection]:
                _kill(pid)
            self._forget(connection)
            return None
        request = pickle.loads(receive(connection, SIZE.unpack(size)[0]))
        pid = os.fork()
        if pid:
            self.children[pid] = connection
            for file in files:
                os.close(file)
            return None
        self._become(connection, files, request)
        return lambda: _run(request)

    def _reap(self) -> None:
        """Tell those who wait how their processes ended."""
        for pid in list(self.children):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                connection = self.children.pop(pid)
                with contextlib.suppress(OSError):  # nobody may wait any more
                    connection.sendall(INTEGER.pack(os.waitstatus_to_exitcode(status)))
                self._forget(connection)

    def _forget(self, connection: socket.socket) -> None:
        if connection in self.connections:
            self.connections.remove(connection)
            self.selector.unregister(connection)
            connection.close()

    # --- in a process that was just forked ------------------------------------------------------------
    def _become(self, connection: socket.socket, files: list[int], request: dict[str, Any]) -> None:
        """Leave the server behind and take the client's place: its files, folder and environment."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.setsid()
        connection.sendall(INTEGER.pack(os.getpid()))
        for other in [key.fileobj for key in self.selector.get_map().values()]:
            other.close()  # type: ignore[union-attr]
        self.wake.close()
        self.selector.close()
        for number, file in enumerate(files):
            os.dup2(file, number)
            os.close(file)
        os.chdir(request["folder"])
        os.environ.clear()
        os.environ.update(request["environment"])


def _kill(pid: int) -> None:
    """A process and what it started; it leads a group of its own."""
    try:
        os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:  # it is about to lead it, or gone
        os.kill(pid, signal.SIGKILL)


def _run(request: dict[str, Any]) -> None:
    gc.unfreeze()
    if kernel := request.get("kernel"):
        from ipykernel.kernelapp import IPKernelApp

        sys.argv = ["ipykernel_launcher.py", *kernel]
        IPKernelApp.launch_instance(parent_handle=os.getppid())  # it ends when that process does
    else:
        sys.path[:] = request["path"]
        function, arguments = pickle.loads(request["call"])
        function(*arguments)


def main(commands: socket.socket, kernels: socket.socket) -> Job | None:
    """See :meth:`Server.serve`."""
    preload_commands()
    if os.fork():
        kernels.close()
        served = commands
    else:
        commands.close()
        served = kernels
        preload_kernels()
    gc.freeze()  # so that the memory of the imports stays shared
    return Server(served).serve()


if __name__ == "__main__":
    del sys.path[0]  # this folder, which is on no kernel's path
    job = main(*(socket.socket(fileno=int(descriptor)) for descriptor in sys.argv[1:]))
    if job is None:
        os._exit(0)  # what is frozen is not to be taken apart
    job()
