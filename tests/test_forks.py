"""Forked kernels and command lines behave as those that are started do; other tests rely on it."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import processes
import psutil
import pytest
from jupyter_client.manager import start_new_kernel

pytestmark = pytest.mark.usefixtures("forked_kernels")


class Kernel:
    def __init__(self, folder: Path) -> None:
        self.manager, self.client = start_new_kernel(startup_timeout=300, kernel_name="python3", cwd=str(folder))
        self.starter: subprocess.Popen[bytes] = self.manager.provisioner.process
        self.pid = int(self.value("__import__('os').getpid()"))

    def value(self, expression: str) -> str:
        printed: list[str] = []

        def keep(message: dict[str, Any]) -> None:
            printed.append(message["content"].get("text", ""))

        def run() -> str:
            reply = self.client.execute_interactive(f"print({expression})", output_hook=keep, timeout=120)
            status: str = reply["content"]["status"]
            return status

        # for a moment after an error a kernel turns away whatever reaches it, as it would the rest of a notebook
        until(lambda: run() != "aborted")
        return "".join(printed).strip()


@pytest.fixture
def kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Kernel]:
    monkeypatch.setenv("GIVEN", "to this kernel")
    kernel = Kernel(tmp_path)
    yield kernel
    kernel.client.stop_channels()
    kernel.manager.shutdown_kernel(now=True)


def until(true: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)


def gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:  # asking first whether it is there would leave it time to go
        return True


def test_a_kernel_has_its_own_place_and_is_interrupted(kernel: Kernel, tmp_path: Path) -> None:
    assert kernel.pid != kernel.starter.pid
    assert kernel.value("'vptsp.training.loop' in __import__('sys').modules") == "True"  # imported by the server
    assert kernel.value("__import__('os').getcwd()") == str(tmp_path)
    assert kernel.value("__import__('os').environ['GIVEN']") == "to this kernel"
    assert kernel.value("__name__") == "__main__"
    running = tmp_path / "running"
    kernel.client.execute(f"open({str(running)!r}, 'w').close()\nwhile True: pass")
    until(running.exists)
    kernel.manager.interrupt_kernel()
    reply = kernel.client.get_shell_msg(timeout=60)
    assert (reply["content"]["status"], reply["content"]["ename"]) == ("error", "KeyboardInterrupt")
    assert kernel.value("1 + 1") == "2"


def test_what_takes_its_place_ends_as_the_kernel_does(kernel: Kernel) -> None:
    kernel.client.execute("import os; os._exit(7)")
    assert kernel.starter.wait(60) == 7


def test_killed_it_takes_the_kernel_and_what_that_started_along(kernel: Kernel) -> None:
    child = int(kernel.value("__import__('subprocess').Popen(['sleep', '600']).pid"))
    kernel.starter.kill()
    until(lambda: gone(kernel.pid) and gone(child))


def stop() -> None:
    os.kill(os.getpid(), signal.SIGSTOP)


def test_command_lines_end_with_their_code_or_their_signal(tmp_path: Path) -> None:
    ended = processes.vptsp(["train", "--nothing"], tmp_path / "log")
    assert ended.code == 2
    assert "No such option" in ended.output
    stopped = processes.start(["--help"], tmp_path / "log", stop)
    assert stopped.exitcode is None
    os.kill(stopped.pid, signal.SIGKILL)
    stopped.join(60)
    assert stopped.exitcode == -signal.SIGKILL
