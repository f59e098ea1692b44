"""A run directory: written while training goes on, readable by anything at any time.

::

    runs/<name>/
      config.json        settings, as given and completed
      environment.json   versions, code version, device
      progress.json      state (training, done, stopped, failed), process, step: rewritten about once a second
      metrics.jsonl      one line per epoch
      summary.json       final metrics and parameter counts; exists only once the run is done
      checkpoint/        everything needed to resume, and small inference checkpoints
      class_prompts.bank  class prompts on disk, if they are kept there; belongs to the checkpoint
      snapshots/         per epoch: learned, semantic and fused proxies, embeddings of fixed probe images
      embeddings/        train and test embeddings with ids, labels and thumbnails
      report.html, executed notebooks

Whatever shows a run reads this directory and nothing else.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import platform
import subprocess
import time
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import filelock
import pandas as pd
import torch

from vptsp.config import Config, make_config
from vptsp.errors import ConfigError, RunError
from vptsp.files import explained, read_json, read_tensors, write_json, write_text

RUNS = Path("runs")


class Run:
    """A run directory. :meth:`create` makes one, :meth:`open` reads one."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __repr__(self) -> str:
        return f"Run({str(self.path)!r})"

    # --- making and opening -------------------------------------------------------------------
    @classmethod
    def create(cls, path: str | Path | None, config: Config) -> Run:
        """A new run directory holding ``config.json`` and ``environment.json``.

        ``path`` none: a free name under ``runs/``. Refuses a directory that already holds something, except
        a run that failed before its first checkpoint.
        """
        folder = Path(path) if path else _make_free(RUNS / f"{config.dataset}-{config.method}")
        if folder.exists() and not folder.is_dir():
            raise RunError(f"{folder} is a file; choose a directory for the run")
        with explained(folder):
            folder.mkdir(parents=True, exist_ok=True)
        run = cls(folder)
        with run.lock():
            again = run.came_to_nothing()
            if (folder / "config.json").exists() and not again:
                raise RunError(
                    f"{folder} already holds a run; resume it (vptsp train --resume {folder}), "
                    "choose another run directory, or delete it"
                )
            if not again and any(item.name not in _BESIDE_A_RUN for item in folder.glob("[!.]*")):
                raise RunError(f"{folder} is not empty and not a run; choose a new directory for the run")
            write_json(folder / "environment.json", environment())
            write_json(folder / "config.json", config.model_dump(mode="json"))  # last: it makes the directory a run
        return run

    @classmethod
    def open(cls, path: str | Path) -> Run:
        """An existing run directory."""
        if not isinstance(path, str | os.PathLike):
            raise RunError(f"{path!r} is not a run directory; give the path of one, vptsp runs lists them")
        folder = Path(path)
        if not (folder / "config.json").is_file():
            near = [str(run.path) for run in list_runs(folder if folder.is_dir() else folder.parent)][:5]
            raise RunError(
                f"{folder} is not a run directory (it holds no config.json); "
                + (f"runs near it: {', '.join(near)}" if near else "vptsp train makes one")
            )
        return cls(folder)

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the directory against other processes that would write it."""
        lock = filelock.FileLock(self.path / ".lock")
        try:
            lock.acquire(timeout=0)
        except filelock.Timeout:
            owner = self.progress().get("pid")
            raise RunError(
                f"{self.path} is in use by another process{f' (pid {owner})' if owner else ''}; "
                "wait for it, or choose another run directory"
            ) from None
        except OSError as error:
            raise RunError(f"{self.path} cannot be written ({error.strerror or error})") from None
        try:
            yield
        finally:
            lock.release()

    # --- settings and results -----------------------------------------------------------------
    @property
    def config(self) -> Config:
        """The settings, validated again."""
        values = read_json(self.path / "config.json", "delete the directory and train again")
        try:
            return make_config(values)
        except ConfigError as error:
            raise RunError(f"{self.path / 'config.json'} was not written by this version: {error}") from None

    @property
    def name(self) -> str:
        return self.path.resolve().name

    def summary(self) -> dict[str, Any]:
        """Final metrics and counts.

        Raises :class:`RunError` for a run that is not finished or whose file is cut off.
        """
        return read_json(
            self.path / "summary.json",
            f"the run's state is {self.state()!r}. Finish it with vptsp train --resume {self.path}, "
            f"or score what it has with vptsp evaluate {self.path}",
        )

    def is_finished(self) -> bool:
        """Whether the run is scored, so that there is nothing left to resume."""
        try:
            return "test" in self.summary()
        except RunError:
            return False

    def state(self) -> str:
        """training, done, stopped, failed, killed (it says training, but no process holds it) or unknown."""
        state = str(self.progress().get("state", "unknown"))
        return "killed" if state == "training" and not self.is_in_use() else state

    def is_in_use(self) -> bool:
        """Whether a process holds the directory; its lock ends with it, whatever ended the process."""
        if not (self.path / ".lock").exists():
            return False
        try:
            with self.lock():
                return False
        except RunError:
            return True

    def came_to_nothing(self) -> bool:
        """Whether the run failed before its first checkpoint, on a bad image for example."""
        return self.progress().get("state") == "failed" and not (self.path / "checkpoint").exists()

    def progress(self) -> dict[str, Any]:
        """State, process and step, as last written; empty before the first step."""
        try:
            return read_json(self.path / "progress.json", "")
        except RunError:
            return {}

    def write_progress(self, **values: Any) -> None:
        write_json(self.path / "progress.json", {**values, "pid": os.getpid(), "updated": time.time()})

    def stop_requested(self) -> bool:
        """Whether somebody asked the run to stop by putting a file ``STOP`` into its directory."""
        return (self.path / "STOP").exists()

    # --- metrics, one line per epoch ----------------------------------------------------------
    def metrics(self) -> list[dict[str, Any]]:
        """The lines of ``metrics.jsonl``; a last line still being written is left out."""
        path = self.path / "metrics.jsonl"
        lines = path.read_text().splitlines(keepends=True) if path.is_file() else []
        return [json.loads(line) for line in lines if line.endswith("\n")]

    def write_metrics(self, lines: list[dict[str, Any]]) -> None:
        """Replace ``metrics.jsonl``: its length is the number of finished epochs, never a torn line."""
        write_text(self.path / "metrics.jsonl", "".join(json.dumps(line, allow_nan=False) + "\n" for line in lines))

    # --- arrays ---------------------------------------------------------------------------------
    def snapshots(self) -> list[int]:
        """Epochs that have a snapshot."""
        return sorted(int(path.stem.split("_")[1]) for path in (self.path / "snapshots").glob("epoch_*.safetensors"))

    def snapshot(self, epoch: int) -> dict[str, torch.Tensor]:
        """Proxies and probe embeddings after ``epoch``: learned, semantic, fused (C, E) and probe (P, E)."""
        have = self.snapshots()
        return read_tensors(self.snapshot_path(epoch), f"the run has snapshots of epochs {have}")

    def snapshot_path(self, epoch: int) -> Path:
        return self.path / "snapshots" / f"epoch_{epoch:04d}.safetensors"


# may exist before the run does: what executes its notebook writes beside it, as the keeper of a sweep does (job,
# status), and environment.json alone is left by a disk that filled up in between. Hidden files are nobody's content.
_BESIDE_A_RUN = {
    "01_train.ipynb", "notebook.ipynb", "log.txt", "environment.json", "job.json", "status.json", "STOP",
}  # fmt: skip


def list_runs(folder: str | Path = RUNS) -> list[Run]:
    """Run directories directly under ``folder``, oldest first."""
    found = [path.parent for path in Path(folder).glob("*/config.json")]
    return [Run(path) for path in sorted(found, key=lambda path: (path / "config.json").stat().st_mtime)]


def compare(runs: list[Run]) -> pd.DataFrame:
    """One row per run, also for unfinished ones: state, final metrics, counts, then every differing setting."""
    results: list[dict[str, Any]] = []
    settings: dict[int, dict[str, Any]] = {}
    for index, run in enumerate(runs):
        row: dict[str, Any] = {"run": run.name, "state": run.state()}
        with contextlib.suppress(RunError):
            summary = run.summary()
            metrics = summary["test"][summary["selected"]]
            row |= {name: value for name, value in metrics.items() if not name.startswith("num_")}
            row["trained"] = summary["counts"]["trained"]
        try:
            settings[index] = run.config.model_dump(mode="json")
        except RunError:
            row["state"] = "unreadable"
        results.append(row)
    given = pd.DataFrame.from_dict(settings, orient="index")
    differing = [name for name in given if given[name].map(str).nunique() > 1]
    table = pd.DataFrame(results)
    if "trained" in table:
        table["trained"] = table["trained"].astype("Int64")  # a count stays a count beside runs without one
    return table.join(given[differing])


def environment() -> dict[str, Any]:
    """Versions of what decides the numbers, the code version and the device."""
    names = ("vptsp-workbench", "torch", "torchvision", "timm", "lightning-fabric", "numpy", "faiss-cpu", "umap-learn")
    cuda = torch.cuda.is_available()
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "packages": {name: _version(name) for name in names},
        "code": code_version(),
        "device": torch.cuda.get_device_name() if cuda else "cpu",
        "threads": torch.get_num_threads(),
    }


def code_version() -> str:
    """The commit this package runs from, ``+changes`` when the tree differs, or the installed version."""
    folder = Path(__file__).parent
    try:
        command = ["git", "-C", str(folder), "describe", "--always", "--dirty=+changes", "--abbrev=12"]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return _version("vptsp-workbench")


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"


def _make_free(base: Path) -> Path:
    """Make ``<base>-1``, or the first that is free; two processes at once get two directories."""
    for number in itertools.count(1):
        folder = base.with_name(f"{base.name}-{number}")
        with explained(folder), contextlib.suppress(FileExistsError):
            folder.mkdir(parents=True)
            return folder
    raise AssertionError
