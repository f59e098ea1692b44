"""Starts processes in :mod:`fork_server`; as a script, the start of a Jupyter kernel.

    python -S -E tests/fork_client.py ADDRESS KERNEL_ARGUMENTS...
takes the place of the kernel that was forked: it passes signals on to it and ends as it does; killed, it takes the
kernel along. Nothing is imported that takes time.
"""

from __future__ import annotations

import os
import pickle
import signal
import socket
import struct
import sys
from typing import Any

SIZE, INTEGER = struct.Struct("!Q"), struct.Struct("!i")
LOG = "server.log"
PASSED_ON = ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2")


def connect(address: str) -> socket.socket:
    """A connection; it is answered once the server has imported everything."""
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(address)
    return connection


def receive(connection: socket.socket, size: int) -> bytes:
    """Exactly ``size`` bytes; raises EOFError where the connection ends before."""
    content = b""
    while len(content) < size:
        if not (more := connection.recv(size - len(content))):
            raise EOFError(f"the fork server of the tests is gone; see {LOG} beside its socket")
        content += more
    return content


def ask(address: str, files: tuple[int, int, int] = (0, 1, 2), **request: Any) -> tuple[socket.socket, int]:
    """Fork a process in this folder with this environment and these open files; its connection and its number.

    It runs ``kernel`` (arguments of a Jupyter kernel), or ``call`` (a pickled function and its arguments) with ``path``
    as its module search path.
    """
    connection = connect(address)
    content = pickle.dumps({"folder": os.getcwd(), "environment": dict(os.environ)} | request)
    socket.send_fds(connection, [SIZE.pack(len(content))], files)
    connection.sendall(content)
    return connection, INTEGER.unpack(receive(connection, INTEGER.size))[0]


def main() -> None:
    address, *kernel = sys.argv[1:]
    connection, pid = ask(address, kernel=kernel)
    for name in PASSED_ON:
        signal.signal(getattr(signal, name), lambda number, frame: os.kill(pid, number))
    (code,) = INTEGER.unpack(receive(connection, INTEGER.size))
    if code < 0:  # by a signal
        if -code != signal.SIGKILL:
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    sys.exit(code)


if __name__ == "__main__":
    main()
