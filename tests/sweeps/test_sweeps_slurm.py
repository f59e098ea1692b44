"""A sweep whose runs are jobs of a cluster: by submitit's local executor, which begins a preempted job again."""

from __future__ import annotations

import importlib.util
import os
import signal
from pathlib import Path

import pytest
from click.testing import CliRunner
from toys import kernels, orphans, toy, wait_for

from vptsp.cli import main
from vptsp.errors import ConfigError
from vptsp.sweeps import Sweep, SweepFolder, overview, read_ledger, run_sweep

needs_submitit = pytest.mark.skipif(importlib.util.find_spec("submitit") is None, reason="submitit is an extra")


def test_what_does_not_go_together_or_is_missing_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "sweep.yaml"
    file.write_text(f"notebook: {toy(tmp_path)}\nfolder: {tmp_path / 'sweep'}\ngrid: {{x: [1]}}\n")
    said = CliRunner().invoke(main, ["sweep", str(file), "--slurm", "partition=gpu", "--workers", "2"])
    assert "--slurm leaves it to the cluster where runs compute; drop --dask, --gpus and --workers" in said.output
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    said = CliRunner().invoke(main, ["sweep", str(file), "--slurm", "partition=gpu"])
    assert "pip install 'vptsp-workbench[slurm]'" in said.output
    assert not (tmp_path / "sweep").exists()


@needs_submitit
def test_without_slurm_the_sentence_says_so_and_the_sweep_can_be_run_otherwise(tmp_path: Path) -> None:
    from vptsp.sweeps.slurm import SlurmExecutor

    with SlurmExecutor({"partition": "gpu"}) as queue, pytest.raises(ConfigError, match=r"cluster=local"):
        run_sweep(Sweep(str(toy(tmp_path)), grid={"x": [1]}), tmp_path / "sweep", executor=queue)
    assert [job.status()["state"] for job in SweepFolder(tmp_path / "sweep").jobs()] == ["queued"]


@needs_submitit
@pytest.mark.notebooks
def test_a_preempted_run_writes_its_checkpoint_and_goes_on(tmp_path: Path) -> None:
    """The second run waits in its middle until its job is told that its time is up."""
    from vptsp.sweeps.slurm import SlurmExecutor

    told: list[int] = []

    def preempt(folder: SweepFolder) -> None:
        job = folder.jobs()[1]
        if not told:
            (job.path / "hold").touch()
            status = job.status()
            if status["state"] == "running" and (job.path / "checkpoint.json").exists():
                told.append(status["supervisor"])
                assert status["supervisor"] != os.getpid()
                os.kill(status["supervisor"], signal.SIGUSR2)
                wait_for("the checkpoint", (job.path / "saved_when_asked").exists)
                (job.path / "hold").unlink()

    with SlurmExecutor({"cluster": "local", "timeout_min": 60}) as queue:
        sweep = Sweep(str(toy(tmp_path)), grid={"x": [1, 2, 3]}, parameters={"steps": 5})
        folder = run_sweep(sweep, tmp_path / "sweep", executor=queue, threads=1, watch=preempt)
    view = overview(folder)
    assert len(told) == 1
    assert {row.parameters["x"]: row.test for row in view.rows} == {x: x / 100 for x in (1, 2, 3)}
    assert [row.attempts for row in view.rows] == [1, 2, 1]
    assert len(read_ledger(folder.path / "ledger.jsonl")) == 3
    assert len(kernels(folder.path)) == 4
    assert orphans(folder.path) == []


@needs_submitit
@pytest.mark.notebooks
def test_a_sweep_that_is_stopped_takes_its_runs_out_of_the_queue(tmp_path: Path) -> None:
    from vptsp.sweeps.slurm import SlurmExecutor

    def stop(folder: SweepFolder) -> None:
        for job in folder.jobs():
            (job.path / "hold").touch()
        if all((job.path / "checkpoint.json").exists() for job in folder.jobs()):
            folder.ask("stop")

    with SlurmExecutor({"cluster": "local", "timeout_min": 60}) as queue:
        sweep = Sweep(str(toy(tmp_path)), grid={"x": [1, 2]}, parameters={"steps": 5})
        folder = run_sweep(sweep, tmp_path / "sweep", executor=queue, threads=1, watch=stop)
    assert [job.status()["state"] for job in folder.jobs()] == ["interrupted", "interrupted"]
    assert orphans(folder.path) == []
