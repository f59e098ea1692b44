"""The training notebook in a sweep: a run that is killed goes on from its checkpoint to the same numbers."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from toys import orphans

from vptsp.errors import RunError
from vptsp.notebooks import train_or_resume
from vptsp.runs.run import Run
from vptsp.settings.config import Config
from vptsp.sweeps import Sweep, SweepFolder, overview, read_ledger, run_sweep
from vptsp.training.loop import train


@pytest.mark.parametrize("fit", ["none", "images"])
def test_training_into_a_directory_again_goes_on_or_returns_what_is_there(
    tiny: Callable[..., Config], tmp_path: Path, fit: str
) -> None:
    """Also where a run has written into its configuration how far its images may be cut."""
    config, path = tiny(method="linear", augment_fit=fit, image_size=(32, 32)), str(tmp_path / "run")

    def stop(event: object) -> None:
        if getattr(event, "step", 0) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_or_resume(config, path, stop)
    run = train_or_resume(config, path, lambda event: None)
    assert (run.config == config.changed(image_size=32)) == (fit == "none")
    assert run.summary()["test"] == train(config, tmp_path / "whole", observer=lambda event: None).summary()["test"]
    written = (run.path / "summary.json").stat().st_mtime_ns
    assert train_or_resume(config, path).is_finished()
    assert (run.path / "summary.json").stat().st_mtime_ns == written
    assert train_or_resume(run.config, path).is_finished(), "by the run's own settings as well"
    for others in ({"lr": 0.5}, {"crop_min": 0.2}, {"mirror": False}):
        with pytest.raises(RunError, match="holds a run of other settings"):
            train_or_resume(config.changed(**others), path)
    if fit == "images":
        (run.path / "asked.json").unlink()  # a run of an earlier version knows what it was, and no more
        with pytest.raises(RunError, match=r"crop_min 0\.08 there, None asked for"):
            train_or_resume(config, path)


@pytest.mark.slow
def test_a_killed_training_goes_on_to_the_same_numbers(tiny: Callable[..., Config], tmp_path: Path) -> None:
    settings = tiny(method="linear", epochs=40).model_dump(mode="json", exclude_unset=True)
    settings |= {"projection": "pca", "baselines": False}
    # how many images are watched changes nothing about the numbers: the second run is the first one left in peace
    sweep = Sweep("01_train", parameters=settings, list=[{}, {"probe_images": 4}])
    killed: list[int] = []

    def kill(folder: SweepFolder) -> None:
        """SIGKILL to whoever trains the first run, once it has a checkpoint."""
        job = folder.jobs()[0]
        progress = job.progress()
        if not killed and progress.get("state") == "training" and len(job.curve()) >= 2:
            os.kill(progress["pid"], signal.SIGKILL)
            killed.append(progress["pid"])

    folder = run_sweep(sweep, tmp_path / "sweep", workers=2, watch=kill)
    assert len(killed) == 1
    assert [job.status()["state"] for job in folder.jobs()] == ["killed", "done"]
    before = len(folder.jobs()[0].curve())
    run_sweep(folder.path, workers=2, any_code=True)

    view = overview(folder)
    assert [row.state for row in view.rows] == ["done", "done"]
    assert 2 <= before < 40
    resumed, whole = (Run.open(job.path) for job in folder.jobs())
    assert resumed.summary()["test"] == whole.summary()["test"]
    assert [line["loss"] for line in resumed.metrics()] == [line["loss"] for line in whole.metrics()]
    for job in folder.jobs():
        assert job.report() is not None
        assert job.notebook().stat().st_size < 2_000_000  # type: ignore[union-attr]
    for line in read_ledger(folder.path / "ledger.jsonl"):
        assert line["metrics"].keys() >= {"recall_at_1", "map_at_r"}
        assert line["trained"] > 0
        assert line["images_per_second"] > 0
        assert line["versions"]["torch"]
    assert orphans(folder.path) == []
