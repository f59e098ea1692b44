"""Runs as processes: what is skipped, resumed, refused, shown and entered in the ledger."""

from __future__ import annotations

import json
import os
import shutil
import signal
import threading
import time
from pathlib import Path
from typing import Any

import filelock
import pytest
from click.testing import CliRunner, Result
from rich.console import Console
from sweepings import Sweeping
from toys import kernels, orphans, toy

from vptsp.cli import main
from vptsp.errors import RunError, UsageError
from vptsp.files import write_json
from vptsp.settings.config import Config
from vptsp.sweeps import Job, Sweep, SweepFolder, load, merge_ledgers, overview, read_ledger, run_sweep, write_ledger
from vptsp.sweeps.places import local_places
from vptsp.sweeps.supervisor import Place, execute
from vptsp.sweeps.terminal import duration, table, watching

pytestmark = pytest.mark.notebooks  # their runs are notebooks


def vptsp(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> SweepFolder:
    """Three runs that have ended: done, failed, and by leaving. Read it only."""
    root = tmp_path_factory.mktemp("finished")
    sweep = Sweep(str(toy(root)), grid={"mode": ["count", "fail", "exit"]}, parameters={"x": 7})
    return run_sweep(sweep, root / "sweep", workers=2)


def test_states_tell_how_runs_ended(finished: SweepFolder) -> None:
    done, failed, left = [job.status() for job in finished.jobs()]
    assert (done["state"], done["error"], done["exit_code"]) == ("done", "", 0)
    assert (failed["state"], failed["error"]) == ("failed", "ValueError: the loss is a fish")
    assert left["state"] == "failed"
    assert "the kernel ended by itself with exit code 3" in left["error"]
    for status in (done, failed, left):
        assert status["attempts"] == 1
        assert status["supervisor"] == os.getpid()
        assert status["started"] < status["finished"] <= status["heartbeat"]
        assert 10e6 < status["memory_peak"] < 1e9  # a kernel's, in bytes
    log = (finished.jobs()[1].path / "log.txt").read_text()
    assert "starts at step 0" in log
    assert log.rstrip().endswith("ValueError: the loss is a fish")
    assert orphans(finished.path) == []


def test_what_is_done_is_skipped_and_what_failed_only_runs_when_asked(finished: SweepFolder, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(finished.path, copy)
    again = run_sweep(copy, workers=2, any_code=True)
    assert [job.status()["state"] for job in again.jobs()] == ["done", "failed", "failed"]
    assert len(kernels(copy)) == 3
    run_sweep(copy, workers=2, any_code=True, retry_failed=True)
    assert [job.status()["attempts"] for job in again.jobs()] == [1, 2, 2]
    assert len(read_ledger(copy / "ledger.jsonl")) == 1


def test_other_code_runs_again_unless_any_code_is_asked_for(
    finished: SweepFolder, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("vptsp.sweeps.plan.code_key", lambda *given: "other")
    result = vptsp("sweep", finished.path, "--dry-run")
    assert "1 runs are done with other code and run again; --any-code would keep them" in result.output
    assert "3 of 3 runs to do" in result.output
    result = vptsp("sweep", finished.path, "--dry-run", "--any-code")
    assert "0 of 3 runs to do" in result.output
    assert "2 runs failed before and are left as they are" in result.output


def test_a_run_that_was_cut_off_reads_as_killed(tmp_path: Path) -> None:
    job = Job(tmp_path)
    gone = {"state": "running", "attempts": 1, "error": "", "heartbeat": 4e9, "supervisor": 2**22 - 1}
    job.write_status(**gone, host=os.uname().nodename)
    assert job.status()["state"] == "killed"
    job.write_status(**gone | {"supervisor": os.getpid()}, host=os.uname().nodename)
    assert job.status()["state"] == "running"
    job.write_status(**gone, host="elsewhere")
    assert job.status()["state"] == "running"  # nobody here can know better
    job.write_status(**gone | {"heartbeat": 0.0}, host="elsewhere")
    assert job.status()["state"] == "killed"


def test_a_job_that_another_supervisor_holds_is_waited_for(tmp_path: Path) -> None:
    """As when a scheduler gives a run away a second time, because it lost sight of the first."""
    sweep = Sweep(str(toy(tmp_path)), parameters={"steps": 1})
    seen: list[str] = []
    threads: list[threading.Thread] = []

    def second(folder: SweepFolder) -> None:
        (job,) = folder.jobs()
        if not threads and job.status()["state"] == "running":
            threads.append(threading.Thread(target=lambda: seen.append(execute(str(job.path)))))
            threads[0].start()

    folder = run_sweep(sweep, tmp_path / "sweep", watch=second)
    threads[0].join(60)
    assert seen == ["done"]
    assert len(kernels(folder.path)) == 1


def test_a_killed_process_takes_its_kernel_along(tmp_path: Path) -> None:
    """The process between supervisor and kernel dies, as the system may choose it when memory runs out."""
    folder = SweepFolder(tmp_path / "sweep")

    def kill(folder: SweepFolder) -> None:
        (job,) = folder.jobs()
        status = job.status()
        if status["state"] == "running" and kernels(folder.path):
            os.kill(status["pid"], signal.SIGKILL)

    run_sweep(Sweep(str(toy(tmp_path)), parameters={"steps": 10**6}), folder.path, watch=kill)
    (job,) = folder.jobs()
    assert job.status()["state"] == "killed"
    assert "killed by SIGKILL" in job.status()["error"]
    assert orphans(folder.path) == []


def test_a_stop_file_stops_and_a_wish_to_kill_does_not_wait(tmp_path: Path) -> None:
    folder = SweepFolder(tmp_path / "sweep")

    def stop(folder: SweepFolder) -> None:
        if kernels(folder.path) and not folder.wish():
            folder.ask("kill")

    run_sweep(Sweep(str(toy(tmp_path)), parameters={"steps": 10**6}, seeds=2), folder.path, workers=1, watch=stop)
    assert [job.status()["state"] for job in folder.jobs()] == ["interrupted", "queued"]
    assert orphans(folder.path) == []
    result = vptsp("sweep", folder.path, "--dry-run", "--any-code")
    assert "2 of 2 runs to do" in result.output


# --- places -----------------------------------------------------------------------------------------
def test_workers_share_the_cores_and_take_turns_with_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vptsp.sweeps.places.cores", lambda: 8)
    assert local_places(None, None, ()) == [Place(index, 2) for index in range(4)]
    assert local_places(2, None, ()) == [Place(0, 4), Place(1, 4)]
    assert local_places(None, 3, [0, 2]) == [Place(0, 3, "0"), Place(1, 3, "2")]
    assert [place.gpu for place in local_places(3, None, ["0", "1"])] == ["0", "1", "0"]
    environment = Place(0, 3, "2").environment()
    assert (environment["OMP_NUM_THREADS"], environment["CUDA_VISIBLE_DEVICES"]) == ("3", "2")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert "CUDA_VISIBLE_DEVICES" not in Place(0, 1).environment()
    with pytest.raises(UsageError, match="workers=0 is too few"):
        local_places(0, None, ())


# --- folders that cannot be used ----------------------------------------------------------------------
def test_folders_that_cannot_be_used_are_refused_before_anything_starts(tmp_path: Path) -> None:
    sweep = Sweep(str(toy(tmp_path)))
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="is a file; choose a folder"):
        run_sweep(sweep, tmp_path / "file")
    with pytest.raises(RunError, match=r"cannot write .*/file/sweep: Not a directory"):
        run_sweep(sweep, tmp_path / "file" / "sweep")
    with pytest.raises(RunError, match="holds other things than a sweep"):
        run_sweep(sweep, tmp_path)
    with pytest.raises(UsageError, match="a sweep needs a folder"):
        run_sweep(sweep)
    with pytest.raises(RunError, match="is not the folder of a sweep"):
        load(tmp_path)


def test_two_sweeps_on_one_folder_are_refused(tmp_path: Path) -> None:
    folder = tmp_path / "sweep"
    folder.mkdir()
    with (
        filelock.FileLock(folder / ".sweep.lock"),
        pytest.raises(RunError, match=r"another sweep is running in .*sweep; wait for it"),
    ):
        run_sweep(Sweep(str(toy(tmp_path))), folder)
    assert not (folder / "sweep.json").exists()


def test_an_unwritable_folder_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if os.geteuid() == 0:  # whom no permission stops

        def refuse(*_: Any, **__: Any) -> None:
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr("pathlib.Path.mkdir", refuse)
    else:
        tmp_path.chmod(0o500)
    with pytest.raises(RunError, match=r"cannot write .*: Permission denied"):
        run_sweep(Sweep("01_train"), tmp_path / "sweep")


# --- ledger -----------------------------------------------------------------------------------------
def test_the_ledger_has_a_line_per_finished_run(finished: SweepFolder) -> None:
    (line,) = read_ledger(finished.path / "ledger.jsonl")
    job = finished.jobs()[0]
    assert line["key"] == job.key
    assert line["parameters"] == {"mode": "count", "x": 7}
    assert line["metrics"] == {"recall_at_1": 0.07}
    assert (line["trained"], line["kept"], line["notebook"]) == (7, 1, "toy.ipynb")
    assert line["memory_peak"] == job.status()["memory_peak"]
    assert write_ledger(job) == line
    assert len((finished.path / "ledger.jsonl").read_text().splitlines()) == 1
    with pytest.raises(RunError, match="only finished runs"):
        write_ledger(finished.jobs()[1])


def test_ledgers_merge_to_their_union(tmp_path: Path) -> None:
    lines = [{"id": str(number), "finished": 10 - number} for number in range(4)]
    text = [json.dumps(line) + "\n" for line in lines]
    (tmp_path / "a").write_text("".join(text[:3]) + '{"id": "torn')
    (tmp_path / "b").write_text("<<<<<<< ours\n" + "".join(text[1:]) + "".join(text[1:]))
    assert merge_ledgers([tmp_path / "a", tmp_path / "b", tmp_path / "missing"], tmp_path / "a") == 4
    assert read_ledger(tmp_path / "a") == lines[::-1]


# --- what is shown ------------------------------------------------------------------------------------
def test_the_overview_has_a_row_for_every_run(finished: SweepFolder) -> None:
    view = overview(finished)
    assert view.counts == {"queued": 0, "running": 0, "done": 1, "failed": 2, "killed": 0, "interrupted": 0}
    first, second, _ = view.rows
    assert (first.title, first.test, first.fraction) == ("mode=count", 0.07, 1.0)
    assert first.notebook == finished.jobs()[0].path / "notebook.ipynb"
    assert (second.place, second.test) == ("cell 3 of 4", None)
    assert view.left == 0


def test_progress_and_best_so_far_come_from_the_run(finished: SweepFolder, tmp_path: Path) -> None:
    job = Job(tmp_path / "one")
    (tmp_path / "one").mkdir()
    (tmp_path / "sweep.json").write_text('{"jobs": ["one"], "differing": [], "workers": 1}')
    record = finished.jobs()[0].record | {"labels": ["VPTSP-G", "default"], "parameters": {"seed": 1}}
    (job.path / "job.json").write_text(json.dumps(record))
    now = os.path.getmtime(job.path)
    job.write_status(
        state="running", attempts=1, error="", host="elsewhere", started=now - 30, heartbeat=4e9, cell=2, cells=9
    )
    view = overview(SweepFolder(tmp_path))
    assert (view.rows[0].title, view.rows[0].place, view.rows[0].fraction) == ("VPTSP-G, default", "cell 2 of 9", None)
    assert view.left is None
    progress = {"state": "training", "step": 5, "steps": 20, "epoch": 1, "epochs": 4, "seconds_left": 90.0}
    (job.path / "progress.json").write_text(json.dumps(progress))
    lines = [{"val_recall_at_1": 0.5}, {"val_recall_at_1": 0.75}, {"loss": 1.0}]
    (job.path / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines) + '{"val_rec')
    (row,) = overview(SweepFolder(tmp_path)).rows
    assert (row.place, row.fraction, row.metric, row.best) == ("epoch 1 of 4", 0.25, "recall_at_1", 0.75)
    assert row.seconds is not None
    assert row.left == 90.0


def test_epochs_before_a_pruning_do_not_count_once_the_model_trains_anew(tmp_path: Path) -> None:
    sweep = Sweeping(tmp_path / "sweep", [{"seed": 0}, {"seed": 1}, {"seed": 2}])
    pruning = Config(method="e2vpt", epochs=4).model_dump(mode="json")
    other = Config(method="vpt_deep", epochs=4).model_dump(mode="json")
    for number, (values, config) in enumerate((([0.6, 0.9], pruning), ([0.6, 0.9, 0.4], pruning), ([0.9, 0.4], other))):
        write_json(sweep.put(number, "running", val=values, epochs=4) / "config.json", config)
    assert [row.best for row in overview(sweep.folder).rows] == [0.9, 0.4, 0.9]
    write_json(sweep.jobs[1].path / "config.json", {"method": "e2vpt", "epochs": -1})  # of another version
    assert overview(sweep.folder).rows[1].best == 0.9


def test_time_left_is_divided_by_the_runs_at_once(finished: SweepFolder, tmp_path: Path) -> None:
    names = ["one", "two", "waits"]
    for name in names:
        (tmp_path / name).mkdir()
        (tmp_path / name / "job.json").write_text(json.dumps(finished.jobs()[0].record))
    for name in names[:2]:
        (tmp_path / name / "progress.json").write_text(
            json.dumps({"state": "training", "step": 5, "steps": 20, "epoch": 1, "epochs": 4, "seconds_left": 9e3})
        )
        started = time.time() - 3000
        status = {"state": "running", "attempts": 1, "error": "", "host": "elsewhere", "heartbeat": 4e9}
        Job(tmp_path / name).write_status(**status, started=started)
    left = {}
    for workers in (1, 2, None):  # none: Dask's workers come and go
        record = {"jobs": names, "differing": [], "workers": workers}
        (tmp_path / "sweep.json").write_text(json.dumps(record))
        left[workers] = overview(SweepFolder(tmp_path)).left
    assert left[1] is not None
    assert (left[2], left[None]) == (pytest.approx(left[1] / 2, rel=0.01),) * 2


def test_the_terminal_shows_a_table_or_a_line_per_change(finished: SweepFolder) -> None:
    plain = Console(width=150, force_terminal=False, record=True, file=open(os.devnull, "w"))  # noqa: SIM115
    with watching(plain) as watch:
        watch(finished)
        watch(finished)
    lines = plain.export_text().splitlines()
    assert len(lines) == 3
    assert lines[0].startswith("3/3  done  mode=count  0:")
    assert lines[0].endswith("recall_at_1 7.0 %")
    assert lines[1].endswith("ValueError: the loss is a fish")
    live = Console(width=150, height=24, force_terminal=True, record=True, file=open(os.devnull, "w"))  # noqa: SIM115
    with watching(live) as watch:
        watch(finished)
    assert "1 done, 2 failed" in live.export_text()
    live.print(table(overview(finished).rows))
    assert "the loss is a fish" in live.export_text()
    assert [duration(None), duration(59.9), duration(3661)] == ["", "0:00:59", "1:01:01"]


# --- command line -------------------------------------------------------------------------------------
def test_the_command_refuses_in_one_sentence_and_makes_nothing(tmp_path: Path) -> None:
    for words, complaint in {
        ("table1", "lr_prox=1"): "has no parameter lr_prox",
        ("table1", "method=linear"): "would have no effect, because list gives method to every run",
        ("table9",): "sweep 'table9' is not known",
        ("table1", "--workers", "0"): "workers=0 is too few",
        (str(tmp_path),): "is not the folder of a sweep",
    }.items():
        result = vptsp("sweep", *words, "--folder", tmp_path / "out")
        assert result.exit_code == 1
        assert complaint in result.output
        assert "Traceback" not in result.output
    (tmp_path / "many.yaml").write_text("notebook: 01_train\nseeds: 500\n")
    result = vptsp("sweep", tmp_path / "many.yaml", "--folder", tmp_path / "out")
    assert "the sweep asks for 500 runs; if you mean it, pass --yes" in result.output
    assert not (tmp_path / "out").exists()
    result = vptsp("sweep", tmp_path / "many.yaml", "--folder", tmp_path / "out", "--dry-run")
    assert "500 of 500 runs to do" in result.output
    assert not (tmp_path / "out").exists()
