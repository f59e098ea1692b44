"""A run watched from outside: what the monitor says of it, and what it may ask of it."""

from __future__ import annotations

import gc
import shutil
import subprocess
import sys
import time
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from markup import Markup, refused_by_sanitiser
from vptsp_widgets.monitor import TrainingMonitor, watching
from vptsp_widgets.monitor.watching import Watch, confusions_of

from vptsp.errors import RunError, UsageError
from vptsp.files import write_json, write_tensors
from vptsp.runs.run import Run
from vptsp.settings.config import Config

Tiny = Callable[..., Config]


@pytest.fixture
def run(tiny: Tiny, tmp_path: Path) -> Run:
    """A run of 4 epochs of 10 steps that nobody trains yet."""
    return Run.create(tmp_path / "run", tiny(epochs=4))


@pytest.fixture
def copy(tiny_run: Run, tmp_path: Path) -> Run:
    shutil.copytree(tiny_run.path, tmp_path / "copy")
    return Run(tmp_path / "copy")


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [1000.0]
    monkeypatch.setattr(time, "time", lambda: now[0])
    return now


def at(run: Run, step: int, state: str = "training", **values: Any) -> None:
    run.write_progress(state=state, epochs=4, steps=40, epoch=step // 10, step=step, **values)


# --- what it says -----------------------------------------------------------------------------------
def test_a_finished_run(tiny_run: Run) -> None:
    monitor = TrainingMonitor(tiny_run)
    lines = tiny_run.metrics()
    assert monitor.run == str(tiny_run.path)
    assert monitor._now["state"] == "done"
    assert monitor._now["step"] == monitor._now["steps"] > 0
    assert monitor._curves["epoch"] == [1, 2]
    assert monitor._curves["loss"] == [line["loss"] for line in lines]
    assert monitor._curves["judged"] == [line["val_recall_at_1"] for line in lines]
    assert monitor._confused["epoch"] == 2
    assert f"validation R@1 {100 * lines[-1]['val_recall_at_1']:.1f} %" in monitor.summary()
    page = monitor.still()
    assert not refused_by_sanitiser(page)
    assert [image["alt"][:13] for image in Markup(page).all("img")] == ["Training loss"]
    assert "Most confused classes after epoch 2: proxies." in Markup(page).text
    monitor.close()


def test_time_left_is_what_the_run_says(run: Run, clock: list[float]) -> None:
    watch = Watch(run)
    with run.lock():
        at(run, 1, loss=3.0, images_per_second=16.0)  # of an earlier version, or the head trains alone
        watch.look()
        assert watch.now["left"] is None
        clock[0] += 10
        at(run, 6, loss=2.0, images_per_second=16.0, seconds_left=68.0)
        clock[0] += 3
        watch.look()
    assert watch.now["left"] == 68.0
    assert watch.now["quiet"] == 3
    assert (watch.now["state"], watch.now["loss"], watch.now["speed"]) == ("training", 2.0, 16.0)
    assert watch.curves["live"] == [[0.1, 3.0], [0.6, 2.0]]


def test_steps_that_come_again_after_a_crash_are_drawn_once(run: Run, clock: list[float]) -> None:
    watch = Watch(run)
    with run.lock():
        for step in (8, 12, 11):
            clock[0] += 1
            at(run, step, loss=float(step))
            watch.look()
    assert watch.curves["live"] == [[0.8, 8.0], [1.1, 11.0]]


def test_long_watches_keep_a_bounded_number_of_steps(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "_LIVE_POINTS", 10)
    watch = Watch(run)
    with run.lock():
        for step in range(1, 35):
            at(run, step, loss=1.0)
            watch.look()
            assert len(watch.curves["live"]) <= 10
            assert watch.curves["live"][-1] == [pytest.approx(step / 10), 1.0]


@pytest.mark.parametrize(("state", "shown"), [("training", "killed"), ("stopped", "stopped"), ("failed", "failed")])
def test_states_without_a_process(run: Run, state: str, shown: str) -> None:
    at(run, 5, state, message="the loss is nan <b>")
    monitor = TrainingMonitor(run)
    assert monitor._now["state"] == shown
    assert monitor._now["left"] is None
    assert "the loss is nan <b>" in Markup(monitor.still()).text
    assert not refused_by_sanitiser(monitor.still())
    monitor.close()


def test_a_run_that_dies_is_noticed_though_it_writes_nothing_more(run: Run) -> None:
    watch = Watch(run)
    with run.lock():
        at(run, 5)
        watch.look()
        assert watch.now["state"] == "training"
    watch.look()
    assert watch.now["state"] == "killed"


def test_scoring_after_the_last_step(run: Run) -> None:
    watch = Watch(run)
    with run.lock():
        at(run, 40)
        watch.look()
        assert watch.now["scoring"]
        with pytest.raises(RunError, match="no step is left to train"):
            watch.stop()
    assert not (run.path / "STOP").exists()


def test_a_run_that_has_not_begun(run: Run) -> None:
    monitor = TrainingMonitor(run)
    assert monitor._now["state"] == "not begun"
    assert monitor._curves["epoch"] == []
    assert monitor._confused == {}
    assert "not begun" in monitor.still()
    assert monitor.summary() == "TrainingMonitor of run: not begun"
    monitor.close()


def test_no_run_and_no_such_run(tmp_path: Path, run: Run) -> None:
    monitor = TrainingMonitor()
    assert monitor.summary() == "TrainingMonitor of no run"
    assert "No run is watched" in monitor.still()
    for ask in (monitor.stop, monitor.resume):
        with pytest.raises(UsageError, match="there is no run to"):
            ask()
    with pytest.raises(RunError, match="is not a run directory"):
        monitor.run = str(tmp_path / "nowhere")
    monitor.run = str(run.path)
    assert monitor._now["name"] == "run"
    monitor.run = ""
    assert monitor._now == {}
    monitor.close()


def test_a_run_that_vanishes_or_is_damaged_is_said(copy: Run) -> None:
    monitor = TrainingMonitor(copy)
    snapshot = copy.snapshot_path(9)
    snapshot.write_bytes(b"cut")
    monitor.look()
    assert "damaged or cut off" in monitor.status
    shutil.rmtree(copy.path)
    monitor.look()
    assert "is gone or no run directory any more" in monitor.status
    monitor.close()


def test_a_run_with_damaged_settings_is_shown_as_far_as_it_goes(copy: Run) -> None:
    (copy.path / "config.json").write_text("{")
    monitor = TrainingMonitor(copy)
    assert monitor._now["state"] == "done"
    assert "confused classes" in monitor.still()
    monitor.close()


def test_confusions_of_the_newest_snapshot(run: Run) -> None:
    turn = np.radians([0, 40, 45, 49])
    plane = torch.from_numpy(np.stack([np.cos(turn), np.sin(turn)], axis=1)).float()
    probes = {"ids": list("abcd"), "labels": [0, 0, 1, 1], "class_names": ["x<b>", "y\nz"]}
    index = {"proxy_class_names": ["p", "q", "r", "s"], "train": probes, "test": probes}
    write_json(run.path / "snapshots/probes.json", index)
    write_tensors(run.snapshot_path(0), {"probe_test": plane.flip(0)})
    write_tensors(run.snapshot_path(3), {"probe_test": plane, "fused": 2 * plane})
    told = confusions_of(run)
    assert told["epoch"] == 3
    images, proxies = told["groups"]
    assert images["title"] == "4 test images"
    assert images["rows"] == [["x<b>", "y z", "4 of 4", "1"]]
    assert proxies["rows"][0] == ["r", "s", f"{np.cos(np.radians(4)):.3f}"]
    assert all(len(row) == len(group["header"]) for group in told["groups"] for row in group["rows"])


# --- what it may ask --------------------------------------------------------------------------------
def test_stop_writes_the_file_that_runs_obey_and_nothing_else(run: Run) -> None:
    monitor = TrainingMonitor(run)
    with run.lock():
        at(run, 5)
        before = {path for path in run.path.rglob("*")}
        monitor.stop()
        assert {path for path in run.path.rglob("*")} - before == {run.path / "STOP"}
        assert run.stop_requested()
        assert "stops after its current step" in monitor.status
        assert monitor._now["stopping"]
        (run.path / "STOP").unlink()  # by the run, which begins again
        monitor.look()
        assert run.stop_requested(), "a stop asked for while a run begins is not lost"
    at(run, 6, "stopped")
    monitor.look()
    assert not monitor._now["stopping"]
    monitor.close()


def test_stop_and_resume_are_refused_politely_where_they_make_no_sense(tiny_run: Run, run: Run) -> None:
    monitor = TrainingMonitor(tiny_run)
    with pytest.raises(RunError, match=r"tiny is not training \(it is done\), so there is nothing to stop"):
        monitor.stop()
    for kind in ("stop", "resume"):
        monitor._handle({"kind": kind}, [])
        assert "it is done" in monitor.status
        assert "RunError" not in monitor.status
    monitor.run = str(run.path)
    with pytest.raises(RunError, match="cannot be resumed: it has not begun"):
        monitor.resume()
    with run.lock():
        at(run, 5)
        with pytest.raises(RunError, match="cannot be resumed: it is training"):
            monitor.resume()
    assert not (run.path / "log.txt").exists()
    monitor.close()


def test_a_process_that_cannot_go_on_says_why(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    program = "import sys; print('loading'); sys.exit('Error: no images in ' + sys.argv[1])"
    monkeypatch.setattr(watching, "_COMMAND", (sys.executable, "-c", program))
    at(run, 5, "stopped")
    monitor = TrainingMonitor(run)
    monitor.resume()
    assert monitor._now["state"] == "starting"
    with pytest.raises(RunError, match="it is starting"):
        monitor.resume()
    watching._children[run.path.resolve()].wait(60)
    monitor.look()
    assert monitor._now["state"] == "stopped"
    assert monitor._now["message"] == f"it did not go on: Error: no images in {run.path.resolve()}"
    assert "loading" in (run.path / "log.txt").read_text()
    assert watching._children == {}
    monitor.close()


def test_resuming_is_the_command_line_in_a_session_of_its_own(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    *command, option = watching._COMMAND
    told = subprocess.run([*command, "--help"], capture_output=True, text=True, check=True)
    assert "Go on with a stopped or killed run" in told.stdout
    assert option == "--resume"
    program = "import os, sys; print(os.getsid(0) == os.getpid(), sys.argv[1:], sys.stdin.read())"
    monkeypatch.setattr(watching, "_COMMAND", (sys.executable, "-c", program))
    (run.path / "log.txt").write_text("before\n")
    at(run, 5, "stopped")
    watch = Watch(run)
    assert watch.resume().endswith("log.txt")
    assert watching._children[run.path.resolve()].wait(60) == 0
    assert (run.path / "log.txt").read_text() == f"before\nTrue {[str(run.path.resolve())]} \n"
    watch.look()
    assert watch.now["state"] == "stopped"
    assert watch.now["message"] == ""


# --- its thread -------------------------------------------------------------------------------------
def test_a_thread_looks_and_ends_with_the_monitor(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vptsp_widgets.watching_view.SECONDS", 0.01)
    monitor = TrainingMonitor(run)
    at(run, 5, "stopped")
    deadline = time.monotonic() + 20
    while monitor._now["state"] != "stopped" and time.monotonic() < deadline:
        time.sleep(0.01)
    assert monitor._now["state"] == "stopped"
    thread, gone = monitor._thread, weakref.ref(monitor)
    monitor.close()
    thread.join(20)
    assert not thread.is_alive()
    del monitor
    gc.collect()
    assert gone() is None


def test_headless_nothing_is_left_running(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VPTSP_HEADLESS", "1")
    monitor = TrainingMonitor(run)
    assert not monitor._thread.is_alive()
    assert monitor._now["state"] == "not begun"
    monitor.close()
