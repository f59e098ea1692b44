"""A sweep watched from outside: what the board says of its jobs, and what it may ask of it."""

from __future__ import annotations

import gc
import json
import os
import shutil
import subprocess
import sys
import time
import weakref
from pathlib import Path
from typing import Any

import filelock
import pytest
from markup import Markup, refused_by_sanitiser
from sweepings import Sweeping, sweep_of_all_states
from vptsp_widgets.board import SweepBoard
from vptsp_widgets.board.data import SweepWatch, is_held
from vptsp_widgets.linking import link
from vptsp_widgets.monitor import TrainingMonitor

from vptsp.errors import DataError, RunError
from vptsp.files import write_json


@pytest.fixture
def sweep(tmp_path: Path) -> Sweeping:
    return sweep_of_all_states(tmp_path / "rates")


@pytest.fixture
def board(sweep: Sweeping) -> Any:
    board = SweepBoard(sweep.folder)
    yield board
    board.close()


# --- what it says -----------------------------------------------------------------------------------
def test_every_job_is_a_row_with_what_differs(board: SweepBoard, sweep: Sweeping) -> None:
    rows, head = board._watch.rows, board._head
    assert head["names"] == ["lr", "seed"]
    assert [row["values"] for row in rows[:5:4]] == [["0.001", "0"], ["1e-05", "0"]]
    assert [row["state"] for row in rows] == [job.status()["state"] for job in sweep.jobs]
    ones = dict.fromkeys(("running", "failed", "killed", "interrupted", "queued"), 1)
    assert {state: count for state, count in head["counts"].items() if count} == {"done": 2, **ones}
    assert [row["fraction"] for row in rows] == [1.0, 1.0, 0.25, 0.0, 0.5, 0.25, None]
    assert head["fraction"] == pytest.approx((1 + 1 + 0.25 + 0.5 + 0.25) / 7)  # a failed job has done no work
    assert [(row["epoch"], row["epochs"]) for row in rows[:3]] == [(3, 3), (3, 3), (1, 4)]
    assert (rows[0]["best"], rows[0]["test"], rows[0]["metric"]) == (0.75, 0.6, "R@1")
    assert rows[2]["seconds"] == pytest.approx(100, abs=20)
    assert rows[2]["left"] == 300
    assert rows[4]["attempts"] == 3
    assert head["left"] > rows[2]["left"] / 2


def test_the_best_is_told_by_validation_never_by_test(board: SweepBoard) -> None:
    assert board._head["best"] == [{"metric": "R@1", "value": 0.75, "row": 0}]  # job 1 has the higher test value
    assert "best validation R@1 75.0 %: lr=0.001 seed=0" in board.summary()


def test_only_what_moves_is_sent_again(board: SweepBoard, sweep: Sweeping) -> None:
    before = board._rows
    sweep.put(2, "running", val=[0.3, 0.8], epochs=4)
    board.look()
    assert board._rows == before
    assert (board._running["2"]["epoch"], board._running["2"]["best"]) == (2, 0.8)
    assert board._head["best"][0]["row"] == 2
    sweep.put(2, "done", val=[0.3, 0.8], epochs=2)
    board.look()
    assert board._rows[2]["best"] == 0.8
    assert board._running == {}


def test_the_phase_tells_whether_anybody_runs_the_sweep(tmp_path: Path) -> None:
    sweep = Sweeping(tmp_path / "s", [{"x": 1}, {"x": 2}])
    watch = SweepWatch(sweep.folder)

    def phase() -> str:
        watch.look()
        return watch.head["phase"]

    assert phase() == "not running"
    with filelock.FileLock(sweep.folder.path / ".sweep.lock"):
        assert phase() == "running"
        sweep.folder.ask("stop")
        assert phase() == "stopping"
        sweep.folder.ask("")
    assert phase() == "not running"
    sweep.put(0, "running")
    assert phase() == "running"  # on another machine, whose locks are not seen here
    sweep.put(0, "running", supervisor=_gone())
    assert phase() == "not running"
    assert watch.rows[0]["state"] == "killed"
    assert watch.head["left"] is None
    sweep.put(0, "done")
    sweep.put(1, "failed")
    assert phase() == "ended"
    sweep.put(1, "done")
    assert phase() == "done"


