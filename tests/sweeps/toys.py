"""A notebook that counts instead of training, and what a sweep of it leaves behind."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

PARAMETERS = """\
run_dir: str = ""  # directory of the run
x: int = 1  # decides the result
lr: float = 0.1  # decides nothing
steps: int = 2  # steps, a checkpoint after each
seed: int = 0  # seed
mode: str = "count"  # count; fail: by its own error; exit: the kernel ends itself; kill: SIGKILL at the first attempt
"""
WORK = """\
import json, os, signal, time
from pathlib import Path

folder = Path(run_dir)
checkpoint = folder / "checkpoint.json"
step = json.loads(checkpoint.read_text()) if checkpoint.exists() else 0
first = step
print("starts at step", step)
with open(folder / "kernels.txt", "a") as file:
    print(os.getpid(), file=file)
try:
    while step < steps or (folder / "hold").exists():
        if mode == "fail" and step == 1:
            raise ValueError("the loss is a fish")
        if mode == "exit":
            os._exit(3)
        if mode == "kill" and first == 0 and step == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(0.02)
        step += 1
        (folder / "next.json").write_text(json.dumps(step))
        os.replace(folder / "next.json", checkpoint)
except KeyboardInterrupt:
    (folder / "saved_when_asked").write_text(str(step))
    raise
"""
RESULT = """\
summary = {"selected": "last", "test": {"last": {"recall_at_1": x / 100 + seed}}, "counts": {"trained": x, "kept": 1}}
(folder / "summary.json").write_text(json.dumps(summary))
"""


def write_notebook(path: Path, *cells: str, tagged: bool = True) -> Path:
    """A notebook of code cells; the first holds the parameters."""
    code = [new_code_cell(cell, id=f"cell-{number}") for number, cell in enumerate(cells)]
    if tagged:
        code[0].metadata["tags"] = ["parameters"]
    notebook = new_notebook(cells=[new_markdown_cell("# Toy", id="title"), *code])
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(notebook, path)
    return path


def toy(folder: Path) -> Path:
    """The counting notebook in ``folder``."""
    return write_notebook(folder / "toy.ipynb", PARAMETERS, WORK, RESULT)


def wait_for(what: str, true: Callable[[], object], seconds: float = 120) -> None:
    """Wait until ``true``; a busy machine may take its time."""
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end:
            raise TimeoutError(f"waited {seconds} s for {what}")
        time.sleep(0.05)


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that only waits to be reaped does not."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    state = Path(f"/proc/{pid}/stat")
    return not state.exists() or state.read_text().rpartition(")")[2].split()[0] != "Z"


def kernels(folder: Path) -> list[int]:
    """Processes of all kernels that a sweep's runs ever had."""
    return [int(line) for path in folder.glob("*/kernels.txt") for line in path.read_text().split()]


def orphans(folder: Path) -> list[int]:
    """Kernels, and processes that name the folder on their command line, that still run after a few seconds."""
    for _ in range(100):
        found = [pid for pid in kernels(folder) if is_alive(pid)]
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                words = path.read_bytes().split(b"\0")
            except OSError:
                continue
            if any(word.startswith(str(folder).encode()) for word in words) and b"vptsp.sweeps.worker" in words:
                found.append(int(path.parent.name))
        if not found:
            return []
        time.sleep(0.1)
    return found
