"""A night in a minute: runs are killed, fail and are interrupted, the sweep is killed and started again."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import nbformat
import processes
import pytest
import yaml
from toys import kernels, orphans, toy, wait_for

from vptsp.sweeps import SweepFolder, load, overview, read_ledger

pytestmark = pytest.mark.notebooks
STATES = {"count": "done", "fail": "failed", "kill": "done"}


def states(folder: SweepFolder) -> list[str]:
    return [job.status()["state"] for job in folder.jobs()]


def running(folder: SweepFolder, mode: str = "count") -> list[Path]:
    """Directories of runs whose kernel counts."""
    return [
        job.path
        for job in folder.jobs()
        if job.status()["state"] == "running" and job.parameters["mode"] == mode and (job.path / "kernels.txt").exists()
    ]


@pytest.mark.parametrize("runs", [4, pytest.param(24, marks=pytest.mark.slow)])
def test_no_run_is_lost_and_no_process_left(runs: int, tmp_path: Path) -> None:
    path = tmp_path / "sweep"
    modes = ["kill", "fail", *["count"] * (runs - 2)]
    entries = [{"mode": mode, "x": number, "steps": 3} for number, mode in enumerate(modes, 1)]
    spec = {"notebook": str(toy(tmp_path)), "folder": str(path), "list": entries}
    (tmp_path / "night.yaml").write_text(yaml.safe_dump(spec))
    folder = SweepFolder(path)
    # somebody edits the package while these tests run, which is no change of what the toy does
    words = ["--workers", "2", "--any-code"]

    def start(argument: Path) -> processes.Process:
        return processes.start(["sweep", str(argument), *words], tmp_path / "printed.txt")

    # one is killed, one fails; then the sweep is stopped while another is held in its middle
    process = start(tmp_path / "night.yaml")
    wait_for("the plan", (path / "sweep.json").exists)
    held = folder.jobs()[2].path
    (held / "hold").touch()
    wait_for("the one that is killed", lambda: "killed" in states(folder))
    wait_for("the one that fails", lambda: "failed" in states(folder))
    wait_for("the one that is held", lambda: held in running(folder))
    os.kill(process.pid, signal.SIGINT)
    process.join(300)
    assert process.exitcode == 130, (tmp_path / "printed.txt").read_text()
    assert load(path).jobs()[2].status()["state"] == "interrupted"
    assert int((held / "saved_when_asked").read_text()) > 0
    assert orphans(path) == []
    assert not (path / "STOP").exists()

    # started again, it is itself killed
    process = start(path)
    wait_for("the one that is held, again", lambda: held in running(folder))
    os.kill(process.pid, signal.SIGKILL)
    process.join(300)
    assert orphans(path) == []
    assert folder.jobs()[2].status()["state"] == "killed"
    assert set(states(folder)) <= {"done", "failed", "killed", "queued"}

    # started again, it finishes
    (held / "hold").unlink()
    process = start(path)
    process.join(300)
    printed = (tmp_path / "printed.txt").read_text()
    assert process.exitcode == 1, printed  # because one failed
    assert orphans(path) == []

    view = overview(folder)
    assert [row.state for row in view.rows] == [STATES[mode] for mode in modes]
    assert view.counts["done"] == runs - 1
    finished = [row for row in view.rows if row.state == "done"]
    assert {row.parameters["x"]: row.test for row in finished} == {
        entry["x"]: entry["x"] / 100 for entry in entries if entry["mode"] != "fail"
    }
    assert view.rows[0].attempts >= 2  # more if it was running when the sweep was killed
    assert view.rows[1].attempts == 1
    assert view.rows[1].error == "ValueError: the loss is a fish"
    assert view.rows[2].attempts == 3  # interrupted, killed with the sweep, finished
    assert "starts at step 1\n" in (folder.jobs()[0].path / "log.txt").read_text()  # from its checkpoint
    for row in view.rows:
        assert row.title in printed
        assert row.notebook is not None
        assert row.notebook.stat().st_size < 2_000_000
        nbformat.validate(nbformat.read(row.notebook, 4))
    ledger = read_ledger(path / "ledger.jsonl")
    assert sorted(line["parameters"]["x"] for line in ledger) == [row.parameters["x"] for row in finished]
    assert all(line["metrics"] == {"recall_at_1": line["parameters"]["x"] / 100} for line in ledger)
    # nothing that was done ran again: one was killed, one held twice, and one beside it was cut off each time
    assert runs + 3 <= sum(row.attempts for row in view.rows) <= runs + 5
    assert runs <= len(kernels(path)) <= runs + 5
