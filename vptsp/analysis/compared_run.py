"""One run in a comparison, whatever became of it; and all that lie under a path. Found without torch and pandas."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping
from dataclasses import InitVar, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vptsp.errors import ConfigError, RunError
from vptsp.files import read_json
from vptsp.project import existing
from vptsp.runs.result import RunResult
from vptsp.runs.run import Run, list_runs
from vptsp.settings.config import Config, make_config
from vptsp.settings.earlier import as_recorded
from vptsp.sweeps import Job, load, read_ledger

if TYPE_CHECKING:
    from vptsp.sweeps.variants import TrainedVariant


@dataclass(frozen=True)
class ComparedRun:
    """A run: its settings, and what came out as far as there is anything.

    - ``labels``: names it was given by a sweep's list or as a variant; several where these have equal settings.
    - ``settings``: its whole configuration, as far as it is known.
    - ``planned``: the settings that a run was given which has not come to a configuration of its own; none for others.
    - ``result``: none before there is one. It may be given as ``summary``, which is what ``summary.json`` holds.
    """

    name: str
    path: Path
    state: str
    error: str = ""
    labels: tuple[str, ...] = ()
    settings: dict[str, Any] = field(default_factory=dict)
    result: RunResult | None = None
    planned: frozenset[str] | None = None
    summary: InitVar[Mapping[str, Any] | None] = None

    def __post_init__(self, summary: Mapping[str, Any] | None) -> None:
        if summary is not None:
            object.__setattr__(self, "result", RunResult.of(summary))

    @classmethod
    def of_run(cls, run: Run) -> ComparedRun:
        settings = _settings(run)
        state = run.state() if settings else "unreadable"
        error = str(run.progress().get("message", "")) if state == "failed" else ""
        return cls(run.name, run.path, state, error, settings=settings, result=_result(run))

    @classmethod
    def of_job(cls, job: Job) -> ComparedRun:
        """A run of a sweep."""
        status = job.status()
        state, error = status["state"], str(status.get("error") or "")
        return cls._labelled(job.path, state, error, job.labels, job.parameters)

    @classmethod
    def of_line(cls, line: Mapping[str, Any], folder: Path) -> ComparedRun:
        """A finished run as the ledger in ``folder`` has it, whether its directory is there or was left elsewhere."""
        settings = _planned(line["parameters"])
        counts = {name: line[name] for name in ("trained", "kept", "bank") if line.get(name) is not None}
        result = RunResult("", line["metrics"], task=settings.get("task", "retrieval"), counts=counts)
        planned = frozenset(settings) & set(line["parameters"])
        return cls(
            line["name"],
            folder / line["name"],
            "done",
            labels=tuple(line["labels"]),
            settings=settings,
            result=result if line["metrics"] else None,
            planned=planned,
        )

    @classmethod
    def of_variant(cls, trained: TrainedVariant) -> ComparedRun:
        """A run of :func:`vptsp.sweeps.variants.train_variants`."""
        state = "failed" if trained.error else Run(trained.path).state()
        given = trained.config.model_dump(mode="json", exclude_unset=True)
        return cls._labelled(trained.path, state, trained.error, trained.labels, given)

    @classmethod
    def _labelled(cls, path: Path, state: str, error: str, labels: Iterable[str], given: dict[str, Any]) -> ComparedRun:
        run = Run(path)
        if settings := _settings(run):
            return cls(path.name, path, state, error, tuple(labels), settings, _result(run))
        settings = _planned(given)
        return cls(path.name, path, state, error, tuple(labels), settings, planned=frozenset(settings) & set(given))

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


def find_runs(paths: Iterable[str | Path]) -> list[ComparedRun]:
    """Those under runs, folders of runs, sweep folders and ledgers of sweeps, in this order, each run once.

    Raises RunError for a path that is none of these.
    """
    found: dict[Path, ComparedRun] = {}
    for path in map(existing, paths):
        for run in _under(path):
            found.setdefault(run.path.resolve(), run)
    return list(found.values())


def _under(path: Path) -> list[ComparedRun]:
    if (path / "sweep.json").is_file():
        return [ComparedRun.of_job(job) for job in load(path).jobs()]
    if (path / "config.json").is_file():
        return [ComparedRun.of_run(Run.open(path))]
    if path.suffix == ".jsonl" and path.is_file():
        lines = {(line["sweep"], line["name"]): line for line in read_ledger(path)}  # the latest of each
        return [ComparedRun.of_line(line, path.parent) for line in lines.values()]
    found = list_runs(path)
    sweeps = [sweep.parent for sweep in sorted(path.glob("*/sweep.json"))]
    if not found and not sweeps:
        raise RunError(
            f"{path} is no run, no sweep and holds neither; pass a run, a sweep's folder or ledger, or a folder of runs"
        )
    return [ComparedRun.of_run(run) for run in found] + [run for sweep in sweeps for run in _under(sweep)]


def _settings(run: Run) -> dict[str, Any]:
    """``config.json`` with what an earlier version did or had by default, its augmentation as asked; empty without."""
    with contextlib.suppress(RunError):
        if found := read_json(run.path / "config.json", ""):
            return run.as_asked(Config().model_dump(mode="json") | as_recorded(found))
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
