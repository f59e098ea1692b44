"""Runs of equal settings, whatever their seed: one experiment, whose repetitions give a mean and a spread."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from vptsp.analysis.compared_run import ComparedRun


@dataclass(frozen=True)
class Experiment:
    """``runs`` in the order they were found in, under a name that no other experiment of the comparison has."""

    name: str
    runs: tuple[ComparedRun, ...]

    @cached_property
    def by_seed(self) -> dict[int, ComparedRun]:
        """The run that stands for each seed: its first finished one, else its first.

        A seed counts once, however often it was run: the same training again says nothing about other seeds.
        """
        found: dict[int, ComparedRun] = {}
        for run in self.runs:
            if run.seed not in found or (run.test and not found[run.seed].test):
                found[run.seed] = run
        return found

    @cached_property
    def finished(self) -> dict[int, ComparedRun]:
        """Those of :attr:`by_seed` that have results: what means and spreads are over."""
        return {seed: run for seed, run in self.by_seed.items() if run.test}

    @property
    def repeats(self) -> list[ComparedRun]:
        """Finished runs that are not counted, as another one of their settings and seed is."""
        return [run for run in self.runs if run.test and run is not self.by_seed[run.seed]]

    @property
    def validations(self) -> list[float]:
        """Validation metrics of :attr:`finished`, those that have one."""
        return [run.validation for run in self.finished.values() if run.validation is not None]

    def values(self, metric: str) -> list[float]:
        """A test metric of :attr:`finished`, one number per seed that has it."""
        return [run.test[metric] for run in self.finished.values() if run.test.get(metric) is not None]

    def count(self, name: str) -> int | None:
        """Parameters ``trained``, ``kept`` or in the ``bank``; none before a run is finished."""
        return next((run.counts.get(name) for run in self.finished.values()), None)

    @property
    def labels(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(label for run in self.runs for label in run.labels))

    @property
    def states(self) -> str:
        """``3 done``, ``2 done, 1 failed``."""
        return ", ".join(f"{count} {state}" for state, count in Counter(run.state for run in self.runs).items())

    @property
    def errors(self) -> list[str]:
        """Why runs failed: ``seed 1: the disk is full``."""
        return [f"seed {run.seed}: {run.error}" for run in self.runs if run.error]

    @property
    def repetitions(self) -> list[str]:
        """What has to be said of :attr:`repeats`: ``seed 0 was run 2 times and counts once``."""
        times = Counter(run.seed for run in self.repeats)
        return [f"seed {seed} was run {1 + count} times and counts once" for seed, count in times.items()]


def group(runs: Sequence[ComparedRun], differing: Sequence[str]) -> list[Experiment]:
    """Runs as experiments, by their values of the ``differing`` settings.

    An experiment is called by its label, else by these values; where that is not enough to tell two apart, by both.
    """
    grouped: dict[tuple[str, ...], list[ComparedRun]] = {}
    for run in runs:
        values = tuple(str(run.settings.get(name, "?")) for name in differing)
        # without settings nobody can say what a run belongs to
        grouped.setdefault(values if run.settings else ("", str(run.path)), []).append(run)
    names = [_names(values, rows, differing) for values, rows in grouped.items()]
    count = Counter(short for short, _ in names)
    return [
        Experiment(short if count[short] == 1 else whole, tuple(rows))
        for (short, whole), rows in zip(names, grouped.values(), strict=True)
    ]


def _names(values: tuple[str, ...], rows: Sequence[ComparedRun], differing: Sequence[str]) -> tuple[str, str]:
    """A short name, and one that no other experiment has."""
    first = rows[0]
    settings = (
        ", ".join(f"{name}={value}" for name, value in zip(differing, values, strict=True)) if first.settings else ""
    )
    labels = {row.labels for row in rows}
    label = ", ".join(first.labels) if len(labels) == 1 else ""
    short = label or settings or first.name
    return short, f"{short} ({settings if label and settings else first.path})"
