"""Several processes give the numbers of one: every gradient, whole trainings, metrics, and what is resumed elsewhere.

In float64, over gloo. Worlds are forked from the tests' server, and each answers many questions.
"""

from __future__ import annotations

import pickle
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from steps import compared_steps, embedded, killed, trained, trained_warily
from trainings import contents
from worlds import in_world, places, start

from vptsp.devices.gather import counts, share
from vptsp.runs.run import Run
from vptsp.settings.config import Config

Tiny = Callable[..., Config]

CASES: dict[str, dict[str, Any]] = {
    "gru": {"method": "vptsp_g", "gru_dropout": 0.4},
    "moving average": {"method": "vptsp_m", "bitfit": False},
    "rows": {"class_prompt_updates": "rows"},
    "prompt dropout": {"prompt_dropout": 0.5},
    "encoder": {"semantic_source": "encoder"},
    "samples": {"method": "vptsp_m", "semantic_source": "samples"},
    "proxies of the batch": {"loss_proxies": "batch"},
    "held apart": {"anti_collapse": 0.1},
    "image anchor": {"loss": "image_anchor"},
    "softmax": {"method": "vpt_shallow", "loss": "normalized_softmax"},
    "attention unit": {"semantic_unit": "attention"},
    "adapter": {"method": "adapter", "adapter_norm": "pre"},
    "full": {"method": "full"},
    "guided prompts": {"method": "davpt_dml", "guided_patch": "prompt_output"},
    "classifier": {"method": "vpt_bias", "task": "recognition"},
    "proxies as classes": {"task": "recognition"},
    "sharded": {"proxies": "sharded"},
    "sharded, all classes": {"proxies": "sharded", "positive_mean": "all", "class_prompt_updates": "rows"},
    "sharded, proxies of the batch": {"proxies": "sharded", "loss_proxies": "batch"},
    "sharded image anchor": {"proxies": "sharded", "loss": "image_anchor"},
    "sharded softmax": {"proxies": "sharded", "loss": "normalized_softmax", "method": "vptsp_m"},
    "sharded proxy-nca": {"proxies": "sharded", "loss": "proxy_nca", "method": "vpt_deep", "anti_collapse": 0.1},
    "sharded in parts": {"proxies": "sharded", "images_per_pass": 1},
    "in parts": {"images_per_pass": 1},
    "rows in parts": {"images_per_pass": 2, "class_prompt_updates": "rows"},
    "guided in parts": {"method": "davpt_dml", "images_per_pass": 1},
    "classifier in parts": {"method": "vpt_bias", "task": "recognition", "images_per_pass": 2},
}
CHECKPOINT = "checkpoint/last/tensors.safetensors"
CLIPPED = {"grad_clip": 1.0, "optimizer": "sgd"}


slow = pytest.mark.slow
LONG: dict[str, Any] = {"epochs": 3, "grad_clip": 5.0, "select_finish": "whitened", "weight_average": 0.9}
A_FEW = ("gru", "rows", "in parts", "sharded image anchor")


@pytest.mark.parametrize(
    ("size", "names"),
    [
        (3, CASES),
        pytest.param(4, A_FEW, marks=slow),
        pytest.param(2, CASES, marks=slow),
        pytest.param(4, CASES, marks=slow),
    ],
    ids=["3", "4", "all-2", "all-4"],
)
def test_loss_and_every_gradient_are_those_of_one_process(
    tiny: Tiny, tmp_path: Path, size: int, names: Iterable[str]
) -> None:
    """A batch of 8 is not divisible by 3; what is random is drawn as by one process; the norm is that of the whole."""
    configs = {name: tiny(**CLIPPED | CASES[name]) for name in names}
    found = in_world(size, compared_steps, configs, folder=tmp_path)
    for name in names:
        first = found[0][name]
        assert first["error"] < 1e-10, f"{name}: {first}"
        assert first["compared"] > 8, f"{name}: {first}"
        assert first["largest"] > 1, f"{name}: {first}"
        assert len({each[name]["digest"] for each in found}) == 1, f"{name}: not the same bits in all processes"


