"""What presets came to here: one recorded run a line of ``recorded_results.jsonl`` beside this file.

A line is made from a finished run by :func:`record_of`, which ``vptsp recipes PRESET --record RUN`` prints; nobody
types a number. Records of a preset whose other settings, code and machine agree are one :class:`Recorded` over seeds.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vptsp.errors import RunError
from vptsp.files import read_json
from vptsp.runs.run import ELSEWHERE, Run
from vptsp.settings.config import make_config
from vptsp.settings.tasks import TASKS

RECORDS = Path(__file__).with_name("recorded_results.jsonl")
_COMPLETED = ("seed", "image_size", "tracker", *ELSEWHERE)  # by the machine, or one of several runs


@dataclass(frozen=True)
class Recorded:
    """One result over seeds. ``metrics`` are means, ``spread`` sample deviations (nothing of one seed); shares."""

    changes: Mapping[str, Any]  # settings beside the preset's
    seeds: tuple[int, ...]
    metrics: Mapping[str, float]
    spread: Mapping[str, float]
    epochs: tuple[int | None, ...]  # that were selected, one a seed; none: the last
    trained: int  # epochs
    machine: str
    code: str
    versions: Mapping[str, str]

    def command(self, preset: str) -> str:
        """What gives the first of its runs again."""
        written = {name: v if isinstance(v, str) else json.dumps(v) for name, v in self.changes.items()}
        words = [f"{name}={value}" for name, value in written.items()]
        return " ".join(["vptsp train --preset", preset, *words, f"seed={self.seeds[0]}"])


def record_of(run: Run | str | Path, preset: str) -> dict[str, Any]:
    """The line of a finished run of a preset: seed, metrics, and what made them.

    Raises :class:`RunError` for a run that is not finished or whose code had changes that no commit holds.
    """
    run = Run.of(run)
    result, made = run.result(), read_json(run.path / "environment.json", "choose a run of this workbench")
    code = str(made.get("code", ""))
    if code.endswith("+changes"):
        raise RunError(
            f"{run.path} was made by code with changes that no commit holds ({code}), so nobody can make it again; "
            "commit them and train it anew"
        )
    packages = made.get("packages", {})
    return {
        "preset": preset,
        "seed": run.config.seed,
        "changes": changes_of(run, preset),
        "metrics": {name: round(value, 5) for name, value in result.metrics.items() if value is not None},
        "selected": None if result.selected == "last" else result.epoch,
        "epochs": result.epochs,
        "machine": f"{made.get('device')}, {made.get('threads')} threads, {result.precision}",
        "code": code,
        "versions": {"python": made.get("python"), "torch": packages.get("torch"), "timm": packages.get("timm")},
    }


def changes_of(run: Run, preset: str) -> dict[str, Any]:
    """Settings of a run that are not its preset's, but for seed, places and machine."""
    asked, found = make_config(preset=preset).model_dump(mode="json"), run.as_asked(run.config.model_dump(mode="json"))
    return {name: found[name] for name in asked if name not in _COMPLETED and found[name] != asked[name]}


def recorded(preset: str, lines: Sequence[Mapping[str, Any]] | None = None) -> list[Recorded]:
    """What is recorded of a preset, newest last; ``lines`` none: those that ship."""
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for line in _shipped() if lines is None else lines:
        if line["preset"] == preset:
            alike = {name: line[name] for name in ("changes", "epochs", "machine", "code", "versions")}
            groups.setdefault(json.dumps(alike, sort_keys=True), []).append(line)
    return [_over_seeds(sorted(group, key=lambda line: line["seed"])) for group in groups.values()]


def headline(metrics: Mapping[str, float], spread: Mapping[str, float] | None = None) -> str:
    """``R@1 64.9 %, MAP@R 24.1 %`` of the metrics that a task is led by, with ± where there are seeds."""
    shown = []
    for task in TASKS.values():
        for name, title in ((task.metric, task.title), (task.second, task.second_title)):
            if name in metrics:
                around = f" ± {100 * spread[name]:.1f}" if spread and name in spread else ""
                shown.append(f"{title} {100 * metrics[name]:.1f}{around} %")
    return ", ".join(shown)


def _over_seeds(lines: Sequence[Mapping[str, Any]]) -> Recorded:
    first = lines[0]
    values = {name: [line["metrics"][name] for line in lines if name in line["metrics"]] for name in first["metrics"]}
    return Recorded(
        changes=first["changes"],
        seeds=tuple(line["seed"] for line in lines),
        metrics={name: statistics.fmean(numbers) for name, numbers in values.items()},
        spread={name: statistics.stdev(numbers) for name, numbers in values.items() if len(numbers) > 1},
        epochs=tuple(line["selected"] for line in lines),
        trained=first["epochs"],
        machine=first["machine"],
        code=first["code"],
        versions=first["versions"],
    )


def _shipped() -> list[dict[str, Any]]:
    if not RECORDS.is_file():
        return []
    return [json.loads(line) for line in RECORDS.read_text(encoding="utf-8").splitlines() if line]
