"""Runs side by side: what they differ in, what came out with its spread over seeds, and which differences hold.

Everything is read from run directories and sweep folders. Runs that failed, were killed or have not begun are rows as
well: a table that leaves them out would compare the lucky ones.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, fields
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from vptsp.analysis.bootstrap import Difference, Measure, holm, paired_bootstrap, query_scores
from vptsp.analysis.entries import Entry, find_entries
from vptsp.errors import DataError, RunError, UsageError
from vptsp.runs.run import Run
from vptsp.settings.tasks import TASKS
from vptsp.text import plain

_REPEATS = ("seed",)  # settings in which repetitions of one experiment may differ
METRIC_TITLES = {task.metric: task.title for task in TASKS.values()}
METRIC_TITLES |= {task.second: task.second_title for task in TASKS.values()}
_COUNTS = ("trained", "kept", "bank")


class Comparison:
    """Entries, grouped into experiments: runs whose settings differ in nothing but the seed."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        if not entries:
            raise RunError("there are no runs to compare; vptsp train makes one, vptsp sweep makes many")
        self.entries = list(entries)

    @classmethod
    def of(cls, paths: Iterable[str | Path]) -> Comparison:
        """Runs, folders of runs and sweep folders, in this order, each run once.

        Raises RunError for a path that is none of these.
        """
        return cls(find_entries(paths))

    @cached_property
    def differing(self) -> list[str]:
        """Settings in which the experiments differ, the seed aside."""
        known = [entry for entry in self.entries if entry.settings]
        names = dict.fromkeys(name for entry in known for name in entry.settings if name not in _REPEATS)
        differing = []
        for name in names:
            # what a run completes by itself (the image size, absolute paths) is no difference to one not begun
            heard = [entry for entry in known if entry.planned is None or name in entry.planned]
            if len({str(entry.settings.get(name)) for entry in heard}) > 1:
                differing.append(name)
        return differing

    @property
    def headings(self) -> list[str]:
        """Columns that tell experiments apart: their labels, where a sweep gives any, and :attr:`differing`."""
        labelled = any(entry.label for entry in self.entries)
        return ["experiment"] * (labelled or not self.differing) + self.differing

    @cached_property
    def measure(self) -> Measure:
        """What is compared: recall at 1, or top-1 in recognition."""
        tasks = {entry.settings.get("task", "retrieval") for entry in self.entries}
        if len(tasks) > 1:
            raise DataError("retrieval and recognition have no metric in common; compare runs of one task")
        return "top1" if tasks == {"recognition"} else "recall_at_1"

    @cached_property
    def experiments(self) -> dict[str, list[Entry]]:
        """Entries by experiment, under a name made of what the experiment differs in (or its label in the sweep)."""
        grouped: dict[tuple[str, ...], list[Entry]] = {}
        for entry in self.entries:
            values = tuple(str(entry.settings.get(name, "?")) for name in self.differing)
            # without settings nobody can say what a run belongs to
            grouped.setdefault(values if entry.settings else (entry.name,), []).append(entry)
        return {self._name(values, rows): rows for values, rows in grouped.items()}

    def _name(self, values: tuple[str, ...], rows: list[Entry]) -> str:
        labels = {row.label for row in rows}
        if len(labels) == 1 and (label := next(iter(labels))):
            return label
        if not rows[0].settings or not self.differing:
            return rows[0].name
        return ", ".join(f"{name}={value}" for name, value in zip(self.differing, values, strict=True))

    def runs(self) -> pd.DataFrame:
        """A row per run: differing settings, seed, state, validation and test metrics, counts, error, run."""
        best = self.best()
        rows = []
        for name, entries in self.experiments.items():
            for entry in entries:
                row: dict[str, Any] = {"experiment": name, "best": name == best}
                row |= {setting: entry.settings.get(setting) for setting in self.differing}
                row |= {"seed": entry.settings.get("seed"), "state": entry.state, "validation": entry.validation}
                row |= entry.test
                row |= {count: entry.counts.get(count) for count in _COUNTS}
                row |= {"epochs": entry.result.epochs if entry.result else None}
                row |= {"error": entry.error, "run": str(entry.path)}
                rows.append(row)
        table = pd.DataFrame(rows)
        tail = [*_COUNTS, "epochs", "error", "run"]  # metrics first met in a later row would stand after these
        table = table[[name for name in table if name not in tail] + tail]
        return table.astype({name: "Int64" for name in ("seed", *_COUNTS, "epochs")})

    def table(self) -> pd.DataFrame:
        """A row per experiment: differing settings, finished runs of all, mean and spread over seeds of each metric.

        ``<metric>_sd`` is the sample standard deviation, missing below two seeds. ``best`` marks the experiment of
        the highest mean validation metric; test metrics choose nothing.
        """
        best = self.best()
        rows = []
        for name, entries in self.experiments.items():
            done = [entry for entry in entries if entry.test]
            row: dict[str, Any] = {"experiment": name, "best": name == best}
            row |= {setting: entries[0].settings.get(setting) for setting in self.differing}
            row |= {"done": len(done), "runs": len(entries), "states": _states(entries)}
            validation = pd.Series([entry.validation for entry in done], dtype=float)
            row |= {"validation": validation.mean(), "validation_sd": validation.std()}
            tests = pd.DataFrame([entry.test for entry in done])
            for metric in tests:
                row |= {str(metric): tests[metric].mean(), f"{metric}_sd": tests[metric].std()}
            row |= {count: done[0].counts.get(count) if done else None for count in _COUNTS}
            row["error"] = next((entry.error for entry in entries if entry.error), "")
            rows.append(row)
        table = pd.DataFrame(rows)
        tail = [*_COUNTS, "error"]
        table = table[[name for name in table if name not in tail] + tail]
        return table.astype({name: "Int64" for name in _COUNTS})

    def best(self) -> str | None:
        """The experiment of the highest mean validation metric among those with all runs done; none without any."""
        means = {}
        for name, entries in self.experiments.items():
            values = [entry.validation for entry in entries]
            known = [value for value in values if value is not None]
            if known and len(known) == len(values):
                means[name] = sum(known) / len(known)
        return max(means, key=means.__getitem__) if means else None

    def reference(self, name: str | None = None) -> str:
        """The experiment that others are compared with: ``name``, else the best one, else the first with results."""
        done = [experiment for experiment, entries in self.experiments.items() if any(entry.test for entry in entries)]
        if name is not None and name not in done:
            raise UsageError(f"{name!r} is no experiment with results; there are: {', '.join(done) or 'none'}")
        if not done:
            raise UsageError("no run is finished, so there is nothing to compare yet")
        return name or self.best() or done[0]

    def differences(self, reference: str | None = None, seed: int = 0) -> pd.DataFrame:
        """Every other experiment minus ``reference``, by paired bootstrap over test classes
        (:mod:`vptsp.analysis.bootstrap`).

        Seeds that both have finished are paired; ``seeds`` says how many. Columns: experiment, seeds, the fields of
        :class:`~vptsp.analysis.bootstrap.Difference`, ``p_holm``, ``note`` (why there is no number), best first.
        """
        reference = self.reference(reference)
        ours = {entry.seed: entry for entry in self.experiments[reference] if entry.test}
        known: dict[Path, Any] = {}

        def scores(entry: Entry) -> Any:
            if entry.path not in known:
                known[entry.path] = query_scores(Run.open(entry.path), self.measure)
            return known[entry.path]

        rows: list[dict[str, Any]] = []
        for name, entries in self.experiments.items():
            if name == reference:
                continue
            theirs = {entry.seed: entry for entry in entries if entry.test}
            seeds = sorted(ours.keys() & theirs.keys())
            row: dict[str, Any] = {"experiment": name, "seeds": len(seeds)}
            try:
                if not seeds:
                    raise DataError(f"no seed in common with {reference}" if theirs else "no finished run")
                pairs = [scores(theirs[one]) for one in seeds], [scores(ours[one]) for one in seeds]
                row |= asdict(paired_bootstrap(*pairs, seed=seed))
            except UsageError as error:
                row["note"] = str(error)
            rows.append(row)
        columns = ["experiment", "seeds", *(each.name for each in fields(Difference)), "p_holm", "note"]
        table = pd.DataFrame(rows, columns=columns)
        counted = table["p_value"].notna()
        table.loc[counted, "p_holm"] = holm(table.loc[counted, "p_value"].tolist())
        return table.sort_values("mean", ascending=False, ignore_index=True).assign(
            note=lambda found: found["note"].fillna("")
        )

    def curves(self, metric: str | None = None) -> pd.DataFrame:
        """Learning curves of all runs in long form: experiment, seed, epoch, value.

        ``metric`` none: the validation metric if any run has one, else the training loss.
        """
        lines = [
            {"experiment": name, "seed": entry.seed, **line}
            for name, entries in self.experiments.items()
            for entry in entries
            for line in Run(entry.path).metrics()
        ]
        known = pd.DataFrame(lines)
        validated = f"val_{TASKS[self.entries[0].settings.get('task', 'retrieval')].metric}"
        metric = metric or (validated if validated in known else "loss")
        if metric not in known:
            return pd.DataFrame(columns=["experiment", "seed", "epoch", "value", "metric"])
        kept = known[["experiment", "seed", "epoch", metric]].dropna()
        return kept.rename(columns={metric: "value"}).assign(metric=metric)


def records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows of a table, by the names of its columns."""
    return [dict(zip(table.columns, row, strict=True)) for row in table.itertuples(index=False)]


def with_spread(row: dict[str, Any], name: str) -> str:
    """A metric of a row of :meth:`~vptsp.analysis.comparison.Comparison.table`, in percent: ``63.6 ± 0.2``."""
    if name not in row or pd.isna(row[name]):
        return "–"
    spread = row.get(f"{name}_sd")
    return f"{100 * row[name]:.1f}" + ("" if spread is None or pd.isna(spread) else f" ± {100 * spread:.1f}")


def cell(value: Any) -> str:
    """A setting as it is printed."""
    if isinstance(value, (list, tuple)):
        return plain(", ".join(map(str, value)))
    if value is None or value is pd.NA or value != value:
        return "–"
    return plain(f"{value:g}" if isinstance(value, float) else str(value))


def _states(entries: Sequence[Entry]) -> str:
    """``3 done``, ``2 done, 1 failed``."""
    counts = pd.Series([entry.state for entry in entries]).value_counts(sort=False)
    return ", ".join(f"{count} {state}" for state, count in counts.items())