@pytest.fixture(scope="module")
def one(tiny: Tiny, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Three epochs of one process."""
    folder = tmp_path_factory.mktemp("one") / "run"
    assert trained(tiny(**LONG), folder) == ""
    return Run(folder)


def assert_ends_alike(run: Run, one: Run, within: float = 1e-8) -> None:
    """All tensors and metrics of a run but those of time; random states exactly."""
    ours, theirs = contents(run), contents(one)
    for found in (ours, theirs):
        found["tensors"].pop(f"{CHECKPOINT}:bank.current", None)
    assert ours["tensors"].keys() == theirs["tensors"].keys()
    for name, value in theirs["tensors"].items():
        if value.is_floating_point():
            torch.testing.assert_close(ours["tensors"][name], value, rtol=0, atol=within, msg=lambda m, n=name: n + m)
        else:
            assert torch.equal(ours["tensors"][name], value), name
    for line, expected in zip(ours["lines"], theirs["lines"], strict=True):
        assert line == pytest.approx(expected, abs=1e-6), "a line of metrics.jsonl"
    assert ours["summary"]["test"] == theirs["summary"]["test"]
    assert ours["summary"]["selected"] == theirs["summary"]["selected"]


@pytest.mark.parametrize("size", [3, pytest.param(2, marks=slow), pytest.param(4, marks=slow)])
def test_three_epochs_end_where_one_process_ends(tiny: Tiny, tmp_path: Path, one: Run, size: int) -> None:
    said = in_world(size, trained, tiny(**LONG), tmp_path / "run", folder=tmp_path / "world")
    assert said == [""] * size
    run = Run(tmp_path / "run")
    assert_ends_alike(run, one)
    assert run.summary()["processes"] == run.config.devices == size
    assert sorted(path.name for path in run.path.iterdir()) == sorted(path.name for path in one.path.iterdir())


def test_several_processes_undo_the_epoch_that_one_undoes(tiny: Tiny, tmp_path: Path) -> None:
    config = tiny(epochs=4, val_fraction=0.3, lr=0.3, seed=1)
    assert trained_warily(config, tmp_path / "one") == ""
    assert in_world(2, trained_warily, config, tmp_path / "run", folder=tmp_path / "world") == ["", ""]
    one = Run(tmp_path / "one")
    assert any("back_to" in line for line in one.metrics())
    assert_ends_alike(Run(tmp_path / "run"), one)


def test_several_processes_prune_the_prompts_that_one_prunes(tiny: Tiny, tmp_path: Path) -> None:
    settings = {"method": "e2vpt", "epochs": 3, "prune_after": 1, "val_fraction": 0.0, "num_prompts": 4}
    assert trained(tiny(**settings), tmp_path / "one") == ""
    assert in_world(2, trained, tiny(**settings), tmp_path / "run", folder=tmp_path / "world") == ["", ""]
    one = Run(tmp_path / "one")
    assert set(one.summary()["pruned"]["tokens_left"]) == {2}
    assert_ends_alike(Run(tmp_path / "run"), one)


@slow
def test_a_run_saved_by_four_resumes_with_three_and_with_one(tiny: Tiny, tmp_path: Path, one: Run) -> None:
    """Stopped in the middle of an epoch; it ends where the undisturbed run does, to what summation order allows."""
    run = tmp_path / "run"
    said = in_world(4, trained, tiny(**LONG), run, 6, folder=tmp_path / "four")
    assert said == [said[0]] * 4
    assert "stopped in epoch 2 of 3 after batch 2 of 5" in said[0]
    shutil.copytree(run, tmp_path / "again")
    assert in_world(3, trained, None, run, folder=tmp_path / "three") == [""] * 3
    assert_ends_alike(Run(run), one)
    assert trained(None, tmp_path / "again", devices=1) == ""
    assert_ends_alike(Run(tmp_path / "again"), one)


@slow
def test_a_run_resumed_with_as_many_processes_draws_what_it_would_have_drawn(tiny: Tiny, tmp_path: Path) -> None:
    """Not to the same bits: DistributedDataParallel orders its sums anew after the first step of a process."""
    config = tiny(epochs=2, gru_dropout=0.3, prompt_dropout=0.2)
    for name, stop in (("whole", None), ("stopped", 6)):
        in_world(3, trained, config, tmp_path / name, stop, folder=tmp_path / f"world {name}")
    assert in_world(3, trained, None, tmp_path / "stopped", folder=tmp_path / "again") == [""] * 3
    assert_ends_alike(Run(tmp_path / "stopped"), Run(tmp_path / "whole"))


@pytest.mark.parametrize("place", ["disk", pytest.param("host", marks=slow)])
def test_class_prompts_by_rows_are_kept_by_their_owners(tiny: Tiny, tmp_path: Path, place: str) -> None:
    """Stopped with three processes and resumed with two, the bank is that of one process, and so is all else."""
    config = tiny(class_prompt_updates="rows", class_prompts_on=place)
    assert trained(config, tmp_path / "one") == ""
    said = in_world(3, trained, config, tmp_path / "run", 6, folder=tmp_path / "three")
    assert "stopped in epoch 2 of 2" in said[0]
    assert in_world(2, trained, None, tmp_path / "run", folder=tmp_path / "two") == [""] * 2
    one, run = Run(tmp_path / "one"), Run(tmp_path / "run")
    assert_ends_alike(run, one)
    assert load_file(run.path / CHECKPOINT)["bank.steps"].min() >= 1, "every class has been met"
    np.testing.assert_allclose(records(run, place), records(one, place), rtol=0, atol=1e-8)


def records(run: Run, place: str) -> np.ndarray:
    """Class prompts and what the optimiser knows of them, a row per class."""
    tensors = load_file(run.path / CHECKPOINT)
    classes = len(tensors["bank.steps"])
    if place == "host":
        return np.fromfile(run.path / "checkpoint/last/class_prompts.bank").reshape(classes, -1)
    # which of its two places a class uses depends on when checkpoints were made; the checkpoint says so
    both = np.fromfile(run.path / "class_prompts.bank").reshape(classes, 2, -1)
    return both[range(classes), tensors["bank.current"].long()]


@pytest.mark.parametrize("rank", [1, pytest.param(0, marks=slow)])
def test_a_killed_process_ends_the_others_with_one_sentence(tiny: Tiny, tmp_path: Path, one: Run, rank: int) -> None:
    run, folder = tmp_path / "run", tmp_path / "world"
    processes = start(killed, (tiny(**LONG), run, rank, 7), folder, places(3))
    processes[rank].join(60)
    assert processes[rank].exitcode == -9
    alive = [process for number, process in enumerate(processes) if number != rank]
    logs = {process.pid: folder / f"{number}.log" for number, process in enumerate(processes)}
    for process in alive:
        process.join(40)
        assert process.exitcode == 0, logs[process.pid].read_text()
    for number in {0, 1, 2} - {rank}:
        sentence, seconds = pickle.loads((folder / f"{number}.result").read_bytes())
        assert sentence.startswith("LostProcess: ")
        assert "gone or does not answer" in sentence
        assert f"vptsp train --resume {run}" in sentence
        assert seconds < 30
    assert Run(run).state() == ("failed" if rank else "killed")
    assert trained(None, run, devices=1) == ""
    assert_ends_alike(Run(run), one)


@pytest.mark.parametrize("size", [3, pytest.param(2, marks=slow), pytest.param(4, marks=slow)])
def test_metrics_are_exactly_those_of_one_process(tiny: Tiny, tmp_path: Path, size: int) -> None:
    """40 images in batches of 3 are 14 batches, the last of one image, for 1, 2, 3 and 4 processes."""
    alone = embedded(tiny())
    assert set(alone["metrics"]) >= {"recall_at_1", "map_at_r"}
    for found in in_world(size, embedded, tiny(), folder=tmp_path):
        assert found == alone


def test_parts_of_a_batch_are_the_batch() -> None:
    for total in (1, 2, 7, 8, 64):
        for size in (1, 2, 3, 4, 7):
            rows = np.arange(total)
            parts = [rows[share(total, rank, size)] for rank in range(size)]
            assert np.concatenate(parts).tolist() == rows.tolist()
            assert [len(part) for part in parts] == counts(total, size)
            assert max(map(len, parts)) - min(map(len, parts)) <= 1
