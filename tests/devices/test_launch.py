"""How worlds come about (one call, torchrun, srun), and what is said where they do not."""

from __future__ import annotations

import os
import re
import signal
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from processes import READING, Process, vptsp
from processes import start as start_command
from trainings import contents, silent, words
from worlds import free_port, places, results, start

from vptsp.devices import launch
from vptsp.devices.alike import code_digest, require_alike
from vptsp.devices.surroundings import Place, is_first, surroundings
from vptsp.errors import ConfigError, DataError, UsageError
from vptsp.machine import require_devices
from vptsp.runs.progress import Event
from vptsp.runs.run import Run
from vptsp.settings.config import Config, make_config
from vptsp.training.loop import train

Tiny = Callable[..., Config]


# --- which process this is ------------------------------------------------------------------------------
def test_torchrun_srun_and_nobody_say_which_process_this_is() -> None:
    torchrun = {"RANK": "5", "WORLD_SIZE": "8", "LOCAL_RANK": "1", "LOCAL_WORLD_SIZE": "4"}
    srun = {"SLURM_STEP_NUM_TASKS": "8", "SLURM_STEP_NUM_NODES": "2", "SLURM_PROCID": "5", "SLURM_LOCALID": "1"}
    assert surroundings(torchrun) == Place(5, 8, 1, 4)
    assert surroundings(srun) == Place(5, 8, 1, 4, slurm=True)
    assert surroundings(torchrun).nodes == surroundings(srun).nodes == 2  # type: ignore[union-attr]
    assert surroundings({}) is None
    assert not is_first(torchrun)
    assert is_first({})
    # a script of sbatch has an allocation around it, and is one process
    assert surroundings({"SLURM_NTASKS": "8", "SLURM_PROCID": "0", "SLURM_LOCALID": "0"}) is None
    with pytest.raises(ConfigError, match=r"LOCAL_RANK=''.*start all of them with torchrun or srun"):
        surroundings({"RANK": "0", "WORLD_SIZE": "2"})
    with pytest.raises(ConfigError, match="srun started 7 tasks on 2 machines"):
        surroundings({**srun, "SLURM_STEP_NUM_TASKS": "7"})


def test_settings_that_several_devices_cannot_keep_are_refused() -> None:
    for settings, sentence in (
        ({"devices": 3, "batch_size": 2}, "batch_size=2 leaves some of 3 processes without an image"),
        ({"devices": 2, "drop_path": 0.1}, "drop_path=0.1 is drawn for each image"),
        ({"devices": 2, "feature_noise": 0.1}, "feature_noise=0.1 is drawn for each image"),
        ({"num_nodes": 2, "method": "mlp"}, "normalises over the whole batch"),
        ({"devices": 0}, "devices=0"),
    ):
        with pytest.raises(ConfigError, match=sentence):
            make_config({"images_per_class": 1, **settings})