def _gone() -> int:
    """A process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_asking_whether_a_lock_is_held_never_takes_it(tmp_path: Path) -> None:
    lock = filelock.FileLock(tmp_path / "lock")
    assert not is_held(tmp_path / "lock")
    with lock:
        assert is_held(tmp_path / "lock")
        assert not is_held(tmp_path / "other")
    assert not is_held(tmp_path / "lock")


def test_an_executor_of_unknown_size_is_as_wide_as_what_runs(tmp_path: Path) -> None:
    sweep = Sweeping(tmp_path / "s", [{"x": number} for number in range(6)])
    for number in (0, 1):
        sweep.put(number, "done")
    for number in (2, 3):
        sweep.put(number, "running", epochs=2, val=[0.1])
    left = []
    for workers in (2, None):
        record = sweep.folder.record() | {"workers": workers}
        write_json(sweep.folder.path / "sweep.json", record)
        watch = SweepWatch(sweep.folder)
        watch.look()
        left.append(watch.head["left"])
    assert left[0] == pytest.approx(left[1], rel=0.1)


# --- bad input --------------------------------------------------------------------------------------
def test_a_folder_without_a_sweep_is_refused(tmp_path: Path, board: SweepBoard, sweep: Sweeping) -> None:
    with pytest.raises(RunError, match=r"not the folder of a sweep \(it holds no sweep.json\); vptsp sweep makes one"):
        SweepBoard(tmp_path)
    with pytest.raises(RunError, match="is not the folder of a sweep"):
        board.folder = str(tmp_path)
    assert board.folder == str(sweep.folder.path)


DAMAGES = {
    "status.json": ('{"state": "ru', "damaged or cut off"),
    "job.json": ("", "damaged or cut off"),
    "progress.json": ('{"state": "training", "steps": 7}', "its files are damaged"),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_a_damaged_job_is_a_row_and_the_others_stay(board: SweepBoard, sweep: Sweeping, name: str) -> None:
    text, said = DAMAGES[name]
    (sweep.jobs[2].path / name).write_text(text)
    board.look()
    states = [row["state"] for row in board._rows]
    assert states == ["done", "done", "unreadable", "failed", "killed", "interrupted", "queued"]
    assert said in board._rows[2]["error"]
    assert str(sweep.folder.path) not in board._rows[2]["error"]
    assert board._head["counts"]["unreadable"] == 1
    assert board._head["best"][0]["row"] == 0
    assert board.status == ""
    sweep.put(2, "done", epochs=1, val=[0.9])
    if name != "job.json":
        board.look()
        assert board._rows[2]["state"] == "done"


def test_a_status_without_a_state_is_unreadable(board: SweepBoard, sweep: Sweeping) -> None:
    for text in ("[]", '{"state": "dancing"}'):
        (sweep.jobs[0].path / "status.json").write_text(text)
        board.look()
        assert board._rows[0]["state"] == "unreadable"
        assert "holds no state of a job; start the sweep again" in board._rows[0]["error"]


def test_a_sweep_that_vanishes_is_said_and_its_rows_stay(board: SweepBoard, sweep: Sweeping) -> None:
    plan = sweep.folder.path / "sweep.json"
    text = plan.read_text()
    plan.write_text("{")
    board.look()
    assert "damaged or cut off" in board.status
    assert len(board._rows) == 7
    plan.write_text(text)
    board.look()
    assert board.status == ""
    shutil.rmtree(sweep.folder.path)
    board.look()
    assert "sweep.json does not exist" in board.status
    assert refused_by_sanitiser(board.still()) == []


# --- choice -----------------------------------------------------------------------------------------
def test_job_and_run_follow_each_other(board: SweepBoard, sweep: Sweeping) -> None:
    for number in (0, 2):
        write_json(sweep.jobs[number].path / "config.json", {})
    board.job = "job-2"
    assert (board.run, board._chosen) == (str(sweep.jobs[2].path), 2)
    board.run = os.path.relpath(sweep.jobs[0].path)
    assert (board.job, board._chosen) == ("job-0", 0)
    board._chosen = 6  # by a click
    assert (board.job, board.run) == ("job-6", "")
    write_json(sweep.jobs[6].path / "config.json", {})  # it begins
    board.look()
    assert board.run == str(sweep.jobs[6].path)
    board.run = ""
    assert (board.job, board._chosen) == ("", -1)
    with pytest.raises(DataError, match=r"there is no job 'job-9' in .*, which has 7, for example job-0"):
        board.job = "job-9"


def test_a_linked_monitor_shows_the_chosen_job(board: SweepBoard, sweep: Sweeping, tmp_path: Path) -> None:
    for path in (sweep.jobs[2].path, tmp_path / "elsewhere"):
        write_json(path / "config.json", {})
    monitor = TrainingMonitor()
    undo = link(board, monitor)
    board.job = "job-2"
    assert monitor.run == str(sweep.jobs[2].path)
    monitor.run = str(tmp_path / "elsewhere")
    assert (board.job, board.run) == ("", str(tmp_path / "elsewhere"))
    board.job = "job-0"  # has no run directory
    assert monitor.run == ""
    undo()
    monitor.close()


# --- stop -------------------------------------------------------------------------------------------
def test_stop_is_a_wish_that_can_be_withdrawn(board: SweepBoard, sweep: Sweeping) -> None:
    before = {path for path in sweep.folder.path.rglob("*")}
    board.stop()
    assert sweep.folder.wish() == "stop"
    assert board._head["phase"] == "stopping"
    assert board._head["left"] is None
    assert "the sweep stops" in board.status
    assert {path for path in sweep.folder.path.rglob("*")} - before == {sweep.folder.path / "STOP"}
    board.withdraw()
    assert sweep.folder.wish() == ""
    assert board._head["phase"] == "running"
    assert "the wish to stop is withdrawn" in board.status


def test_what_nobody_runs_cannot_be_stopped(board: SweepBoard, sweep: Sweeping) -> None:
    sweep.put(2, "interrupted")
    with pytest.raises(RunError, match=r"nobody runs the sweep in .*, so there is nothing to stop"):
        board.stop()
    board._handle({"kind": "stop"}, [])
    assert board.status.startswith("nobody runs the sweep")
    assert sweep.folder.wish() == ""


def test_what_was_said_of_stopping_goes_when_it_has_stopped(board: SweepBoard, sweep: Sweeping) -> None:
    board.stop()
    sweep.put(2, "interrupted")
    board.look()
    assert board._head["phase"] == "not running"
    assert board.status == ""


# --- without a kernel, and its thread ---------------------------------------------------------------
def test_what_a_job_computes_on_is_told(board: SweepBoard, sweep: Sweeping) -> None:
    assert board.state_for_page()["_head"]["several"] is False
    for number, devices, gpu in ((2, 2, "0,1"), (3, 2, None), (4, 1, "3")):
        record = sweep.jobs[number].path / "job.json"
        record.write_text(json.dumps(json.loads(record.read_text()) | {"devices": devices}))
        sweep.put(number, "running", epochs=2, gpu=gpu)
    board.look()
    state = board.state_for_page()
    told = [row["devices"] for row in state["_rows"]]
    assert told == ["", "", "2 devices (GPU 0,1)", "2 devices", "GPU 3", "", ""]
    assert state["_head"]["several"] is True


def test_the_still_is_a_line_and_a_table(board: SweepBoard) -> None:
    board.job = "job-3"
    page = board.still()
    assert refused_by_sanitiser(page) == []
    text = Markup(page).text
    for part in ("rates", "1 running · 2 done", "42 % of the work done", "★ 75.0 %", "the loss is a <fish>", "1e-05"):
        assert part in text
    assert len(Markup(page).all("tr")) == 8
    assert "7 of 7 jobs" in text


def test_names_of_a_list_come_first(tmp_path: Path) -> None:
    sweep = Sweeping(tmp_path / "s", [{"x": 1}, {"x": 2}], labels=["Table 1 <b>", "ours"])
    board = SweepBoard(sweep.folder.path)
    assert [row["label"] for row in board._rows] == ["Table 1 <b>", "ours"]
    assert [row["title"] for row in board._rows] == ["Table 1 <b>", "ours"]
    board.close()


def test_a_thread_looks_and_ends_with_the_board(sweep: Sweeping, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vptsp_widgets.watching_view.SECONDS", 0.01)
    board = SweepBoard(sweep.folder)
    sweep.put(2, "failed")
    deadline = time.monotonic() + 30
    while board._rows[2]["state"] != "failed" and time.monotonic() < deadline:
        time.sleep(0.01)
    assert board._rows[2]["state"] == "failed"
    thread, gone = board._thread, weakref.ref(board)
    board.close()
    thread.join(30)
    assert not thread.is_alive()
    del board
    gc.collect()
    assert gone() is None


def test_headless_nothing_is_left_running(sweep: Sweeping, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VPTSP_HEADLESS", "1")
    board = SweepBoard(sweep.folder)
    assert not board._thread.is_alive()
    assert board._head["phase"] == "running"
    board.close()


def test_a_board_that_is_refused_goes_without_another_word(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", told.append)
    with pytest.raises(RunError, match="is not the folder of a sweep"):
        SweepBoard(tmp_path)
    gc.collect()
    assert told == []
