"""A run directory: written while training goes on, readable by anything at any time.

::

    runs/<name>/
      config.json        settings, as given and completed
      environment.json   versions, code version, device
      asked.json         settings that the run completed or changed itself, as they were asked for
      progress.json      state (training, done, stopped, failed), process, step: rewritten about once a second
      data.json          how many images and classes, and a fingerprint of their ids; data_ids.json.gz has the ids
      metrics.jsonl      one line per epoch
      summary.json       final metrics and parameter counts; exists only once the run is done
      checkpoint/        everything needed to resume, and small inference checkpoints
      class_prompts.bank  class prompts on disk, if they are kept there; belongs to the checkpoint
      snapshots/         per epoch: learned, semantic and fused proxies, embeddings of fixed probe images
      marks/, views/     tags and selections, and views of the map, that people keep under a name
      embeddings/        train and test embeddings with ids, labels and thumbnails, and of which epoch they are
      report.html, executed notebooks

Whatever shows a run reads this directory and nothing else. Listing runs imports neither torch nor pandas.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vptsp.errors import ConfigError, RunError, explained
from vptsp.files import read_arrays, read_json, read_tensors, write_json, write_text
from vptsp.project import existing, placed, where
from vptsp.runs.environment import environment
from vptsp.runs.result import RunResult
from vptsp.settings.config import Config, make_config
from vptsp.settings.earlier import as_recorded

if TYPE_CHECKING:
    import numpy as np
    import torch

RUNS = Path("runs")


# What may be different where and when a run is read again: where things lie, and the machine. Nothing that it learned.
ELSEWHERE = (
    "data_root", "data_cache", "query_csv", "hub_name", "skip_bad", "num_workers", "device", "precision",
    "backbone_weights", "side_weights", "devices", "num_nodes", "strategy", "patience",
)  # fmt: skip


def require_elsewhere(names: Iterable[str], who: str = "a run") -> None:
    """Raises :class:`ConfigError` for a setting that decides what a run learned; ``who`` says what goes on."""
    if own := [name for name in names if name not in ELSEWHERE]:
        raise ConfigError(
            f"{who} goes on with the run's own settings; give no others ({', '.join(own)}) than those of where things "
            f"are now: {', '.join(ELSEWHERE)}"
        )


class RunInUse(RunError):
    """Another process holds the run directory."""


class Run:
    """A run directory. :meth:`create` makes one, :meth:`open` reads one.

    ``changes`` are settings in whose place others stand here and now; see :meth:`elsewhere`.
    """

    def __init__(self, path: Path, changes: Mapping[str, Any] | None = None) -> None:
        self.path, self.changes = path, dict(changes or {})

    def __repr__(self) -> str:
        return f"Run({str(self.path)!r})"

    # --- making and opening -------------------------------------------------------------------
    @classmethod
    def create(cls, path: str | Path | None, config: Config, asked: Config | None = None) -> Run:
        """A new run directory holding ``config.json``, ``environment.json`` and ``asked.json``.

        ``asked`` are the settings before they were completed by what the data and the machine say; none: they were not.

        ``path`` none: a free name under the project's ``runs/`` (:mod:`vptsp.project`). Refuses a directory that
        already holds something, except a run that failed before its first checkpoint.
        """
        folder = placed(path) if path else _make_free(placed(RUNS) / f"{config.dataset}-{config.method}")
        run = cls(folder)
        run._require_directory()
        with explained(folder):
            folder.mkdir(parents=True, exist_ok=True)
        with run.lock():
            run._require_nothing_in_it()
            write_json(folder / "environment.json", environment())
            write_json(folder / "asked.json", _completed(config, asked or config))
            write_json(folder / "config.json", config.model_dump(mode="json"))  # last: it makes the directory a run
        return run

    def require_free(self) -> None:
        """Raises :class:`RunError` where :meth:`create` would refuse the directory for what is there."""
        self._require_directory()
        self._require_nothing_in_it()

    def _require_directory(self) -> None:
        if self.path.exists() and not self.path.is_dir():
            raise RunError(f"{self.path} is a file; choose a directory for the run")

    def _require_nothing_in_it(self) -> None:
        again = self.came_to_nothing()
        if (self.path / "config.json").exists() and not again:
            raise RunError(
                f"{self.path} already holds a run; resume it (vptsp train --resume {self.path}), "
                "choose another run directory, or delete it"
            )
        if not again and any(item.name not in _BESIDE_A_RUN for item in self.path.glob("[!.]*")):
            raise RunError(f"{self.path} is not empty and not a run; choose a new directory for the run")

    @classmethod
    def open(cls, path: str | Path) -> Run:
        """An existing run directory."""
        if not isinstance(path, str | os.PathLike):
            raise RunError(f"{path!r} is not a run directory; give the path of one, vptsp runs lists them")
        folder = existing(path)
        if not (folder / "config.json").is_file():
            near = [str(run.path) for run in list_runs(folder if folder.is_dir() else folder.parent)][:5]
            told = f"runs near it: {', '.join(near)}"
            if not near and not Path(path).is_absolute():
                near = [str(run.path) for run in list_runs(placed(RUNS))][:5]
                told = f"there is no run in {where(RUNS)}; vptsp demo makes one"
                if near:
                    told = f"in {where(RUNS)} are: {', '.join(near)}"
            elif not near:
                told = "vptsp train makes one"
            raise RunError(f"{folder} is not a run directory (it holds no config.json); {told}")
        return cls(folder)

    @classmethod
    def of(cls, run: Run | str | Path) -> Run:
        """A run as it is, or the one in an existing run directory: what functions that take either begin with."""
        return run if isinstance(run, Run) else cls.open(run)

    def elsewhere(self, **changes: Any) -> Run:
        """This run with its data or weights in another place, or on another machine; its directory stays as it is.

        Raises :class:`ConfigError` for a setting that decides what the run learned.
        """
        require_elsewhere(changes)
        run = Run(self.path, {**self.changes, **changes})
        if run.changes:
            _ = run.config  # says what is wrong with a value
        return run

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the directory against other processes that would write it."""
        import filelock  # here, as only a run that says it is training needs asking

        lock = filelock.FileLock(self.path / ".lock")
        try:
            lock.acquire(timeout=0)
        except filelock.Timeout:
            owner = self.progress().get("pid")
            raise RunInUse(
                f"{self.path} is in use by another process{f' (pid {owner})' if owner else ''}; "
                "wait for it to end, or stop it"
            ) from None
        except OSError as error:
            raise RunError(f"{self.path} cannot be written ({error.strerror or error})") from None
        try:
            yield
        finally:
            lock.release()

    def is_writable(self) -> bool:
        """Whether this process may write into the directory: not so on a disk mounted read-only, or in an archive."""
        return os.access(self.path, os.W_OK | os.X_OK)

    # --- settings and results -----------------------------------------------------------------
    @property
    def config(self) -> Config:
        """The settings, validated again."""
        values = read_json(self.path / "config.json", "delete the directory and train again")
        try:
            stored = make_config(as_recorded(values))
        except ConfigError as error:
            raise RunError(f"{self.path / 'config.json'} was not written by this version: {error}") from None
        return stored.changed(**self.changes) if self.changes else stored

    def asked(self) -> dict[str, Any]:
        """Settings that the run completed itself, as they were asked for; of an earlier version nothing is known."""
        with contextlib.suppress(RunError):
            return read_json(self.path / "asked.json", "")
        return {}

    def as_asked(self, settings: Mapping[str, Any]) -> dict[str, Any]:
        """Settings of this run with the augmentation as it was asked for.

        What its images say of it may differ between seeds, which hold out other classes, and is no other experiment.
        """
        asked = self.asked()
        return {**settings, **{name: asked[name] for name in _AUGMENTATION if name in asked and name in settings}}

    @property
    def name(self) -> str:
        return self.path.resolve().name

    def result(self) -> RunResult:
        """What came out, typed. Raises :class:`RunError` as :meth:`summary` does."""
        return RunResult.of(self.summary(), str(self.path / "summary.json"))

    def summary(self) -> dict[str, Any]:
        """Final metrics and counts as ``summary.json`` has them; :meth:`result` is what to work with.

        Raises :class:`RunError` for a run that is not finished or whose file is cut off.
        """
        state = self.state()
        remedy = (
            f"process {self.progress().get('pid')} is training it; it comes when that is done"
            if state == "training"
            else f"the run's state is {state!r}. Finish it with vptsp train --resume {self.path}, "
            f"or score what it has with vptsp evaluate {self.path}"
        )
        return read_json(self.path / "summary.json", remedy)

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
        except RunInUse:
            return True
        except RunError:  # a disk that may only be read: nobody trains there
            return False

    def has_begun(self) -> bool:
        """Whether there is something to go on with, or to return: a run that did not come to nothing."""
        return (self.path / "config.json").exists() and not self.came_to_nothing()

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

    # --- arrays, as files; vptsp.runs.snapshots says what is in them -----------------------------
    def snapshots(self) -> list[int]:
        """Epochs that have a snapshot."""
        return sorted(int(path.stem.split("_")[1]) for path in (self.path / "snapshots").glob("epoch_*.safetensors"))

    def snapshot(self, epoch: int) -> dict[str, torch.Tensor]:
        """Proxies and probe embeddings after ``epoch``: learned, semantic, fused (C, E) and probe (P, E)."""
        return read_tensors(self.snapshot_path(epoch), self._snapshots_there())

    def snapshot_arrays(self, epoch: int) -> dict[str, np.ndarray]:
        """:meth:`snapshot` for those who need no torch."""
        return read_arrays(self.snapshot_path(epoch), self._snapshots_there())

    def _snapshots_there(self) -> str:
        return f"the run has snapshots of epochs {self.snapshots()}"

    def snapshot_path(self, epoch: int) -> Path:
        return self.path / "snapshots" / f"epoch_{epoch:04d}.safetensors"

    @property
    def probes_path(self) -> Path:
        """Which images and classes the rows of all snapshots are."""
        return self.path / "snapshots" / "probes.json"


