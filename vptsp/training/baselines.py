"""The two runs that every result is read beside: the frozen backbone and a linear probe on it.

They live in ``<run>/baselines/<method>`` and are whole runs of their own, on the same data and seed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from vptsp.runs.progress import Observer
from vptsp.runs.result import RunResult
from vptsp.runs.run import Run
from vptsp.settings.methods import METHODS
from vptsp.settings.tasks import TASKS
from vptsp.training.loop import train

BASELINES = ("linear", "frozen")


@dataclass(frozen=True)
class Result:
    """A finished run beside others: its display title, and what came out."""

    title: str
    result: RunResult

    @property
    def test(self) -> dict[str, Any]:
        """Test metrics of the selected epoch, and the numbers of images they rest on."""
        return {**self.result.metrics, **self.result.sizes}


def train_baselines(run: Run, observer: Callable[[str], Observer | None] = lambda method: None) -> list[Run]:
    """Train each baseline that ``run`` does not have yet, with its settings; ``observer`` gives each its watcher."""
    made = []
    for method in BASELINES:
        if run.config.task == "recognition" and not METHODS[method].trains:
            continue  # an untrained feature has no classifier
        path = run.path / "baselines" / method
        if not (path / "summary.json").exists():
            resume = (path / "config.json").exists()
            config = run.config.changed(method=method, bitfit=None)
            train(config, path, resume=resume, observer=observer(method))
        made.append(Run.open(path))
    return made


def compared(run: Run) -> list[Result]:
    """The run first, then those of its baselines that are finished.

    Raises :class:`~vptsp.errors.RunError` if the run itself is not.
    """
    result = run.result()
    results = [Result(METHODS[result.method].title_with(run.config.bitfit), result)]
    for method in BASELINES:
        baseline = Run(run.path / "baselines" / method)
        if (baseline.path / "summary.json").exists() and result.method != method:
            results.append(Result(METHODS[method].title, baseline.result()))
    return results


def result_line(run: Run) -> str:
    """``VPTSP-G R@1 61.2 % | linear probe 52.0 % | frozen 40.1 %``, from what came out."""
    task = TASKS[run.config.task]
    first, *others = [f"{result.title} {{}}{100 * result.test[task.metric]:.1f} %" for result in compared(run)]
    return " | ".join([first.format(f"{task.title} "), *(other.format("") for other in others)])
