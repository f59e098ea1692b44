"""A run directory: made once, held by one process, readable at any moment."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable
from pathlib import Path

import processes
import pytest
from processes import SignalAfter

from vptsp.errors import RunError
from vptsp.files import write_json
from vptsp.runs.progress import Event
from vptsp.runs.run import Run, list_runs
from vptsp.runs.run_table import differing, overview
from vptsp.settings.config import Config
from vptsp.training.loop import train

Tiny = Callable[..., Config]


def test_a_new_run_knows_its_settings_and_where_it_was_made(tmp_path: Path) -> None:
    config = Config(epochs=3, data_root=Path("x"))
    run = Run.create(tmp_path / "deep" / "run", config)
    assert Run.open(tmp_path / "deep" / "run").config == config
    environment = json.loads((run.path / "environment.json").read_text())
    assert environment["packages"]["torch"] != "not installed"
    assert run.metrics() == []
    assert run.progress() == {}
    assert not run.is_finished()


def test_runs_without_a_name_get_directories_of_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names = [Run.create(None, Config()).path for _ in range(3)]
    assert names == [Path(f"runs/blossoms-vptsp_g-{number}") for number in (1, 2, 3)]


def test_directories_that_hold_something_are_refused(tmp_path: Path) -> None:
    Run.create(tmp_path / "run", Config(seed=1))
    with pytest.raises(RunError, match=r"already holds a run; resume it \(vptsp train --resume .*run\)"):
        Run.create(tmp_path / "run", Config(seed=2))
    assert Run(tmp_path / "run").config.seed == 1
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos/me.jpg").touch()
    with pytest.raises(RunError, match="photos is not empty and not a run"):
        Run.create(tmp_path / "photos", Config())
    with pytest.raises(RunError, match=r"me\.jpg is a file; choose a directory"):
        Run.create(tmp_path / "photos/me.jpg", Config())
    with pytest.raises(RunError, match=r"cannot write .*below.*: Not a directory"):
        Run.create(tmp_path / "photos/me.jpg/below", Config())


def test_a_directory_that_is_no_run_names_the_runs_near_it(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"no config\.json\); vptsp train makes one"):
        Run.open(tmp_path)
    Run.create(tmp_path / "here", Config())
    for path in (tmp_path, tmp_path / "her"):
        with pytest.raises(RunError, match=f"runs near it: {tmp_path / 'here'}"):
            Run.open(path)


def test_a_name_alone_is_told_what_runs_the_project_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Run.create(tmp_path / "runs" / "mine", Config())
    (tmp_path / "notebooks").mkdir()
    monkeypatch.chdir(tmp_path / "notebooks")
    assert Run.open("mine").path == tmp_path / "runs" / "mine"
    with pytest.raises(
        RunError, match=rf"mime is not a run .*; in {tmp_path / 'runs'} \(looked for .* are: .*runs/mine"
    ):
        Run.open("mime")


def test_a_directory_is_held_by_one_process(tiny: Tiny, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    Run.create(folder, tiny(method="linear"))
    holder = processes.start(["train", "--resume", str(folder)], tmp_path / "log", SignalAfter(2, signal.SIGSTOP))
    try:
        deadline = time.monotonic() + 100
        while not Run(folder).progress() and time.monotonic() < deadline:
            time.sleep(0.02)
        for attempt in (lambda: train(run_dir=folder, resume=True), lambda: Run.create(folder, Config())):
            with pytest.raises(RunError, match=rf"in use by another process \(pid {holder.pid}\); wait for it"):
                attempt()
        assert Run(folder).metrics() == []  # reading needs no lock
    finally:
        holder.kill()
        holder.join()
    run = train(run_dir=folder, resume=True, observer=lambda event: None)
    assert run.is_finished()


def test_a_run_that_says_training_is_believed_only_while_a_process_holds_it(tmp_path: Path) -> None:
    run = Run.create(tmp_path / "run", Config())
    assert run.state() == "unknown"
    run.write_progress(state="training")
    with run.lock():
        assert run.state() == "training"
    assert run.state() == "killed"
    run.write_progress(state="stopped")
    assert run.state() == "stopped"


def test_a_missing_or_damaged_summary_is_a_sentence(tmp_path: Path) -> None:
    run = Run.create(tmp_path / "run", Config())
    run.write_progress(state="training")
    with pytest.raises(RunError, match=r"summary\.json does not exist; the run's state is 'killed'. Finish it with"):
        run.summary()
    (run.path / "summary.json").write_text('{"test": {"la')
    with pytest.raises(RunError, match=r"summary\.json is damaged or cut off .*vptsp train --resume"):
        run.summary()
    assert not run.is_finished()


def test_settings_of_another_version_are_a_sentence(tmp_path: Path) -> None:
    run = Run.create(tmp_path / "run", Config())
    write_json(run.path / "config.json", {"learning_rate": 1})
    with pytest.raises(RunError, match=r"config\.json was not written by this version: learning_rate is not a setting"):
        _ = run.config


def test_a_line_still_being_written_is_left_out(tmp_path: Path) -> None:
    run = Run.create(tmp_path / "run", Config())
    run.write_metrics([{"epoch": 1}, {"epoch": 2}])
    with (run.path / "metrics.jsonl").open("a") as file:
        file.write('{"epoch": 3, "lo')
    assert run.metrics() == [{"epoch": 1}, {"epoch": 2}]


def test_every_run_is_a_row_of_the_overview(tiny: Tiny, tmp_path: Path) -> None:
    new = Run.create(tmp_path / "new", tiny(seed=1))
    failed = Run.create(tmp_path / "failed", tiny(seed=2))
    failed.write_progress(state="failed", message="out of luck")
    broken = Run.create(tmp_path / "broken", tiny())
    (broken.path / "config.json").write_text("{")
    done = train(tiny(seed=3, method="frozen"), tmp_path / "done", observer=lambda event: None)
    found = overview([new, failed, broken, done])
    rows = {row["run"]: row for row in found.rows}
    states = {name: row["state"] for name, row in rows.items()}
    assert states == {"new": "unknown", "failed": "failed", "broken": "unreadable", "done": "done"}
    assert rows["done"]["recall_at_1"] == done.summary()["test"]["last"]["recall_at_1"]
    assert ["recall_at_1" in row for row in found.rows] == [False, False, False, True]
    assert rows["done"]["trained"] == 0
    assert "recall_at_1" in found.metrics
    assert "trained" not in found.metrics
    assert set(found.settings) == {"method", "seed"}, "settings in which the runs differ, and no others"
    assert {run.name for run in list_runs(tmp_path)} == {"new", "failed", "broken", "done"}
    assert overview([]).rows == []
    assert list_runs(tmp_path / "nowhere") == []


def test_settings_differ_where_two_runs_say_so() -> None:
    assert differing([{"a": 1, "b": [1]}, {"a": 2, "b": [1]}, {}]) == ["a"]
    assert differing([{"a": 1}, {"b": 2}]) == []  # what a run does not say is no difference
    assert differing([]) == []


def test_a_run_can_be_read_after_every_step(tiny: Tiny, tmp_path: Path) -> None:
    run = Run(tmp_path / "run")
    seen: list[tuple[str, int]] = []

    def observe(event: Event) -> None:
        seen.append((event.kind, len(run.metrics())))
        assert run.config.method == "linear"
        assert run.snapshots() == list(range(len(run.metrics()) + 1))
        for epoch in run.snapshots():
            assert run.snapshot(epoch)["probe_test"].shape == (4, 16)
        assert overview([run]).rows[0]["state"] != "done"

    train(tiny(method="linear"), run.path, observer=observe)
    assert seen[0] == ("start", 0)
    assert seen[-1] == ("done", 2)
    assert [count for kind, count in seen if kind == "epoch"] == [1, 2]
    with pytest.raises(RunError, match=r"the run has snapshots of epochs \[0, 1, 2\]"):
        run.snapshot(3)