# may exist before the run does: what executes its notebook writes beside it, as the keeper of a sweep does (job,
# status), and environment.json alone is left by a disk that filled up in between. Hidden files are nobody's content.
_AUGMENTATION = ("augment_fit", "crop_min", "mirror")
_BESIDE_A_RUN = {
    "01_train.ipynb",
    "notebook.ipynb",
    "log.txt",
    "environment.json",
    "asked.json",
    "job.json",
    "status.json",
    "STOP",
}


def require_own(path: Path, config: Config) -> None:
    """Refuse a directory whose run, if it has begun, has other settings than those asked for."""
    run = Run(path)
    if not run.has_begun():
        return
    asked, found = config.model_dump(mode="json"), run.config.model_dump(mode="json")
    given = found | run.asked()
    if not (path / "asked.json").is_file():  # a run of an earlier version does not know what it completed
        asked |= {"image_size": found["image_size"]} if config.image_size is None else {}
        asked |= {name: found[name] for name in ("batch_size", "images_per_pass", "val_fraction") if config.fit_batch}
    # a run may be asked for as it was, or by what it has made of that
    odd = [name for name in asked if not any(_same(asked[name], there[name]) for there in (given, found))]
    if odd:
        differing = ", ".join(f"{name} {given[name]!r} there, {asked[name]!r} asked for" for name in odd[:3])
        raise RunError(f"{path} holds a run of other settings ({differing}); choose another folder, or delete it")


