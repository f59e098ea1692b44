"""Successive halving: every setting of a ladder for a few epochs, the better ones for more, one to the end.

Jamieson and Talwalkar, AISTATS 2016, arXiv 1502.07943, with ``keep`` for their eta. A stage is a sweep like any other
in a folder of its own, ``<folder>/stage-1`` and so on, so it is stopped, taken up again and spread over devices like
one. Each stage trains anew, because the cosine of the learning rate is laid over a run's epochs.

What decides is what selects a run's epoch: the classes (in recognition the images) held out of training, never the
test. It decides among many runs here, so the value of the one that is chosen is a little flattered; its test is not.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import mean
from typing import Any

from vptsp.errors import ConfigError, RunError
from vptsp.files import write_json
from vptsp.project import placed
from vptsp.settings.config import Config, make_config
from vptsp.sweeps.folder import Job, SweepFolder
from vptsp.sweeps.plan import MANY, Plan, make_plan
from vptsp.sweeps.spec import Sweep

NOTEBOOK = "01_train"
RATES = ("lr", "lr_proxy")  # the default ladder moves them together: what is meant is their ratio
RATE_FACTORS = (0.25, 1.0, 4.0)
DECAY_FACTORS = (0.01, 1.0, 100.0)
Values = dict[str, Any]
Rank = tuple[float, float, float]


@dataclass(frozen=True)
class Stage:
    """``candidates`` settings are trained for ``epochs`` each."""

    candidates: int
    epochs: int


@dataclass(frozen=True)
class Candidate:
    """One setting of the ladder as a stage has found it. ``validation`` is the mean over seeds of what the run's
    selected model reaches on held-out data, none where no run of it came to an end; ``trained`` the same of the best
    epoch that was trained, whether it was selected or not. ``runs`` are their directories, ``error`` says what went
    wrong, "" if nothing did."""

    values: Values
    validation: float | None
    trained: float | None
    runs: tuple[Path, ...]
    error: str = ""
    rank: Rank = (-math.inf, -math.inf, -math.inf)


@dataclass(frozen=True)
class Tuned:
    """What a search has found: the stages with their candidates, best first, the settings that are left, and the run
    of them (of the first seed), which was trained to the end. ``preset`` is a file for ``--preset``."""

    stages: list[tuple[Stage, list[Candidate]]]
    values: Values
    run: Path
    preset: Path


@dataclass(frozen=True)
class Search:
    """A search as it is to be done, all of it checked; :meth:`plan` makes a stage of it.

    ``settings`` and ``preset`` are those of every run; ``ladder`` the candidates.
    """

    settings: Mapping[str, Any]
    preset: str | None
    config: Config  # what they come to
    ladder: list[Values]
    stages: list[Stage]
    seeds: tuple[int, ...]
    folder: Path
    yes: bool = False
    names: list[str] = field(default_factory=list)  # of what varies

    def plan(self, number: int, candidates: Sequence[Values]) -> Plan:
        """The runs of a stage, counted from 0."""
        return make_plan(
            Sweep(
                NOTEBOOK,
                parameters={
                    **{name: value for name, value in self.settings.items() if name not in ("epochs", "seed")},
                    "preset": self.preset or "",
                    "baselines": False,
                    "projection": "pca",
                    "epochs": self.stages[number].epochs,
                },
                list={self.told(values): dict(values) for values in candidates},
                seeds=self.seeds,
                folder=str(self.place(number)),
            ),
            self.yes,
        )

    def place(self, number: int) -> Path:
        return self.folder / f"stage-{number + 1}"

    def told(self, values: Mapping[str, Any]) -> str:
        """A candidate by what varies: ``lr=0.005 weight_decay=0.0001``."""
        return " ".join(f"{name}={values[name]}" for name in self.names)

    @property
    def epochs(self) -> int:
        """Epochs of all runs together, what the search costs."""
        return sum(stage.candidates * stage.epochs for stage in self.stages) * len(self.seeds)


def make_search(
    settings: Mapping[str, Any] | None = None,
    preset: str | None = None,
    ladder: Mapping[str, Sequence[Any]] | None = None,
    *,
    keep: int = 3,
    seeds: int = 1,
    folder: str | Path | None = None,
    yes: bool = False,
) -> Search:
    """A search over every combination of ``ladder`` (names of settings to lists of values), checked but not begun.

    Without a ladder it is nine: the learning rates by 1/4, 1 and 4 of the configured ones, and the weight decay by
    1/100, 1 and 100. Of a stage's candidates one in ``keep`` goes on, for ``keep`` times the epochs; the last has those
    that are configured. Runs differ by ``seeds`` seeds from the configured one on.

    Raises ConfigError for a ladder of nothing, or of what cannot be trained, and where nothing is held out by which to
    choose.
    """
    given = dict(settings or {})
    config = make_config(given, preset=preset)
    if config.method == "frozen":
        raise ConfigError("method='frozen' trains nothing, so there is nothing to tune; choose another method")
    if config.val_fraction == 0:
        raise ConfigError("val_fraction=0 holds nothing out by which to choose; set it above 0, for example to 0.2")
    if keep < 2:
        raise ConfigError(f"keep={keep} leaves no candidate out; one in 2 or more goes on from stage to stage")
    if seeds < 1:
        raise ConfigError(f"seeds={seeds} is not a number of runs of each candidate; give 1 or more")
    candidates = _combined(ladder) if ladder else default_ladder(config)
    if len(candidates) < 2:
        raise ConfigError("one candidate leaves nothing to choose; give a setting of the ladder several values")
    for name in ("epochs", "seed", "preset", "run_dir"):
        if name in candidates[0]:
            raise ConfigError(f"{name} is not for the ladder: stages and seeds are the search's own; choose others")
    clash = [name for name in candidates[0] if name in given and ladder]
    if clash:
        raise ConfigError(f"{clash[0]} is in the ladder and among the settings; leave it out of one of them")
    for values in candidates:
        make_config({**given, **values}, preset=preset)
    fixed = {name: value for name, value in given.items() if name not in candidates[0]}
    stages = stages_of(len(candidates), config.epochs, keep)
    place = placed(folder or Path("runs/tuned") / f"{config.dataset}-{config.method}")
    names = [name for name in candidates[0] if len({repr(values[name]) for values in candidates}) > 1]
    all_seeds = tuple(range(config.seed, config.seed + seeds))
    search = Search(fixed, preset, config, candidates, stages, all_seeds, place, yes, names)
    search.plan(0, candidates)  # notebook and names are as they should be
    return search


def default_ladder(config: Config) -> list[Values]:
    """Nine candidates around a configuration, which is one of them."""
    return [
        {
            **{name: _rounded(getattr(config, name) * by) for name in RATES},
            "weight_decay": _rounded(config.weight_decay * decay),
        }
        for by in RATE_FACTORS
        for decay in (DECAY_FACTORS if config.weight_decay else (1.0,))
    ]


def stages_of(candidates: int, epochs: int, keep: int) -> list[Stage]:
    """The stages from ``candidates`` down to one, which is trained for ``epochs``; one in ``keep`` goes on."""
    counts = [candidates]
    while counts[-1] > 1:
        counts.append(max(1, counts[-1] // keep))
    last = len(counts) - 1
    return [Stage(count, max(1, math.ceil(epochs / keep ** (last - number)))) for number, count in enumerate(counts)]


def judged(folder: SweepFolder, candidates: Mapping[str, Values]) -> list[Candidate]:
    """Candidates, by the labels of their runs, by what these came to on held-out data, best first.

    Where the selected model is the same untrained one for several, the best epoch that they trained decides, by the
    metric that selects and then by MAP@R. A candidate of which a run failed comes last.
    """
    jobs = folder.jobs()
    found = [_candidate(values, [job for job in jobs if label in job.labels]) for label, values in candidates.items()]
    return sorted(found, key=lambda candidate: candidate.rank, reverse=True)


def finish(search: Search, stages: list[tuple[Stage, list[Candidate]]]) -> Tuned:
    """Write ``search.json`` and the preset ``tuned.json`` into the search's folder, and say what was found.

    Raises RunError where the last stage left no run.
    """
    best = stages[-1][1][0]
    if best.validation is None:
        raise RunError(f"no candidate came to its end: {best.error}")
    record = {
        "settings": {**search.settings, **best.values},
        "preset": search.preset or "",
        "chosen": best.values,
        "run": str(best.runs[0]),
        "stages": [
            {
                "epochs": stage.epochs,
                "candidates": [
                    {
                        "values": one.values,
                        "validation": one.validation,
                        "trained": one.trained,
                        "runs": [path.name for path in one.runs],
                        "error": one.error,
                    }
                    for one in candidates
                ],
            }
            for stage, candidates in stages
        ],
    }
    write_json(search.folder / "search.json", record)
    preset = search.folder / "tuned.json"
    chosen = make_config({**search.settings, **best.values}, preset=search.preset)
    write_json(preset, chosen.model_dump(mode="json", exclude_defaults=True))
    return Tuned(stages, best.values, best.runs[0], preset)


def tune(
    settings: Mapping[str, Any] | None = None,
    preset: str | None = None,
    ladder: Mapping[str, Sequence[Any]] | None = None,
    *,
    keep: int = 3,
    seeds: int = 1,
    folder: str | Path | None = None,
    yes: bool = False,
    **options: Any,
) -> Tuned:
    """Search a ladder of settings by successive halving, and train the best to the end.

    >>> tuned = tune({"dataset": "folder", "data_root": "my_images"})  # doctest: +SKIP
    >>> vptsp.train(preset=tuned.preset)  # doctest: +SKIP

    Arguments are those of :func:`make_search`, ``options`` those of :func:`~vptsp.sweeps.runner.run_sweep`
    (``workers``, ``gpus``, ``watch``, ...). Called again it goes on where it was stopped. Raises
    :class:`~vptsp.errors.UsageError` for what cannot be searched, RunError where no candidate could be trained or the
    search was stopped.
    """
    return search_on(make_search(settings, preset, ladder, keep=keep, seeds=seeds, folder=folder, yes=yes), **options)


def search_on(search: Search, **options: Any) -> Tuned:
    """Do what is left of a search, as :func:`tune` does."""
    from vptsp.sweeps.runner import run_sweep

    left, stages = search.ladder, list[tuple[Stage, list[Candidate]]]()
    for number, stage in enumerate(search.stages):
        candidates = left[: stage.candidates]
        plan = search.plan(number, candidates)
        folder = run_sweep(plan, search.place(number), **options)
        if any(job.status()["state"] in ("queued", "interrupted", "killed") for job in folder.jobs()):
            raise RunError(
                f"the search was stopped in stage {number + 1}, or a run was killed; the same command goes on with it"
            )
        found = judged(folder, {search.told(values): values for values in candidates})
        if found[0].validation is None:
            raise RunError(f"no candidate of stage {number + 1} could be trained: {found[0].error}")
        stages.append((stage, found))
        left = [one.values for one in found if one.validation is not None]
    return finish(search, stages)


def _candidate(values: Values, jobs: Sequence[Job]) -> Candidate:
    paths = tuple(job.path for job in jobs)
    validations, trained, maps, metric = [], [], [], ""
    for job in jobs:
        result = job.result()
        if job.status()["state"] != "done" or result is None or result.validation is None:
            error = job.status()["error"].partition("\n")[0] or "too few classes to hold some out, by which to choose"
            return Candidate(values, None, None, paths, error)
        metric = result.validation_metric
        epochs = [line for line in job.curve() if line.get("epoch", 0) > 0 and line.get(metric) is not None]
        best = max(epochs, key=lambda line: (line[metric], line.get("val_map_at_r", 0.0)), default={})
        validations.append(result.validation)
        trained.append(best.get(metric, -math.inf))
        maps.append(best.get("val_map_at_r", -math.inf))
    if not jobs:
        return Candidate(values, None, None, (), "its runs are gone")
    rank = (mean(validations), mean(trained), mean(maps))
    return Candidate(values, rank[0], None if rank[1] == -math.inf else rank[1], paths, "", rank)


def _combined(ladder: Mapping[str, Sequence[Any]]) -> list[Values]:
    """Every combination, as a sweep's grid has them."""
    try:
        sweep = Sweep(NOTEBOOK, grid=ladder)
    except ConfigError as error:
        raise ConfigError(str(error).replace("grid", "ladder")) from None
    if (count := sweep.count()) > MANY:
        raise ConfigError(f"the ladder has {count:,} combinations; a search takes at most {MANY}, so leave some out")
    return [values for _, values in sweep.runs()]


def _rounded(value: float) -> float:
    return float(f"{value:.3g}")
