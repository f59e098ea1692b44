"""Class prompts by rows: banks in memory and on disk, the row-wise optimiser, and runs that are killed."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path

import hypothesis
import numpy as np
import processes
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from processes import SignalAfter
from trainings import PER_EPOCH, assert_identical, silent, words

from vptsp.core.backbones.load import load_backbone
from vptsp.core.prompts.bank import FILE, Bank, DiskBank, MemoryBank
from vptsp.core.prompts.classes import ClassPromptRows
from vptsp.errors import ConfigError, RunError
from vptsp.runs.checkpoints import load_training
from vptsp.runs.progress import Event
from vptsp.runs.run import Run
from vptsp.settings.build import build_model
from vptsp.settings.config import Config, make_config
from vptsp.training.guards import TrainingStopped
from vptsp.training.loop import train
from vptsp.training.objective import make_objective
from vptsp.training.optimizers import RowOptimizer
from vptsp.training.session import Session

Tiny = Callable[..., Config]
CLASSES, SLOTS, FLOATS = 5, 2, 3
CPU = torch.device("cpu")


def start(label: int) -> torch.Tensor:
    return torch.full((FLOATS,), float(label))


def make_bank(kind: str, folder: Path) -> Bank:
    if kind == "disk":
        return DiskBank(CLASSES, SLOTS, FLOATS, start, folder / FILE)
    bank = MemoryBank(CLASSES, SLOTS, FLOATS, start, CPU if kind == "device" else None)
    if kind == "host":  # as pinned memory is laid out
        bank.per_block, bank.blocks = 2, list(bank.blocks[0].split(2))
    return bank


def everything(bank: Bank) -> torch.Tensor:
    return bank.read(torch.arange(CLASSES))


# --- banks ----------------------------------------------------------------------------------------
@pytest.mark.parametrize("kind", ["device", "host", "disk"])
@hypothesis.settings(max_examples=40)
@given(data=st.data())
def test_a_bank_holds_what_was_written_and_falls_back_to_its_checkpoint(
    kind: str, data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Random writes, checkpoints and deaths, beside a plain tensor."""
    folder = tmp_path_factory.mktemp("bank")
    bank, truth = make_bank(kind, folder), torch.zeros(CLASSES, SLOTS, FLOATS)
    truth[:, 0] = torch.arange(CLASSES).float()[:, None]
    counts, saved = torch.zeros(CLASSES, dtype=torch.long), None
    for _ in range(data.draw(st.integers(1, 12))):
        action = data.draw(st.sampled_from(["write", "write", "save", "save and die", "die"]))
        if action == "write":
            classes = torch.tensor(sorted(data.draw(st.sets(st.integers(0, CLASSES - 1), min_size=1))))
            assert torch.equal(bank.read(classes), truth[classes])
            truth[classes] = torch.randn(len(classes), SLOTS, FLOATS)
            counts[classes] += 1
            bank.write(classes, truth[classes])
        elif action.startswith("save"):
            place = folder / str(data.draw(st.uuids()))
            place.mkdir()
            tensors = {name: value.clone() for name, value in bank.save(place).items()}
            if action == "save":  # otherwise the checkpoint got its place, and the process died before it knew
                bank.commit()
            saved = (place, tensors, truth.clone(), counts.clone())
        if action.endswith("die") and saved is not None:
            place, tensors, truth, counts = saved[0], saved[1], saved[2].clone(), saved[3].clone()
            bank = make_bank(kind, folder)
            bank.load(place, tensors)
        assert torch.equal(everything(bank), truth)
        assert torch.equal(bank.steps, counts)


