"""Many small trainings beside each other: every trial with every seed, one row each."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import pandas as pd

from vptsp.analysis.footprint import training_footprint
from vptsp.errors import ConfigError, UsageError
from vptsp.runs.progress import Event
from vptsp.runs.run import Run, require_own
from vptsp.settings.config import Config
from vptsp.training.loop import train

Row = dict[str, Any]
_COUNTS = ("trained", "kept", "bank")


@dataclass(frozen=True)
class Trial:
    """A name, and the settings in which it differs from the others."""

    name: str
    settings: dict[str, Any] = field(default_factory=dict)


def chosen(parameter: str, text: str, known: Iterable[str]) -> list[str]:
    """The names in a notebook's ``parameter``, separated by commas, or all ``known`` ones where it is empty.

    Raises ConfigError for names that are not known.
    """
    every = list(known)
    names = [name.strip() for name in text.split(",") if name.strip()]
    if unknown := [name for name in names if name not in every]:
        raise ConfigError(f"{parameter}={text!r}: {', '.join(unknown)} is not known; choose from {', '.join(every)}")
    return names or every


def print_row(row: Row) -> None:
    """One line per finished run."""
    score = next((f"{name} {100 * row[name]:.1f} %" for name in ("recall_at_1", "top1") if name in row), row["error"])
    print(f"{row['number']}/{row['of']}  {row['trial']}, seed {row['seed']}: {score}", flush=True)


def run_trials(
    trials: Sequence[Trial],
    base: Config,
    seeds: Iterable[int],
    folder: str | Path,
    observer: Callable[[Row], None] | None = print_row,
) -> pd.DataFrame:
    """Train ``base`` with each trial's settings and each seed in ``folder/<name>-s<seed>``, one after another.

    A finished run is not trained again, an unfinished one goes on where it stopped, and a trial whose settings equal
    an earlier one's shares its run. A run that fails is a row whose ``error`` says why; the others go on. ``observer``
    gets every row as it comes.

    Columns: trial, seed, state, error, trained, kept, bank, step_ms (median over epochs of the time of one step,
    loading included), footprint (bytes, :func:`~vptsp.analysis.footprint.training_footprint`), activations (bytes,
    part of it), the task's metrics, best_epoch, run (its directory).

    Raises ConfigError for settings that do not fit together, RunError for a folder that holds other runs under these
    names, both before anything is trained.
    """
    seeds = list(seeds)
    planned = [(trial, seed, base.changed(**trial.settings, seed=seed)) for seed in seeds for trial in trials]
    paths: dict[str, Path] = {}  # by settings
    for trial, seed, config in planned:
        paths.setdefault(_key(config), Path(folder) / f"{_slug(trial.name)}-s{seed}")
    if len(set(paths.values())) < len(paths):
        raise ConfigError("two trials of different settings have names that make the same directory; rename one")
    for _, _, config in planned:
        require_own(paths[_key(config)], config)
    footprints: dict[str, dict[str, int]] = {}
    errors: dict[Path, str] = {}
    rows = []
    for number, (trial, seed, config) in enumerate(planned, 1):
        path = paths[_key(config)]
        if path not in errors:
            errors[path] = _train(config, path)
        row = _row(trial, seed, path, errors[path])
        if not errors[path]:
            key = _key(config.changed(seed=0))
            if key not in footprints:
                footprints[key] = training_footprint(config, Run(path).result().classes["train"])
            row |= {"footprint": footprints[key]["total"], "activations": footprints[key]["activations"]}
        rows.append(row)
        if observer:
            observer(row | {"number": number, "of": len(planned)})
    table = pd.DataFrame(rows)
    counts = {name: "Int64" for name in (*_COUNTS, "footprint", "activations") if name in table}
    return table.astype(counts)  # a count stays a count beside runs without one


def _train(config: Config, path: Path) -> str:
    """Train or finish a run; what went wrong, or nothing."""
    run = Run(path)
    try:
        resume = (path / "config.json").exists() and not run.came_to_nothing()
        train(config, path, resume=resume, observer=_unwatched)
    except UsageError as error:
        return str(error)
    except RuntimeError as error:  # out of memory, a kernel that is missing
        return f"{type(error).__name__}: {error}"
    return ""


def _unwatched(event: Event) -> None:
    """Rows are what is shown."""


def _row(trial: Trial, seed: int, path: Path, error: str) -> Row:
    run = Run(path)
    row: Row = {"trial": trial.name, "seed": seed, "state": "failed" if error else run.state(), "error": error}
    row["run"] = str(path)
    if error:
        return row
    result = run.result()
    speeds = [line["images_per_second"] for line in run.metrics() if line.get("images_per_second")]
    row |= {name: result.counts[name] for name in _COUNTS}
    row["step_ms"] = 1000 * median(run.config.batch_size / speed for speed in speeds) if speeds else None
    row |= result.metrics
    row["best_epoch"] = result.epoch
    return row


def _key(config: Config) -> str:
    return json.dumps(config.model_dump(mode="json"), sort_keys=True)


def _slug(name: str) -> str:
    return "".join(sign if sign.isalnum() or sign in "-_.=" else "-" for sign in name).strip("-")
