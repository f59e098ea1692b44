"""Runs side by side: what they differ in, what came out with its spread over seeds, and which differences hold.

>>> from vptsp.analysis.comparison import Comparison
>>> comparison = Comparison.of(["runs/sweeps/rates", "runs/demo"])  # doctest: +SKIP
>>> comparison.table(), comparison.differences("lr=0.01")  # doctest: +SKIP

Everything is read from run directories and sweep folders. Runs that failed, were killed or have not begun are rows as
well: a table that leaves them out would compare the lucky ones. The pictures are in :mod:`vptsp.figures.comparison`.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from dataclasses import asdict, fields, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from vptsp.analysis.compared_run import ComparedRun, find_runs
from vptsp.analysis.experiment import Experiment, group
from vptsp.analysis.significance import Difference, Measure, QueryScores, holm, paired_bootstrap, query_scores
from vptsp.errors import DataError, DataWarning, RunError, UsageError
from vptsp.runs import run_table
from vptsp.runs.run import Run
from vptsp.settings.tasks import TASKS

if TYPE_CHECKING:
    from vptsp.sweeps.variants import TrainedVariant

SEPARATOR = ": "  # panels of one comparison: a label is <panel>: <name in it>
_COUNTS = ("trained", "kept", "bank")


class Comparison:
    """Runs, grouped into experiments: those whose settings differ in nothing but the seed.

    Means and spreads are over seeds. Finished runs of equal settings and seed count once, and tables say so.
    """

    def __init__(self, runs: Sequence[ComparedRun]) -> None:
        if not runs:
            raise RunError("there are no runs to compare; vptsp train makes one, vptsp sweep makes many")
        self.all_runs = list(runs)
        self._scores: dict[tuple[Path, Measure], QueryScores] = {}

    @classmethod
    def of(cls, paths: Iterable[str | Path]) -> Comparison:
        """Runs, folders of runs, sweep folders and their ledgers, in this order, each run once.

        Raises RunError for a path that is none of these.
        """
        return cls(find_runs(paths))

    @classmethod
    def of_variants(cls, trained: Iterable[TrainedVariant]) -> Comparison:
        """What :func:`vptsp.sweeps.variants.train_variants` trained, failed runs included."""
        return cls([ComparedRun.of_variant(one) for one in trained])

    def panel(self, name: str) -> Comparison:
        """The runs with a label ``<name>: ...``, under the rest of it. Raises UsageError if there are none."""
        start = f"{name}{SEPARATOR}"
        labels = [
            tuple(label.removeprefix(start) for label in run.labels if label.startswith(start)) for run in self.all_runs
        ]
        runs = [replace(run, labels=own) for run, own in zip(self.all_runs, labels, strict=True) if own]
        if not runs:
            raise UsageError(f"no run has a label that begins with {start!r}; name a panel of the comparison")
        return Comparison(runs)

    # --- experiments --------------------------------------------------------------------------
    @cached_property
    def differing(self) -> list[str]:
        """Settings in which the experiments differ, the seed aside."""
        return run_table.differing(
            [
                # what a run completes by itself (the image size, absolute paths) is no difference to one not begun
                {name: run.settings[name] for name in run.settings if run.planned is None or name in run.planned}
                | {"seed": None}
                for run in self.all_runs
            ]
        )

    @cached_property
    def experiments(self) -> dict[str, Experiment]:
        """Experiments by name: their label, or what they differ in."""
        return {each.name: each for each in group(self.all_runs, self.differing)}

    @property
    def finished(self) -> list[Experiment]:
        """Experiments that have results, of one seed or more."""
        return [experiment for experiment in self.experiments.values() if experiment.finished]

    def require_results(self) -> None:
        """Tables and figures go on with the runs that have results; those that have none are told in a DataWarning.

        Raises RunError where no run has any: how many failed, why the first did, and where they are.
        """
        without = [run for run in self.all_runs if run.result is None]
        if not without:
            return
        failed = [run for run in without if run.error]
        first = failed[0] if failed else without[0]
        why = f": {first.error.rstrip('.')}" if first.error else ""
        told = f"the first is {first.name}, {first.state}{why}; what it wrote is in {first.path}"
        count = f"{len(without):,} of {len(self.all_runs):,} runs have no results, {len(failed):,} of them failed"
        if len(without) == len(self.all_runs):
            raise RunError(f"{count} ({told}), so there is nothing to compare; mend that and run this again")
        names = ", ".join(run.name for run in without)
        warnings.warn(f"{count}, and are missing in what follows: {names} ({told})", DataWarning, stacklevel=2)

    def find(self, name: str) -> Experiment | None:
        """The experiment of this name, or with this label among others; none if there is none."""
        return self.experiments.get(name) or next(
            (each for each in self.experiments.values() if name in each.labels), None
        )

    @property
    def headings(self) -> list[str]:
        """Columns that tell experiments apart: their labels, where a sweep gives any, and :attr:`differing`."""
        labelled = any(run.labels for run in self.all_runs)
        return ["experiment"] * (labelled or not self.differing) + self.differing

    @cached_property
    def measure(self) -> Measure:
        """What is compared: recall at 1, or top-1 in recognition."""
        tasks = {run.settings.get("task", "retrieval") for run in self.all_runs}
        if len(tasks) > 1:
            raise DataError("retrieval and recognition have no metric in common; compare runs of one task")
        return "top1" if tasks == {"recognition"} else "recall_at_1"

    def best(self) -> str | None:
        """The experiment of the highest mean validation metric among those with all seeds done; none without any."""
        means = {}
        for name, experiment in self.experiments.items():
            values = experiment.validations
            if values and len(values) == len(experiment.by_seed):
                means[name] = sum(values) / len(values)
        return max(means, key=means.__getitem__) if means else None

    def reference(self, name: str | None = None) -> str:
        """The experiment that others are compared with: ``name``, else the best one, else the first with results."""
        done = [experiment.name for experiment in self.finished]
        if name is not None:
            found = self.find(name)
            if found is None or not found.finished:
                raise UsageError(f"{name!r} is no experiment with results; there are: {', '.join(done) or 'none'}")
            return found.name
        if not done:
            raise UsageError("no run is finished, so there is nothing to compare yet")
        return self.best() or done[0]

    # --- tables -------------------------------------------------------------------------------
    def runs(self) -> pd.DataFrame:
        """A row per run: differing settings, seed, state, validation and test metrics, counts, error, run.

        ``epoch`` is the selected one of ``epochs``; ``repeats`` says that another run of these settings and this seed
        is the one that counts.
        """
        best = self.best()
        rows = []
        for name, experiment in self.experiments.items():
            again = {run.path for run in experiment.repeats}
            for run in experiment.runs:
                row: dict[str, Any] = {"experiment": name, "best": name == best}
                row |= {setting: run.settings.get(setting) for setting in self.differing}
                row |= {"seed": run.settings.get("seed"), "state": run.state, "validation": run.validation}
                row |= run.test
                row |= {count: run.counts.get(count) for count in _COUNTS}
                row |= {"epochs": run.result.epochs if run.result else None}
                row |= {"epoch": run.result.epoch if run.result else None}
                row |= {"repeats": run.path in again, "error": run.error, "run": str(run.path)}
                rows.append(row)
        return _table(rows, [*_COUNTS, "epochs", "epoch", "repeats", "error", "run"], ["seed", "epochs", "epoch"])

    def table(self) -> pd.DataFrame:
        """A row per experiment: differing settings, how its runs stand, mean and spread over seeds of each metric.

        ``done`` of ``runs`` are finished, of ``seeds`` different seeds. ``<metric>_sd`` is the sample standard
        deviation over these, missing below two. ``best`` marks the experiment of the highest mean validation metric;
        test metrics choose nothing. ``note`` says which seeds were run more than once.
        """
        best = self.best()
        rows = []
        for name, experiment in self.experiments.items():
            finished = list(experiment.finished.values())
            row: dict[str, Any] = {"experiment": name, "best": name == best}
            row |= {setting: experiment.runs[0].settings.get(setting) for setting in self.differing}
            row |= {"done": len(finished) + len(experiment.repeats), "runs": len(experiment.runs)}
            row |= {"seeds": len(finished), "states": experiment.states}
            validation = pd.Series(experiment.validations, dtype=float)
            row |= {"validation": validation.mean(), "validation_sd": validation.std()}
            tests = pd.DataFrame([run.test for run in finished])
            for metric in tests:
                row |= {str(metric): tests[metric].mean(), f"{metric}_sd": tests[metric].std()}
            row |= {count: finished[0].counts.get(count) if finished else None for count in _COUNTS}
            row["error"] = next((run.error for run in experiment.runs if run.error), "")
            row["note"] = "; ".join(experiment.repetitions)
            rows.append(row)
        return _table(rows, [*_COUNTS, "error", "note"])

    def differences(self, reference: str | None = None, seed: int = 0, measure: Measure | None = None) -> pd.DataFrame:
        """Every other experiment minus ``reference``, by paired bootstrap over test classes
        (:mod:`vptsp.analysis.significance`), by :attr:`measure` or another one.

        Seeds that both have finished are paired; ``seeds`` says how many. Columns: experiment, seeds, the fields of
        :class:`~vptsp.analysis.significance.Difference`, ``p_holm``, ``note`` (why there is no number), best first.
        """
        reference, measure = self.reference(reference), measure or self.measure
        ours = self.experiments[reference].finished
        rows: list[dict[str, Any]] = []
        for name, experiment in self.experiments.items():
            if name == reference:
                continue
            theirs = experiment.finished
            seeds = sorted(ours.keys() & theirs.keys())
            row: dict[str, Any] = {"experiment": name, "seeds": len(seeds)}
            try:
                if not seeds:
                    raise DataError(f"no seed in common with {reference}" if theirs else "no finished run")
                first, second = ([self._scored(one[each], measure) for each in seeds] for one in (theirs, ours))
                row |= asdict(paired_bootstrap(first, second, seed=seed))
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

    def _scored(self, run: ComparedRun, measure: Measure) -> QueryScores:
        """Scores of a run, searched once for all references."""
        key = run.path, measure
        if key not in self._scores:
            self._scores[key] = query_scores(Run.open(run.path), measure)
        return self._scores[key]

    def curves(self, metric: str | None = None) -> pd.DataFrame:
        """Learning curves of the runs that stand for each seed, in long form: experiment, seed, epoch, value.

        ``metric`` none: the validation metric if any run has one, else the training loss.
        """
        lines = [
            {"experiment": name, "seed": seed, **line}
            for name, experiment in self.experiments.items()
            for seed, run in experiment.by_seed.items()
            for line in Run(run.path).metrics()
        ]
        known = pd.DataFrame(lines)
        validated = f"val_{TASKS[self.all_runs[0].settings.get('task', 'retrieval')].metric}"
        metric = metric or (validated if validated in known else "loss")
        if metric not in known:
            return pd.DataFrame(columns=["experiment", "seed", "epoch", "value", "metric"])
        kept = known[["experiment", "seed", "epoch", metric]].dropna()
        return kept.rename(columns={metric: "value"}).assign(metric=metric)


def compare(runs: Sequence[Run]) -> pd.DataFrame:
    """Runs as they are, a row each: :meth:`Comparison.runs`."""
    return Comparison([ComparedRun.of_run(run) for run in runs]).runs()


def _table(rows: list[dict[str, Any]], tail: list[str], counts: Sequence[str] = ()) -> pd.DataFrame:
    """Rows as a table whose last columns are ``tail``; ``counts`` stay whole numbers beside rows without one."""
    table = pd.DataFrame(rows)  # metrics first met in a later row would stand behind the tail
    table = table[[name for name in table if name not in tail] + tail]
    return table.astype(dict.fromkeys([*_COUNTS, *counts], "Int64"))
