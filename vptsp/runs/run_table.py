"""Runs beside each other, a row each: for lists of runs, which import neither torch nor pandas.

Which of them repeat one experiment, and which differences hold, is for :mod:`vptsp.analysis.comparison` to say.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from vptsp.errors import RunError
from vptsp.runs.run import Run


class Overview(NamedTuple):
    """One row per run. ``results`` are the columns of name, state, when it began (local time), final metrics and
    trained parameters, ``settings`` those in which the runs differ, ``metrics`` the columns that are shares, from 0 to
    1. A row lacks what its run does not have."""

    results: list[str]
    settings: list[str]
    rows: list[dict[str, Any]]
    metrics: frozenset[str] = frozenset()


def overview(runs: Sequence[Run]) -> Overview:
    """Runs beside each other, unfinished and unreadable ones as well."""
    results: list[dict[str, Any]] = []
    settings: list[dict[str, Any]] = []
    metrics: set[str] = set()
    for run in runs:
        row: dict[str, Any] = {"run": run.name, "state": run.state()}
        with contextlib.suppress(OSError):
            began = datetime.fromtimestamp((run.path / "config.json").stat().st_mtime)
            row["began"] = began.isoformat(" ", "minutes")
        with contextlib.suppress(RunError):
            result = run.result()
            row |= result.metrics
            metrics |= result.metrics.keys()
            if "trained" in result.counts:
                row["trained"] = result.counts["trained"]
        given: dict[str, Any] = {}
        try:
            given = run.as_asked(run.config.model_dump(mode="json"))
        except RunError:
            row["state"] = "unreadable"
        results.append(row)
        settings.append(given)
    names = differing(settings)
    columns = list(dict.fromkeys(name for row in results for name in row))
    chosen = ({name: given[name] for name in names if given} for given in settings)
    return Overview(columns, names, [row | own for row, own in zip(results, chosen, strict=True)], frozenset(metrics))


def differing(settings: Sequence[Mapping[str, Any]]) -> list[str]:
    """Names that have more than one value, in the order they are met; one that lacks a name says nothing about it."""
    values: dict[str, set[str]] = {}
    for given in settings:
        for name, value in given.items():
            values.setdefault(name, set()).add(str(value))
    return [name for name, found in values.items() if len(found) > 1]
