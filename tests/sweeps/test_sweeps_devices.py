"""Runs of several devices: each takes the places of as many workers, and they live and die together."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner
from rich.console import Console
from toys import PARAMETERS, RESULT, WORK, is_alive, orphans, wait_for, write_notebook

from vptsp.cli import main
from vptsp.errors import ConfigError
from vptsp.runs.run import Run
from vptsp.settings.config import Config
from vptsp.sweeps import Sweep, SweepFolder, make_plan, overview, read_ledger, run_sweep
from vptsp.sweeps.places import Room, gpus_in_words, joined, local_places, places_for
from vptsp.sweeps.supervisor import Place
from vptsp.sweeps.terminal import table


# --- places ---------------------------------------------------------------------------------------------
def test_a_run_takes_different_gpus_and_waits_for_its_turn() -> None:
    room = Room(local_places(4, 1, ["0", "1"]))  # two workers on each GPU
    order: list[str] = []
    entered = {name: threading.Event() for name in "abc"}
    leave = {name: threading.Event() for name in "abc"}

    def run(name: str, devices: int) -> None:
        with room.taken(devices) as place:
            order.append(f"{name} {place.gpu}")
            entered[name].set()
            leave[name].wait(60)

    threads = []
    for name, devices in (("a", 1), ("b", 1), ("c", 2)):
        threads.append(threading.Thread(target=run, args=(name, devices)))
        threads[-1].start()
        if name != "c":
            entered[name].wait(60)
    entered["c"].wait(60)
    assert sorted(order) == ["a 0", "b 1", "c 0,1"]
    for event in leave.values():
        event.set()
    for thread in threads:
        thread.join()
    with room.taken(1) as first, room.taken(2) as second, room.taken(1) as third:
        assert sorted([first.gpu or "", *(second.gpu or "").split(","), third.gpu or ""]) == ["0", "0", "1", "1"]


def test_a_large_run_is_not_passed_by_small_ones() -> None:
    room = Room(local_places(2, 1, ()))
    order: list[str] = []

    def run(name: str, devices: int) -> None:
        with room.taken(devices):
            order.append(name)

    with room.taken(1):
        large = threading.Thread(target=run, args=("large", 2))
        large.start()
        wait_for("the large run to wait", lambda: len(room._waiting) == 1)
        small = threading.Thread(target=run, args=("small", 1))  # for which there would be room
        small.start()
        wait_for("the small run to wait", lambda: len(room._waiting) == 2)
        assert order == []
    large.join()
    small.join()
    assert order == ["large", "small"]


def test_joined_places_name_all_gpus() -> None:
    assert joined([Place(1, 2, "3"), Place(2, 2, "5")]) == Place(1, 2, "3,5")
    assert joined([Place(1, 2), Place(2, 2)]) == Place(1, 2)
    assert Place(1, 2, "3,5").environment()["CUDA_VISIBLE_DEVICES"] == "3,5"


@pytest.mark.parametrize(
    ("visible", "parameters", "named", "used", "workers"),
    [
        (3, {}, (), ["0", "1", "2"], None),  # each of them would take the first
        (2, {}, (), ["0", "1", "0"], 3),
        (3, {"device": "cuda"}, ("2",), ["2"], None),
        (3, {"device": "cpu"}, (), [None] * 4, None),
        (3, {"device": "cuda:1"}, (), [None] * 4, None),  # it says which, and of one visible none is the second
        (1, {}, (), [None] * 4, None),
        (0, {}, (), [None] * 4, None),
    ],
)
def test_runs_of_one_device_are_spread_over_several_gpus(
    monkeypatch: pytest.MonkeyPatch,
    visible: int,
    parameters: dict[str, Any],
    named: tuple[str, ...],
    used: list[str | None],
    workers: int | None,
) -> None:
    monkeypatch.setattr("vptsp.sweeps.places.cores", lambda: 8)
    monkeypatch.setattr("vptsp.sweeps.places._has_drivers", lambda: True)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: visible)
    plan = make_plan(Sweep("01_train", parameters=parameters, grid={"lr": [0.1, 0.2, 0.3]}))
    places = places_for(plan, workers, None, named)
    assert [place.gpu for place in places] == used
    spread = any(used) and not named
    assert bool(gpus_in_words(places, named)) == spread


def test_the_command_says_which_gpus_it_spreads_over(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("vptsp.sweeps.places._has_drivers", lambda: True)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "5,7")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    for words in (["sweep", "table1"], ["tune", "method=linear"]):
        result = CliRunner().invoke(main, [*words, "--folder", str(tmp_path / "out"), "--dry-run"])
        assert "runs are spread over GPUs 5, 7; --gpus chooses among them" in result.output


@pytest.mark.notebooks
def test_a_notebook_without_settings_is_left_where_it_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("vptsp.sweeps.places._has_drivers", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    notebook = write_notebook(tmp_path / "toy.ipynb", PARAMETERS, WORK, RESULT)
    assert {place.gpu for place in places_for(make_plan(Sweep(str(notebook), grid={"x": [1, 2]})), 2, 1, ())} == {None}


def test_what_finds_no_room_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def places(workers: int | None = None, gpus: tuple[str, ...] = (), **parameters: Any) -> list[Place]:
        return places_for(make_plan(Sweep("01_train", parameters=parameters)), workers, 1, gpus)

    monkeypatch.setattr("vptsp.sweeps.places.cores", lambda: 2)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    assert len(places(devices=3, device="cpu")) == 3  # processors take any number of processes
    assert [place.gpu for place in places(devices=2)] == ["0", "1", "2", "3"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,5,6,7")
    assert [place.gpu for place in places(devices=2)] == ["4", "5", "6", "7"]
    with pytest.raises(ConfigError, match=r"workers=1 is too few for a run of devices=2, which takes the places of 2"):
        places(1, devices=2, device="cpu")
    with pytest.raises(
        ConfigError, match=r"devices=8 are more than the GPUs that 4 workers take of 4, 5, 6, 7; use as"
    ):
        places(devices=8)
    with pytest.raises(ConfigError, match=r"devices=2 are more than the GPUs that 2 workers take of 0, 0, 1"):
        places(2, ("0", "0", "1"), devices=2)
    with pytest.raises(
        ConfigError, match=r"num_nodes=2: a sweep starts the processes of a run on one machine; use num"
    ):
        places(num_nodes=2)
    words = ["sweep", "table1", "--folder", str(tmp_path / "out"), "devices=8", "--gpus", "0,1", "--dry-run"]
    result = CliRunner().invoke(main, words)
    assert (result.exit_code, "devices=8 are more than the GPUs" in result.output) == (1, True), result.output


# --- runs -----------------------------------------------------------------------------------------------
@pytest.mark.notebooks
def test_no_more_devices_compute_than_there_are_workers(tmp_path: Path) -> None:
    parameters = f"{PARAMETERS}devices: int = 1  # processes\n"
    notebook = write_notebook(tmp_path / "toy.ipynb", parameters, WORK, RESULT)
    busy: list[int] = []

    def count(folder: SweepFolder) -> None:
        busy.append(sum(job.devices for job in folder.jobs() if job.status()["state"] == "running"))

    sweep = Sweep(str(notebook), grid={"devices": [1, 2], "x": [1, 2]}, parameters={"steps": 30})
    folder = run_sweep(sweep, tmp_path / "sweep", workers=2, watch=count)
    assert max(busy) <= 2
    view = overview(folder)
    assert [row.state for row in view.rows] == ["done"] * 4
    assert sorted(row.devices for row in view.rows) == [1, 1, 2, 2]
    assert sorted(line["devices"] for line in read_ledger(folder.path / "ledger.jsonl")) == [1, 1, 2, 2]
    spans = [(s["started"], s["finished"], job.devices) for job in folder.jobs() for s in [job.status()]]
    for start, end, devices in spans:
        if devices == 2:  # nothing else ran beside it
            assert not [other for other in spans if other != (start, end, devices) and start < other[0] < end]
    console = Console(width=150, record=True, file=open(os.devnull, "w"))  # noqa: SIM115
    console.print(table(view.rows))
    assert "devices" in console.export_text()


@pytest.mark.slow
@pytest.mark.notebooks
@pytest.mark.parametrize("whom", ["the kernel", "a process of it"])
def test_processes_of_a_run_die_together_and_it_resumes(tiny: Callable[..., Config], tmp_path: Path, whom: str) -> None:
    settings = tiny(method="linear", epochs=30, devices=2).model_dump(mode="json", exclude_unset=True)
    sweep = Sweep("01_train", parameters=settings | {"projection": "pca", "baselines": False})
    killed: list[int] = []
    family: set[int] = set()

    def kill(folder: SweepFolder) -> None:
        (job,) = folder.jobs()
        progress = job.progress()
        if not killed and progress.get("state") == "training" and len(job.curve()) >= 2:
            parent = parent_of(progress["pid"])  # the first process writes; the kernel has started both
            family.update({parent, *children(parent)})
            victim = parent if whom == "the kernel" else next(p for p in children(parent) if p != progress["pid"])
            killed.append(victim)
            os.kill(victim, signal.SIGKILL)

    folder = run_sweep(sweep, tmp_path / "sweep", watch=kill)
    (job,) = folder.jobs()
    assert len(family) == 3
    assert job.status()["state"] == ("killed" if whom == "the kernel" else "failed"), job.status()
    wait_for("all of its processes to end", lambda: not [pid for pid in family if is_alive(pid)], 30)
    assert 2 <= len(job.curve()) < 30
    run_sweep(folder.path, any_code=True, retry_failed=True)
    assert job.status()["state"] == "done", job.status()
    assert Run.open(job.path).summary()["processes"] == 2
    assert [line["epoch"] for line in job.curve()] == list(range(1, 31))
    (line,) = read_ledger(folder.path / "ledger.jsonl")
    assert (line["devices"], line["parameters"]["devices"]) == (2, 2)
    assert orphans(folder.path) == []


def parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def children(pid: int) -> list[int]:
    """Processes of all threads: notebooks run cells in one of their own at times."""
    tasks = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(each) for task in tasks for each in task.read_text().split()]
