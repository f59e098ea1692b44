"""A training as a job of a cluster: tried with submitit's local executor, which begins a preempted job again."""

from __future__ import annotations

import importlib.util
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner
from trainings import contents, silent, words

from vptsp.cli import main
from vptsp.errors import ConfigError
from vptsp.runs.run import Run
from vptsp.settings.config import Config
from vptsp.training.cluster_job import submit
from vptsp.training.loop import train

Tiny = Callable[..., Config]
needs_submitit = pytest.mark.skipif(importlib.util.find_spec("submitit") is None, reason="submitit is an extra")


def test_what_a_job_needs_is_said(tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = CliRunner().invoke(main, ["train", *words(tiny()), "--slurm", "partition=gpu"])
    assert "--slurm needs --run-dir" in said.output
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"pip install 'vptsp-workbench\[slurm\]'"):
        submit(tiny(), tmp_path / "run")
    assert not (tmp_path / "run").exists()


@needs_submitit
def test_without_slurm_the_sentence_says_so(tiny: Tiny, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"the cluster does not take this job \(.*srun.*cluster=local"):
        submit(tiny(), tmp_path / "run", {"partition": "gpu"})


@needs_submitit
@pytest.mark.slow
def test_a_preempted_job_of_two_devices_saves_itself_and_goes_on(tiny: Tiny, tmp_path: Path) -> None:
    """The signal arrives in the middle of a training; what comes out is the undisturbed run, to summation order."""
    config = tiny(epochs=12, devices=2)
    job = submit(config, tmp_path / "run", {"cluster": "local", "timeout_min": 60})
    run = Run(tmp_path / "run")
    wait_for(lambda: run.progress().get("step", 0) >= 3)
    (task,) = children(int(job.job_id))
    os.kill(task, signal.SIGUSR2)
    wait_for(lambda: run.is_finished(), 300)
    assert job.result() == str(tmp_path / "run")
    log = "".join(path.read_text() for path in (tmp_path / "run" / ".slurm").glob("*_log.*"))
    assert "this job is preempted" in log
    assert "Requeued job" in log
    alone = train(tiny(epochs=12), tmp_path / "alone", observer=silent)
    ours, theirs = (contents(each)["lines"] for each in (run, alone))
    assert [line["epoch"] for line in ours] == list(range(1, 13))
    for line, expected in zip(ours, theirs, strict=True):
        assert line["loss"] == pytest.approx(expected["loss"], rel=1e-3)


def wait_for(condition: Callable[[], bool], seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def children(pid: int) -> list[int]:
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
