"""The fork server of a test session, and kernels that come from it: an explicit choice of the tests that use them.

What a test says of notebooks and views does not depend on how a kernel has imported the workbench; where a kernel comes
from is left real in sweeps, which kill kernels and count them, and in a test of papermill.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import fork_client
import pytest
from filelock import FileLock

_VARIABLE = "VPTSP_TEST_FORKS"  # a folder that all workers of a session share
_HERE = Path(__file__).parent
_held: list[socket.socket] = []  # the server lives as long as this process does


def configure(config: pytest.Config) -> None:
    """A folder for the server of this session."""
    if not hasattr(config, "workerinput"):
        folder = tempfile.mkdtemp(prefix="vptsp-forks-")  # a short path, as that of a socket must be
        os.environ[_VARIABLE] = folder
        config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))


def start_if_needed(session: pytest.Session) -> None:
    """Start the server while other tests run, if some of these want kernels."""
    wanted = "forked_kernel_path"
    if not session.config.option.collectonly and any(wanted in item.fixturenames for item in session.items):
        address()


def address(of: str = "commands") -> str:
    """Where the server of ``commands`` or ``kernels`` answers; both are started when one is first asked for."""
    places = {name: Path(os.environ[_VARIABLE]) / name for name in ("commands", "kernels")}
    if not _held:
        with FileLock(places[of].with_name("lock")):
            if not places[of].exists():
                _start(list(places.values()))
        _held.extend(fork_client.connect(str(place)) for place in places.values())
    return str(places[of])


def _start(places: list[Path]) -> None:
    listening = [socket.socket(socket.AF_UNIX) for _ in places]
    for place, each in zip(places, listening, strict=True):
        each.bind(str(place))
        each.listen(64)
    descriptors = [each.fileno() for each in listening]
    with places[0].with_name(fork_client.LOG).open("w") as log:
        subprocess.Popen(
            [sys.executable, str(_HERE / "fork_server.py"), *map(str, descriptors)],
            pass_fds=descriptors,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    for each in listening:
        each.close()


@pytest.fixture(scope="session")
def forked_kernel_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for JUPYTER_PATH, whose ``python3`` is forked from the server."""
    from ipykernel.kernelspec import get_kernel_dict

    folder = tmp_path_factory.mktemp("jupyter")
    command = [sys.executable, "-S", "-E", str(_HERE / "fork_client.py"), address("kernels"), "-f", "{connection_file}"]
    spec = get_kernel_dict() | {"argv": command}
    (folder / "kernels" / "python3").mkdir(parents=True)
    (folder / "kernels" / "python3" / "kernel.json").write_text(json.dumps(spec))
    return folder


@pytest.fixture(scope="module")
def forked_kernels(forked_kernel_path: Path) -> Iterator[None]:
    """The notebooks of this file run in forked kernels."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JUPYTER_PATH", str(forked_kernel_path))
        yield


@pytest.fixture
def real_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    """The notebooks of this test run in kernels that start as a user's do."""
    monkeypatch.delenv("JUPYTER_PATH", raising=False)