def test_more_devices_than_there_are_are_refused_before_anything_is_written(
    tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(ConfigError, match="devices=4 are more than the 1 CUDA device"):
        train(tiny(devices=4, device="cuda"), tmp_path / "run")
    with pytest.raises(ConfigError, match="device='cuda:1' names one device"):
        require_devices("cuda:1", 2)
    with pytest.raises(ConfigError, match="num_nodes=2: one command starts the processes of one machine"):
        train(tiny(num_nodes=2), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_what_cannot_be_forked_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    assert launch.start_method("auto") == "fork"
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    assert launch.start_method("auto") == "spawn"
    with pytest.raises(ConfigError, match="cannot fork: CUDA is in use in this process already"):
        launch.start_method("fork")


def test_what_differs_between_processes_is_named() -> None:
    require_alike([{"code": "a", "settings": {"lr": 1}}] * 3)
    with pytest.raises(ConfigError, match="process 2 of 3 has other code than process 0; start all"):
        require_alike([{"code": "a"}, {"code": "a"}, {"code": "b"}])
    with pytest.raises(ConfigError, match=r"processes 1, 2 of 3 have other settings than process 0 \(lr 2 there, 1"):
        require_alike([{"settings": {"lr": 1}}, {"settings": {"lr": 2}}, {"settings": {"lr": 2}}])
    assert len(code_digest()) == 64


# --- one call --------------------------------------------------------------------------------------------


def beside_its_start(said: str) -> list[str]:
    """Lines of what a process said, without the one by which it begins."""
    return [line for line in said.strip().splitlines() if not line.endswith(READING)]


@pytest.mark.slow  # command lines; the test of worlds that are refused asks Python
def test_one_command_trains_on_two_devices(tiny: Tiny, tmp_path: Path) -> None:
    """Its processes are its own; one of them killed ends it with a sentence; it resumes, and says what one would."""
    run, log = tmp_path / "run", tmp_path / "log"
    settings = [*words(tiny(epochs=3, devices=2)), "--run-dir", str(run)]
    command = start_command(["train", *settings], log)
    first = pid_of(run)
    child = next(pid for pid in children(command.pid) if pid != first)
    os.kill(child, signal.SIGKILL)
    since = time.monotonic()
    command.join(40)
    assert time.monotonic() - since < 30
    assert command.exitcode == 1
    said = [line for line in log.read_text().splitlines() if line.startswith("Error")]
    assert len(said) == 1
    assert "process 1 of 2 was ended by SIGKILL" in said[0]
    assert f"vptsp train --resume {run}" in said[0]
    assert "Traceback" not in log.read_text()
    done = vptsp(["train", "--resume", str(run)], tmp_path / "resumed")
    assert done.code == 0, done.output
    assert [line.startswith("run: ") for line in done.output.splitlines()].count(True) == 1
    assert Run(run).is_finished()
    assert Run(run).summary()["processes"] == 2


def test_a_kernel_of_a_notebook_starts_processes_too(
    tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fabric refuses what it takes for a person's prompt, which the processes inherit from a kernel."""
    import lightning_fabric.connector

    monkeypatch.setattr(lightning_fabric.connector, "_IS_INTERACTIVE", True)
    run = train(tiny(epochs=1, devices=2, method="linear"), tmp_path / "run", observer=silent)
    assert run.summary()["processes"] == 2


def pid_of(run: Path) -> int:
    """Of the process that writes a run, once it has made a step."""
    for _ in range(600):
        if Run(run).progress().get("step", 0) >= 1:
            return int(Run(run).progress()["pid"])
        time.sleep(0.05)
    raise TimeoutError(run)


def children(pid: int) -> list[int]:
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def called(config: Config, folder: Path) -> dict[str, Any]:
    """Train by one call in a process with threads of its own, as a notebook's kernel; what its observer was told."""
    told: list[Event] = []
    done = threading.Event()
    thread = threading.Thread(target=done.wait)
    thread.start()
    run = train(config, folder, observer=told.append)
    done.set()
    thread.join()
    return {"path": run.path, "kinds": [event.kind for event in told], "pid": os.getpid()}


def test_a_call_tells_its_observer_what_happens_in_the_processes(tiny: Tiny, tmp_path: Path) -> None:
    """The observer is a closure, and may draw into a notebook's cell: it is called where it was made."""
    folder = tmp_path / "world"
    found = results(start(called, (tiny(epochs=1, devices=2), tmp_path / "run"), folder, [{}]), folder)[0]
    assert found["path"] == tmp_path / "run"
    assert found["kinds"] == ["start", *["step"] * 5, "epoch", "done"]
    assert Run(tmp_path / "run").progress()["pid"] != found["pid"]


def refused(config: Config, folder: Path, **changes: Any) -> str:
    try:
        train(config.changed(**changes) if changes else config, folder, observer=silent)
    except UsageError as error:
        return f"{type(error).__name__}: {error}"
    return ""


def test_a_broken_image_is_one_sentence_of_the_process_that_met_it(
    tiny: Tiny, image_folder: Path, tmp_path: Path
) -> None:
    import shutil

    shutil.copytree(image_folder, tmp_path / "images")
    for path in (tmp_path / "images" / "train").rglob("4.png"):
        path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(DataError, match=r"4\.png") as caught:
        train(tiny(epochs=1, devices=2, data_root=tmp_path / "images"), tmp_path / "run", observer=silent)
    assert "\n" not in str(caught.value)


def of_its_own_mind(config: Config, folder: Path) -> str:
    return refused(config.changed(lr=0.1 + int(os.environ["RANK"])), folder)


def test_worlds_that_cannot_be_are_refused_alike_and_leave_nothing(tiny: Tiny, tmp_path: Path) -> None:
    """Other settings; a port in use; a process that does not come; other devices than there are processes."""
    run = tmp_path / "run"
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        inhabited = places(2, taken.getsockname()[1])[:1]
        worlds_ = [
            (
                of_its_own_mind,
                tiny(),
                places(2),
                r"process 1 of 2 has other settings than process 0 \(lr 1.1 there",
            ),
            (
                refused,
                tiny(devices=4),
                places(2),
                "devices=4 and num_nodes=1 are asked for, and this process was",
            ),
            (refused, tiny(patience=1), places(2)[:1], r"not all of the 2 processes of this run met at 127\.0\.0\.1"),
            (refused, tiny(patience=1), inhabited, "is in use by another program; choose another"),
        ]
        folders = [tmp_path / str(number) for number in range(len(worlds_))]
        started = [
            start(function, (config, run), folder, environments)
            for folder, (function, config, environments, _) in zip(folders, worlds_, strict=True)
        ]
        for processes, folder, (*_, sentence) in zip(started, folders, worlds_, strict=True):
            said = results(processes, folder)
            assert said == [said[0]] * len(said)
            assert re.search(sentence, said[0])
            assert "\n" not in said[0]
    assert not run.exists()


# --- torchrun and srun -----------------------------------------------------------------------------------
def commands(arguments: list[list[str]], environments: list[dict[str, str]], folder: Path) -> list[Process]:
    folder.mkdir()
    found = []
    before = dict(os.environ)
    for rank, (words_, environment) in enumerate(zip(arguments, environments, strict=True)):
        os.environ.update(environment)
        try:
            found.append(start_command(words_, folder / f"{rank}.log"))
        finally:
            os.environ.clear()
            os.environ.update(before)
    return found


def ended(processes: list[Process], folder: Path) -> list[tuple[int | None, str]]:
    for process in processes:
        process.join(90)
        process.kill()
    return [(process.exitcode, (folder / f"{rank}.log").read_text()) for rank, process in enumerate(processes)]


@pytest.mark.slow
def test_srun_and_torchrun_start_the_same_command_with_nothing_else_to_change(tiny: Tiny, tmp_path: Path) -> None:
    port = free_port()
    slurm = {"SLURM_STEP_NUM_TASKS": "2", "SLURM_STEP_NUM_NODES": "1", "SLURM_NTASKS": "2", "SLURM_NNODES": "1"}
    slurm |= {"SLURM_NODELIST": "127.0.0.1", "SLURM_JOB_NAME": "x", "SLURM_NODEID": "0", "GLOO_SOCKET_IFNAME": "lo"}
    srun = [{**slurm, "SLURM_PROCID": str(r), "SLURM_LOCALID": str(r), "MASTER_PORT": str(port)} for r in range(2)]
    for name, environments in (("torchrun", places(2)), ("srun", srun)):
        run = tmp_path / f"run of {name}"
        arguments = ["train", *words(tiny(epochs=1)), "--run-dir", str(run)]
        (code, first), (other, second) = ended(
            commands([arguments] * 2, environments, tmp_path / name), tmp_path / name
        )
        assert (code, other) == (0, 0), first + second
        assert f"run: {run}" in first
        assert second == ""
        assert Run(run).config.devices == 2
    ours, theirs = (contents(Run(tmp_path / f"run of {name}"))["tensors"] for name in ("torchrun", "srun"))
    assert all(torch.equal(value, theirs[name]) for name, value in ours.items())


@pytest.mark.slow  # command lines; the test of worlds that are refused asks Python
def test_processes_of_another_mind_are_refused_in_one_sentence(tiny: Tiny, tmp_path: Path) -> None:
    """Other settings; another number of devices than were started. Nothing is written."""
    run = tmp_path / "run"
    one, two = (["train", *words(tiny(epochs=1, lr=lr)), "--run-dir", str(run)] for lr in (0.1, 0.2))
    many = ["train", *words(tiny(epochs=1, devices=4)), "--run-dir", str(run)]
    for name, arguments, sentence in (
        ("settings", [one, two], "process 1 of 2 has other settings than process 0 (lr 0.2 there, 0.1 here)"),
        ("devices", [many, many], "devices=4 and num_nodes=1 are asked for, and this process was started as one of 2"),
    ):
        (code, first), (other, second) = ended(commands(arguments, places(2), tmp_path / name), tmp_path / name)
        assert (code, other) == (1, 1)
        assert sentence in first.replace("\n", " ")
        assert len(beside_its_start(first)) == 1
        assert second == ""
    assert not run.exists()


@pytest.mark.slow  # command lines; the test of worlds that are refused asks Python
def test_a_port_in_use_and_a_process_that_does_not_come_are_one_sentence(tiny: Tiny, tmp_path: Path) -> None:
    run = tmp_path / "run"
    arguments = ["train", *words(tiny(patience=3)), "--run-dir", str(run)]
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        inhabited = places(2, taken.getsockname()[1])[:1]
        (code, said) = ended(commands([arguments], inhabited, tmp_path / "port"), tmp_path / "port")[0]
    assert code == 1
    assert "is in use by another program" in said
    assert len(beside_its_start(said)) == 1
    since = time.monotonic()
    (code, said) = ended(commands([arguments], places(2)[:1], tmp_path / "missing"), tmp_path / "missing")[0]
    assert time.monotonic() - since < 30
    assert code == 1
    assert "not all of the 2 processes of this run met at 127.0.0.1:" in said
    assert len(beside_its_start(said)) == 1
    assert not run.exists()