def _completed(config: Config, asked: Config) -> dict[str, Any]:
    """What was asked for of the settings that a run has otherwise. Paths are not among them: what is relative is of the
    directory in which it was asked for."""
    found, given = config.model_dump(mode="json"), asked.model_dump(mode="json")
    return {name: value for name, value in given.items() if not _same(value, found[name])}


def _same(asked: Any, found: Any) -> bool:
    """Whether two values are one; a run has written the absolute form of a relative path."""
    if asked == found:
        return True
    return isinstance(asked, str) and isinstance(found, str) and str(Path(asked).expanduser().resolve()) == found


def newest_finished(folder: str | Path = RUNS) -> Run:
    """The newest run directly under ``folder`` that is finished.

    Raises :class:`RunError`, naming the folder and the runs in it, where there is none.
    """
    found = list_runs(folder)
    if finished := [run for run in found if run.is_finished()]:
        return finished[-1]
    there = ", ".join(f"{run.name} ({run.state()})" for run in found[-5:])
    raise RunError(
        f"there is no finished run in {where(folder)}, "
        + (f"only {there}; vptsp train --resume RUN goes on with one" if found else "nor any other run")
        + "; vptsp demo makes one, or pass run=DIRECTORY"
    )


def list_runs(folder: str | Path = RUNS) -> list[Run]:
    """Run directories directly under ``folder``, oldest first."""
    found = [path.parent for path in placed(folder).glob("*/config.json")]
    return [Run(path) for path in sorted(found, key=lambda path: (path / "config.json").stat().st_mtime)]


def _make_free(base: Path) -> Path:
    """Make ``<base>-1``, or the first that is free; two processes at once get two directories."""
    for number in itertools.count(1):
        folder = base.with_name(f"{base.name}-{number}")
        with explained(folder), contextlib.suppress(FileExistsError):
            folder.mkdir(parents=True)
            return folder
    raise AssertionError
