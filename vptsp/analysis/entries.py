"""What there is to compare: runs and jobs of sweeps, whatever became of them. Found without torch and pandas."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vptsp.errors import ConfigError, RunError
from vptsp.files import read_json
from vptsp.runs.result import RunResult
from vptsp.runs.run import Run, list_runs
from vptsp.settings.config import Config, make_config
from vptsp.sweeps import Job, load


@dataclass(frozen=True)
class Entry:
    """One run, whatever its state.

    ``settings`` is its whole configuration, as far as it is known; ``result`` is none before there is one. ``planned``
    names the settings that a run was given which has not come to a configuration of its own; none for all others.
    """

    name: str
    path: Path
    state: str
    error: str = ""
    label: str = ""
    settings: dict[str, Any] = field(default_factory=dict)
    result: RunResult | None = None
    planned: frozenset[str] | None = None

    @classmethod
    def of_run(cls, run: Run) -> Entry:
        settings = _settings(run)
        state = run.state() if settings else "unreadable"
        error = str(run.progress().get("message", "")) if state == "failed" else ""
        return cls(run.name, run.path, state, error, settings=settings, result=_result(run))

    @classmethod
    def of_job(cls, job: Job) -> Entry:
        status = job.status()
        state, error, label = status["state"], str(status.get("error") or ""), ", ".join(job.labels)
        if settings := _settings(Run(job.path)):
            return cls(job.name, job.path, state, error, label, settings, job.result())
        settings = _planned(job.parameters)
        return cls(job.name, job.path, state, error, label, settings, planned=frozenset(settings) & set(job.parameters))

    @property
    def seed(self) -> int:
        return int(self.settings.get("seed", 0))

    @property
    def test(self) -> dict[str, float]:
        """Test metrics of the selected epoch; empty for a run without any."""
        return dict(self.result.metrics) if self.result else {}

    @property
    def validation(self) -> float | None:
        """The validation metric of the selected epoch; none where nothing was held out."""
        return self.result.validation if self.result else None

    @property
    def counts(self) -> dict[str, int]:
        """Parameters trained, kept and in the bank; empty where they are not known."""
        return dict(self.result.counts) if self.result else {}


def find_entries(paths: Iterable[str | Path]) -> list[Entry]:
    """Those of runs, folders of runs and sweep folders, in this order, each run once.

    Raises RunError for a path that is none of these.
    """
    entries: dict[Path, Entry] = {}
    for path in map(Path, paths):
        for entry in _under(path):
            entries.setdefault(entry.path.resolve(), entry)
    return list(entries.values())


def _under(path: Path) -> list[Entry]:
    if (path / "sweep.json").is_file():
        return [Entry.of_job(job) for job in load(path).jobs()]
    if (path / "config.json").is_file():
        return [Entry.of_run(Run.open(path))]
    found = list_runs(path)
    sweeps = [sweep.parent for sweep in sorted(path.glob("*/sweep.json"))]
    if not found and not sweeps:
        raise RunError(
            f"{path} is no run, no sweep and holds neither; pass a run, a sweep's folder, or a folder of runs"
        )
    return [Entry.of_run(run) for run in found] + [entry for sweep in sweeps for entry in _under(sweep)]


def _settings(run: Run) -> dict[str, Any]:
    """``config.json`` as it stands, with the defaults of what an earlier version did not know; empty without one."""
    with contextlib.suppress(RunError):
        if found := read_json(run.path / "config.json", ""):
            return Config().model_dump(mode="json") | found
    return {}


def _planned(parameters: dict[str, Any]) -> dict[str, Any]:
    """The configuration that a run would have had; what was asked for, where that is none."""
    known = {name: value for name, value in parameters.items() if name in Config.model_fields and value is not None}
    for name in known.keys() & {"data_root", "query_csv"}:
        known[name] = str(Path(known[name]).resolve())
    with contextlib.suppress(ConfigError):
        return make_config(known, preset=parameters.get("preset") or None).model_dump(mode="json")
    return known


def _result(run: Run) -> RunResult | None:
    with contextlib.suppress(RunError):
        return run.result()
    return None