def test_a_record_cut_off_in_writing_is_not_read(tmp_path: Path) -> None:
    bank = make_bank("disk", tmp_path)
    bank.write(torch.tensor([1]), torch.ones(1, SLOTS, FLOATS))
    tensors = {name: value.clone() for name, value in bank.save(tmp_path).items()}
    bank.commit()
    bank.file.file.seek((2 * 1 + 0) * bank.file.bytes)
    bank.file.file.write(b"\xff" * (bank.file.bytes // 2))  # what a killed run leaves of its next record
    again = make_bank("disk", tmp_path)
    again.load(tmp_path, tensors)
    assert torch.equal(everything(again)[1], torch.ones(SLOTS, FLOATS))


def test_a_bank_file_that_is_gone_or_short_is_refused_every_time(tmp_path: Path) -> None:
    bank = make_bank("disk", tmp_path)
    bank.write(torch.tensor([1]), torch.ones(1, SLOTS, FLOATS))
    tensors = bank.save(tmp_path)
    with (tmp_path / FILE).open("r+b") as file:
        file.truncate(10)
    for _ in range(2):
        with pytest.raises(RunError, match=r"class_prompts\.bank is missing or cut off, and the checkpoint needs it"):
            make_bank("disk", tmp_path).load(tmp_path, tensors)
    (tmp_path / FILE).unlink()
    for _ in range(2):
        with pytest.raises(RunError, match="is missing or cut off"):
            make_bank("disk", tmp_path).load(tmp_path, tensors)


def test_too_little_room_is_said_before_anything_is_written(tmp_path: Path) -> None:
    bank = DiskBank(2, 3, 10**13, start, tmp_path / FILE)
    with pytest.raises(RunError, match=r"need \d+\.\d GiB in .*choose a run directory on another disk, or class_pr"):
        bank.write(torch.tensor([0]), torch.zeros(1, 3, 1))


def test_a_bank_takes_the_disk_space_of_what_was_written(tmp_path: Path) -> None:
    bank = DiskBank(1000, 1, 2**18, lambda label: torch.zeros(2**18), tmp_path / FILE)  # 2 GiB in all
    bank.write(torch.tensor([999]), torch.ones(1, 1, 2**18))
    assert bank.file.path.stat().st_size == 2 * 1000 * 2**20
    assert bank.file.path.stat().st_blocks * 512 < 2**22


# --- rows and their optimiser ---------------------------------------------------------------------
def make_rows(config: Config, classes: int = 6, place: str = "device", seed: int = 3) -> ClassPromptRows:
    slots = config.optimizer_slots
    return ClassPromptRows([2, 1], 4, classes, "shared", seed=seed, slots=slots, place=place)  # type: ignore[arg-type]


RULES = [
    {"optimizer": "sgd", "momentum": 0.0}, {"optimizer": "sgd"}, {"optimizer": "sgd", "weight_decay": 0.1},
    {"optimizer": "adam", "weight_decay": 0.1}, {"optimizer": "adamw", "weight_decay": 0.1}, {"optimizer": "adamw"},
]  # fmt: skip


def torch_rule(config: Config, parameters: list[torch.nn.Parameter]) -> torch.optim.Optimizer:
    if config.optimizer == "sgd":
        return torch.optim.SGD(parameters, config.lr, config.momentum, weight_decay=config.weight_decay)
    kind = torch.optim.Adam if config.optimizer == "adam" else torch.optim.AdamW
    return kind(parameters, config.lr, weight_decay=config.weight_decay)


@pytest.mark.parametrize("place", ["device", "disk"])
@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("whole", [True, False])
def test_rows_step_as_if_each_had_an_optimiser_of_its_own(rule: dict, whole: bool, place: str) -> None:
    """Of torch, over random batches of classes; where each batch holds all classes, one dense optimiser does."""
    config = make_config(rule | {"lr": 0.05})
    rows, classes = make_rows(config, place=place), 6
    optimizer = RowOptimizer(rows, config)
    rows.fetch(torch.arange(classes))
    values = rows.leaves[0].detach().clone()
    if whole:
        oracle = torch.nn.Parameter(values)
        theirs = [torch_rule(config, [oracle])] * classes
    else:
        oracles = [torch.nn.Parameter(row.clone()) for row in values]
        theirs = [torch_rule(config, [row]) for row in oracles]
    generator = torch.Generator().manual_seed(0)
    for step in range(9):
        batch = torch.randperm(classes, generator=generator)[: classes if whole else 1 + step % 4].sort().values
        gradient = torch.randn(len(batch), values.shape[1], generator=generator)
        rows.fetch(batch)
        loss = torch.cat([part.flatten(1) for part in rows(batch)], dim=1).mul(gradient).sum()
        loss.backward()
        optimizer.param_groups[0]["lr"] = lr = 0.05 / (step + 1)
        optimizer.step()
        optimizer.zero_grad()
        for rule_of_class in theirs:
            rule_of_class.param_groups[0]["lr"] = lr
        if whole:
            oracle.grad = gradient
            theirs[0].step()
        else:
            for label, row in zip(batch.tolist(), gradient, strict=True):
                oracles[label].grad = row
                theirs[label].step()
    rows.fetch(torch.arange(classes))
    torch.testing.assert_close(
        rows.leaves[0].detach(), oracle.data if whole else torch.stack([r.data for r in oracles])
    )


def test_a_part_of_the_batch_gets_its_own_rows_and_gradients() -> None:
    rows = make_rows(make_config({}))
    rows.fetch(torch.tensor([1, 2, 4]))
    whole = rows(torch.tensor([1, 2, 4]))
    part = rows(torch.tensor([1, 4]))
    assert [p.shape for p in part] == [(2, 2, 4), (2, 1, 4)]
    assert all(torch.equal(p, w[[0, 2]]) for p, w in zip(part, whole, strict=True))
    sum(p.sum() for p in part).backward()
    assert rows.leaves[0].grad.sum(1).tolist() == [12, 0, 12]


@pytest.mark.parametrize("init", ["shared", "published"])
def test_starts_depend_on_seed_and_class_alone_and_have_the_published_spread(init: str) -> None:
    def values(seed: int, classes: torch.Tensor) -> torch.Tensor:
        rows = ClassPromptRows([40, 10], [64, 128], 50, init, seed=seed, slots=2, place="host")
        rows.fetch(classes)
        return rows.leaves[0].detach()

    some = values(0, torch.tensor([3, 7]))
    assert torch.equal(values(0, torch.tensor([7]))[0], some[1])
    assert not np.intersect1d(some[0], some[1]).size
    assert not torch.equal(values(1, torch.tensor([7]))[0], some[1])
    others = 50 if init == "published" else 1
    for part, count, width in zip(
        values(0, torch.arange(50)).split([40 * 64, 10 * 128], 1), (40, 10), (64, 128), strict=True
    ):
        assert part.std().item() == pytest.approx((2 / ((count + others) * width)) ** 0.5, rel=0.02)


# --- in a model and in a run ----------------------------------------------------------------------
ROWS = {"method": "vptsp_g", "class_prompt_updates": "rows"}


def test_an_in_shop_sized_bank_is_counted_without_being_made() -> None:
    sizes = {
        "num_prompts": 90,
        "num_class_prompts": 80,
        "class_prompts_on": "host",
        "backbone": "vit_small_patch16_224",
    }
    config = make_config(ROWS | sizes | {"backbone_weights": "random", "embedding_size": 384})
    dense = config.changed(class_prompt_updates="dense", class_prompts_on="device")
    with torch.device("meta"):
        mine, theirs = (build_model(c, load_backbone(c.backbone, "random"), 3997).counts() for c in (config, dense))
    assert mine.bank == 3997 * 12 * 80 * 384
    assert mine == theirs


@pytest.mark.parametrize("place", ["host", "disk"])
def test_off_the_device_needs_updates_by_rows(place: str) -> None:
    with pytest.raises(ConfigError, match=f"class_prompts_on='{place}' .* say so with class_prompt_updates=rows"):
        make_config({"class_prompts_on": place})


def test_rows_get_the_dense_gradient_norm_clipping_and_loss_scale(tiny: Tiny) -> None:
    """One step from equal values, with sgd, where moving all rows or the batch's is the same in the first step."""
    settings = {"method": "vptsp_g", "optimizer": "sgd", "weight_decay": 0.0, "grad_clip": 0.5}
    dense = Session.prepare(tiny(**settings))
    rows, scaled = (Session.prepare(tiny(**settings, class_prompt_updates="rows")) for _ in range(2))
    scaler = scaled.fabric.strategy.precision.scaler = torch.amp.GradScaler("cpu", init_scale=1024.0, growth_interval=1)
    own = dense.model.state_dict()
    for session in (rows, scaled):
        session.model.load_state_dict({n: v for n, v in own.items() if not n.startswith("semantic.class_prompts.")})
    rows.model.rows.fetch(torch.arange(8))
    start = rows.model.rows.leaves[0].detach().split(rows.model.rows.sizes, 1)
    for layer, value in zip(dense.model.semantic.class_prompts.layers, start, strict=True):
        layer.data = value.reshape(layer.shape).clone()
    images, labels, _ = next(iter(dense.loader))
    norms = []
    for session in (dense, rows, scaled):
        session.model.train()
        loss = make_objective(session.config)(session.model, session.forward(images, labels), labels)
        session.backward(scaler.scale(loss) if session is scaled else loss)
        norms.append(session.clip_gradients())
        session.step()
    assert norms[0] > 0.5
    torch.testing.assert_close(norms[1:], [norms[0]] * 2)
    for session in (rows, scaled):
        session.model.rows.fetch(torch.arange(8))
        mine = session.model.rows.leaves[0].detach().split(session.model.rows.sizes, 1)
        for layer, value in zip(dense.model.semantic.class_prompts.layers, mine, strict=True):
            torch.testing.assert_close(value.reshape(layer.shape), layer.data)
    assert scaler.get_scale() == 2048.0


def bank_of(run: Run) -> tuple[torch.Tensor, torch.Tensor]:
    """All records of a run's last checkpoint, and the counts of steps."""
    session = Session.prepare(run.config)
    rows = session.model.rows
    assert rows is not None
    bank = rows.open_bank(CPU, run.path)
    load_training(run, session.model, session.optimizers)
    return bank.read(torch.arange(rows.num_classes)), bank.steps


@pytest.fixture(scope="module")
def settings(tiny: Tiny) -> Config:
    return tiny(**ROWS, class_prompts_on="disk", gru_dropout=0.4)


@pytest.fixture(scope="module")
def uninterrupted(settings: Config, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return train(settings, tmp_path_factory.mktemp("runs") / "whole", observer=silent)


@pytest.mark.parametrize("place", ["device", "host"])
def test_every_place_trains_to_the_same_bits(settings: Config, uninterrupted: Run, tmp_path: Path, place: str) -> None:
    run = train(settings.changed(class_prompts_on=place), tmp_path / "run", observer=silent)
    records, steps = bank_of(run)
    theirs, their_steps = bank_of(uninterrupted)
    assert int(steps.sum()) == 2 * PER_EPOCH * 4  # classes in each batch
    assert torch.equal(steps, their_steps)
    assert torch.equal(records, theirs)
    strip = [{k: v for k, v in line.items() if k != "images_per_second"} for line in run.metrics()]
    assert strip == [{k: v for k, v in line.items() if k != "images_per_second"} for line in uninterrupted.metrics()]
    assert run.summary()["counts"]["bank"] == 8 * 6 * 2 * 64 == records[:, 0].numel()


@pytest.mark.parametrize("step", [2, PER_EPOCH + 3])
def test_a_bank_on_disk_survives_a_kill(settings: Config, uninterrupted: Run, tmp_path: Path, step: int) -> None:
    command = ["train", *words(settings), "--run-dir", str(tmp_path / "run")]
    ended = processes.vptsp(command, tmp_path / "log", SignalAfter(step, signal.SIGKILL))
    assert ended.code == -signal.SIGKILL
    run = train(run_dir=tmp_path / "run", resume=True, observer=silent)
    assert_identical_but_for_places(run, uninterrupted)


@pytest.mark.parametrize("place", ["host", "disk"])
def test_a_stop_within_an_epoch_keeps_the_bank(
    settings: Config, uninterrupted: Run, tmp_path: Path, place: str
) -> None:
    run = Run(tmp_path / "run")

    def observe(event: Event) -> None:
        if event.kind == "step" and event.step == PER_EPOCH + 2:
            (run.path / "STOP").touch()

    with pytest.raises(TrainingStopped):
        train(settings.changed(class_prompts_on=place), run.path, observer=observe)
    train(run_dir=run.path, resume=True, observer=silent)
    assert torch.equal(bank_of(run)[0], bank_of(uninterrupted)[0])
    if place == "disk":
        assert_identical_but_for_places(run, uninterrupted)


def assert_identical_but_for_places(left: Run, right: Run) -> None:
    """As :func:`assert_identical`, and equal banks; which of its two places a class has depends on interruptions."""
    for mine, theirs in zip(bank_of(left), bank_of(right), strict=True):
        assert torch.equal(mine, theirs)
    assert_identical(left, right, but=("bank.current",))


def test_a_run_without_its_bank_is_one_clear_error(settings: Config, uninterrupted: Run, tmp_path: Path) -> None:
    run = Run(tmp_path / "run")

    def observe(event: Event) -> None:
        if event.kind == "epoch":
            (run.path / "STOP").touch()

    with pytest.raises(TrainingStopped):
        train(settings, run.path, observer=observe)
    (run.path / FILE).unlink()
    for _ in range(2):
        with pytest.raises(RunError, match=r"class_prompts\.bank is missing or cut off"):
            train(run_dir=run.path, resume=True, observer=silent)
