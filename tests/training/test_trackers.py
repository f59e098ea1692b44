"""Trackers get what the run directory holds, and a tracker that is not there is refused before a run begins."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from vptsp.errors import ConfigError
from vptsp.runs.run import Run
from vptsp.settings.config import Config
from vptsp.training.loop import train


def test_csv(tiny: Callable[..., Config], tmp_path: Path) -> None:
    run = train(tiny(method="linear", tracker="csv"), tmp_path / "run", observer=lambda event: None)
    (path,) = (run.path / "tracker").rglob("metrics.csv")
    found = pd.read_csv(path)
    assert found["loss"].dropna().tolist() == pytest.approx([line["loss"] for line in run.metrics()])
    test = run.summary()["test"][run.summary()["selected"]]
    assert found["test/recall_at_1"].dropna().tolist() == pytest.approx([test["recall_at_1"]])


def test_tensorboard(tiny: Callable[..., Config], tmp_path: Path) -> None:
    run = train(tiny(method="linear", tracker="tensorboard"), tmp_path / "run", observer=lambda event: None)
    events = EventAccumulator(str(run.path / "tracker"))
    events.Reload()
    losses = [(event.step, event.value) for event in events.Scalars("loss")]
    assert losses == [(line["epoch"], pytest.approx(line["loss"])) for line in run.metrics()]


class Recorder:
    """A logger by import path that takes the run's directory."""

    made: list[Recorder] = []  # noqa: RUF012 - shared on purpose: the run makes the instance

    def __init__(self, save_dir: str) -> None:
        self.save_dir, self.settings, self.steps, self.status = save_dir, {}, [], ""  # type: ignore[var-annotated]
        self.made.append(self)

    def log_hyperparams(self, settings: dict[str, Any]) -> None:
        self.settings = settings

    def log_metrics(self, metrics: dict[str, float], step: int) -> None:
        self.steps.append(step)

    def finalize(self, status: str) -> None:
        self.status = status


def test_any_logger_by_its_import_path(tiny: Callable[..., Config], tmp_path: Path) -> None:
    run = train(tiny(method="linear", tracker=f"{__name__}.Recorder"), tmp_path / "run", observer=lambda event: None)
    (logger,) = Recorder.made
    assert (logger.save_dir, logger.steps, logger.status) == (str(run.path), [1, 2, 2], "success")
    assert logger.settings["method"] == "linear"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("wandb", "is not known; use tensorboard, csv, or the import path"),
        ("nowhere.Logger", "needs a package that is not installed"),
        ("lightning_fabric.loggers.Nothing", "has no Nothing"),
    ],
)
def test_refused_before_anything_is_written(
    tiny: Callable[..., Config], tmp_path: Path, name: str, message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        train(tiny(method="linear", tracker=name), tmp_path / "run", observer=lambda event: None)
    assert not Run(tmp_path / "run").path.exists()
