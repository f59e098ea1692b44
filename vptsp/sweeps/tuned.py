"""A search done: what decides among its candidates, and what is left of it.

What decides is what selects a run's epoch: the classes (in recognition the images) held out of training, never the
test. It decides among many runs here, so the value of the one that is chosen is a little flattered; its test is not.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Any

from vptsp.errors import RunError
from vptsp.files import read_json, write_json
from vptsp.runs.run import ELSEWHERE
from vptsp.settings.config import make_config
from vptsp.sweeps.folder import Job
from vptsp.sweeps.halving import Search, Stage, Values

_ELSEWHERE = {*ELSEWHERE} - {"data_root"}  # a search goes on with these as they are now
_TRIES = 2  # a run that the system has killed so often is one that cannot be trained
Rank = tuple[float, float, float]


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


def tune(search: Search, **options: Any) -> Tuned:
    """Search a ladder of settings by successive halving, and train the best to the end.

    >>> tuned = tune(make_search({"dataset": "folder", "data_root": "my_images"}), workers=2)  # doctest: +SKIP
    >>> vptsp.train(preset=str(tuned.preset))  # doctest: +SKIP

    ``options`` are those of :func:`~vptsp.sweeps.runner.run_sweep` (``workers``, ``gpus``, ``retry_failed``, ``watch``,
    ...). Called again it goes on where it was stopped.

    Raises RunError where no candidate could be trained, the search was stopped, or the folder holds a search of other
    settings.
    """
    from vptsp.sweeps.runner import run_sweep

    _begin(search)
    left, stages = search.ladder, list[tuple[Stage, list[Candidate]]]()
    for number, stage in enumerate(search.stages):
        candidates = left[: stage.candidates]
        plan = search.plan(number, candidates) if number else search.first
        folder = run_sweep(plan, search.place(number), **options)
        jobs = folder.jobs()
        if any(_is_stopped(job.status()) for job in jobs):
            raise RunError(
                f"the search was stopped in stage {number + 1}, or a run was killed; the same command goes on with it"
            )
        # by the plan: a run that was there already has the labels that it was made with
        labels = [planned.labels for planned in plan.jobs]
        found = judged(candidates, [_of(search.told(values), jobs, labels) for values in candidates])
        if found[0].validation is None:
            raise RunError(
                f"no candidate of stage {number + 1} could be trained: {found[0].error}; mend it, and pass "
                "--retry-failed"
            )
        stages.append((stage, found))
        left = [one.values for one in found if one.validation is not None]
    return _finish(search, stages)


def judged(candidates: Sequence[Values], jobs: Sequence[Sequence[Job]]) -> list[Candidate]:
    """Candidates by what their jobs came to on held-out data, best first.

    Where the selected model is the same untrained one for several, the best epoch that they trained decides, by the
    metric that selects and then by MAP@R. A candidate of which a run failed comes last.
    """
    found = [_candidate(values, own) for values, own in zip(candidates, jobs, strict=True)]
    return sorted(found, key=lambda candidate: candidate.rank, reverse=True)


def _candidate(values: Values, jobs: Sequence[Job]) -> Candidate:
    paths, ranks = tuple(job.path for job in jobs), list[Rank]()
    for job in jobs:
        result = job.result()
        if job.status()["state"] != "done" or result is None or result.validation is None:
            error = job.status()["error"].partition("\n")[0] or "too few classes to hold some out, by which to choose"
            return Candidate(values, None, None, paths, error)
        metric = result.validation_metric
        epochs = [(line.get(metric), line.get("val_map_at_r", 0.0)) for line in job.epochs_of_model()]
        best = max((value for value in epochs if value[0] is not None), default=(-math.inf, -math.inf))
        ranks.append((result.validation, *best))
    rank = (mean(each[0] for each in ranks), mean(each[1] for each in ranks), mean(each[2] for each in ranks))
    return Candidate(values, rank[0], None if rank[1] == -math.inf else rank[1], paths, "", rank)


def _of(label: str, jobs: Sequence[Job], labels: Sequence[Sequence[str]]) -> list[Job]:
    return [job for job, own in zip(jobs, labels, strict=True) if label in own]


def _is_stopped(status: Mapping[str, Any]) -> bool:
    state = status["state"]
    return state in ("queued", "interrupted") or (state == "killed" and status["attempts"] < _TRIES)


def _begin(search: Search) -> None:
    """Note what is searched. Raises RunError where the folder is of a search of other settings."""
    path = search.folder / "search.json"
    wanted = _settings(search)
    if path.is_file():
        before = read_json(path, "choose another folder").get("settings", {})
        others = [
            name
            for name, value in wanted.items()
            if name not in _ELSEWHERE and name in before and before[name] != value
        ]
        if others:
            raise RunError(
                f"{search.folder} holds a search of other settings ({others[0]}={before[others[0]]!r}); choose another "
                "folder with --folder (folder= from Python)"
            )
    else:
        write_json(path, {"settings": wanted})


def _settings(search: Search) -> dict[str, Any]:
    """What all runs of a search have in common, as JSON."""
    return make_config(search.settings, preset=search.preset).model_dump(mode="json")


def _finish(search: Search, stages: list[tuple[Stage, list[Candidate]]]) -> Tuned:
    """Complete ``search.json`` and write the preset ``tuned.json``."""
    best = stages[-1][1][0]
    chosen = make_config({**search.settings, **best.values}, preset=search.preset)
    record = {
        "settings": _settings(search),
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
    # whole: of what a recorded configuration does not name, it means what was so before it could be set
    write_json(preset, chosen.model_dump(mode="json"))
    return Tuned(stages, best.values, best.runs[0], preset)
