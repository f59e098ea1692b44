"""A few variants of one configuration, trained one after another in this process, as a notebook compares them.

What is to run over night, in many processes or on many machines, is a sweep (:mod:`vptsp.sweeps.spec`).
:meth:`vptsp.analysis.comparison.Comparison.of_variants` lays the runs side by side.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from vptsp.errors import ConfigError, UsageError
from vptsp.project import placed
from vptsp.runs.progress import Event
from vptsp.runs.run import Run, require_own
from vptsp.settings.config import Config
from vptsp.settings.tasks import TASKS
from vptsp.training.loop import train


@dataclass(frozen=True)
class Variant:
    """A name, and the settings in which it differs from the others."""

    name: str
    settings: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class TrainedVariant:
    """The run of one seed. ``labels`` are the names of all variants that have its settings, ``error`` says why it
    failed, "" if it did not."""

    labels: tuple[str, ...]
    config: Config
    path: Path
    error: str = ""


Observer = Callable[[TrainedVariant, int, int], None]


def print_variant(trained: TrainedVariant, number: int, of: int) -> None:
    """One line per run: ``2/9  linear probe, seed 1: R@1 52.0 %``."""
    told = trained.error
    if not told:
        result = Run(trained.path).result()
        task = TASKS[result.task]
        told = f"{task.title} {100 * result.metrics[task.metric]:.1f} %"
    print(f"{number}/{of}  {', '.join(trained.labels)}, seed {trained.config.seed}: {told}", flush=True)


def train_variants(
    variants: Sequence[Variant],
    base: Config,
    seeds: Iterable[int],
    folder: str | Path,
    observer: Observer | None = print_variant,
) -> list[TrainedVariant]:
    """Train ``base`` with each variant's settings and each seed in ``folder/<name>-s<seed>``, all variants of a seed
    before the next.

    A finished run is not trained again, an unfinished one goes on where it stopped, and variants of equal settings
    share a run, which has the name of the first. A run that fails says why; the others go on. ``observer`` gets every
    run as it comes, its number from 1, and how many there are.

    Raises ConfigError for settings that do not fit together, RunError for a folder that holds other runs under these
    names, both before anything is trained.
    """
    planned: dict[str, TrainedVariant] = {}  # by settings
    for seed in seeds:
        for variant in variants:
            config = base.changed(**variant.settings, seed=seed)
            key = json.dumps(config.model_dump(mode="json"), sort_keys=True)
            known = planned.get(key) or TrainedVariant((), config, placed(folder) / f"{_slug(variant.name)}-s{seed}")
            planned[key] = replace(known, labels=tuple(dict.fromkeys([*known.labels, variant.name])))
    if len({run.path for run in planned.values()}) < len(planned):
        raise ConfigError("two variants of different settings have names that make the same directory; rename one")
    for run in planned.values():
        require_own(run.path, run.config)
    trained = []
    for number, run in enumerate(planned.values(), 1):
        trained.append(replace(run, error=_train(run.config, run.path)))
        if observer:
            observer(trained[-1], number, len(planned))
    return trained


def _train(config: Config, path: Path) -> str:
    """Train or finish a run; what went wrong, or nothing."""
    try:
        train(config, path, resume=Run(path).has_begun(), observer=_unwatched)
    except UsageError as error:
        return str(error)
    except RuntimeError as error:  # out of memory, a kernel that is missing
        return f"{type(error).__name__}: {error}"
    return ""


def _unwatched(event: Event) -> None:
    """Whole runs are what is shown."""


def _slug(name: str) -> str:
    return "".join(sign if sign.isalnum() or sign in "-_.=" else "-" for sign in name).strip("-")
