"""Training: what it changes, how it stops, and that a resumed run is the run that never stopped."""

from __future__ import annotations

import json
import re
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import processes
import pytest
import torch
from processes import KillInSwap, SignalAfter
from trainings import PER_EPOCH, assert_identical, contents, silent, words

import vptsp.training.loop
from vptsp import files
from vptsp.errors import ConfigError, DataError, RunError, TrainingError
from vptsp.runs.progress import Event
from vptsp.runs.run import Run
from vptsp.settings.build import build_loss
from vptsp.settings.config import Config, make_config
from vptsp.settings.methods import METHODS
from vptsp.training.guards import TrainingStopped
from vptsp.training.loop import train
from vptsp.training.objective import make_objective
from vptsp.training.schedule import set_learning_rates
from vptsp.training.session import Session

Tiny = Callable[..., Config]


# --- resume ---------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def settings(tiny: Tiny) -> Config:
    """Dropout on the GRU draws random numbers in every step, so that lost random states would show."""
    return tiny(gru_dropout=0.4, method="vptsp_g")


@pytest.fixture(scope="module")
def uninterrupted(settings: Config, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return train(settings, tmp_path_factory.mktemp("runs") / "whole", observer=silent)


def test_a_finished_run_has_everything(uninterrupted: Run) -> None:
    folder = uninterrupted.path
    assert len(uninterrupted.metrics()) == 2
    assert uninterrupted.snapshots() == [0, 1, 2]
    assert uninterrupted.progress()["state"] == "done"
    assert (folder / "embeddings/test/embeddings.safetensors").is_file()
    assert not list(folder.rglob(".*.safetensors.*")), "temporary files were left behind"
    tensors = contents(uninterrupted)["tensors"]
    for part in (
        "model.semantic.container.rows",
        "model.semantic.container.visits",
        "optimizer.others.0.exp_avg",
        "random.cpu",
    ):
        assert f"checkpoint/last/tensors.safetensors:{part}" in tensors


@pytest.mark.parametrize("step", [2, PER_EPOCH + 3])
def test_resume_after_sigkill_in_the_middle_of_an_epoch(
    settings: Config, uninterrupted: Run, tmp_path: Path, step: int
) -> None:
    command = ["train", *words(settings), "--run-dir", str(tmp_path / "run")]
    ended = processes.vptsp(command, tmp_path / "log", SignalAfter(step, signal.SIGKILL))
    assert ended.code == -signal.SIGKILL
    assert Run.open(tmp_path / "run").state() == "killed"
    run = train(run_dir=tmp_path / "run", resume=True, observer=silent)
    assert_identical(run, uninterrupted)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_the_run_cleanly(
    settings: Config, uninterrupted: Run, tmp_path: Path, number: signal.Signals
) -> None:
    folder = tmp_path / "run"
    step = PER_EPOCH + 2
    ended = processes.vptsp(
        ["train", *words(settings), "--run-dir", str(folder)], tmp_path / "log", SignalAfter(step, number)
    )
    assert ended.code == 130
    assert f"vptsp train --resume {folder}" in ended.output
    assert "Traceback" not in ended.output
    run = Run.open(folder)
    assert run.progress()["state"] == "stopped"
    state = json.loads((folder / "checkpoint/last/state.json").read_text())
    assert (state["epoch"], state["batch"]) == (1, 2)
    assert_identical(train(run_dir=folder, resume=True, observer=silent), uninterrupted)


def test_a_second_ctrl_c_interrupts_at_once(settings: Config, tmp_path: Path) -> None:
    command = ["train", *words(settings), "--run-dir", str(tmp_path / "run")]
    ended = processes.vptsp(command, tmp_path / "log", SignalAfter(2, signal.SIGINT, times=2))
    assert ended.code == 130
    assert "--resume" in ended.output
    assert "Traceback" not in ended.output
    assert Run.open(tmp_path / "run").progress()["state"] == "stopped"


@pytest.mark.parametrize("step", [PER_EPOCH, PER_EPOCH + 1, 2 * PER_EPOCH])
def test_a_stop_file_stops_after_any_step(settings: Config, uninterrupted: Run, tmp_path: Path, step: int) -> None:
    run = Run(tmp_path / "run")

    def observe(event: Event) -> None:
        if event.kind == "step" and event.step == step:
            (run.path / "STOP").touch()

    with pytest.raises(TrainingStopped, match="--resume"):
        train(settings, run.path, observer=observe)
    assert run.progress()["state"] == "stopped"
    train(run_dir=run.path, resume=True, observer=silent)
    assert not run.stop_requested()
    assert_identical(run, uninterrupted)


@pytest.mark.parametrize("turn", [1, 2])
def test_resume_after_death_between_the_renames_of_a_checkpoint(
    settings: Config, uninterrupted: Run, tmp_path: Path, turn: int
) -> None:
    folder = tmp_path / "run"
    ended = processes.vptsp(["train", *words(settings), "--run-dir", str(folder)], tmp_path / "log", KillInSwap(turn))
    assert ended.code == -signal.SIGKILL
    assert not (folder / "checkpoint/last").exists()
    assert (folder / "checkpoint/.old").exists() == (turn == 2)
    assert_identical(train(run_dir=folder, resume=True, observer=silent), uninterrupted)


@pytest.mark.parametrize(
    "changes", [{"method": "vptsp_m", "optimizer": "sgd"}, {"method": "bias", "optimizer": "adam"}]
)
def test_resume_with_other_optimisers(tiny: Tiny, tmp_path: Path, changes: dict[str, str]) -> None:
    whole = train(tiny(**changes), tmp_path / "whole", observer=silent)
    run = Run(tmp_path / "run")

    def observe(event: Event) -> None:
        if event.kind == "step" and event.step == PER_EPOCH + 2:
            (run.path / "STOP").touch()

    with pytest.raises(TrainingStopped):
        train(tiny(**changes), run.path, observer=observe)
    assert_identical(train(run_dir=run.path, resume=True, observer=silent), whole)


def test_resuming_a_finished_run_changes_nothing(uninterrupted: Run) -> None:
    before = {path: path.stat().st_mtime_ns for path in uninterrupted.path.rglob("*") if path.is_file()}
    train(run_dir=uninterrupted.path, resume=True, observer=silent)
    after = {path: path.stat().st_mtime_ns for path in uninterrupted.path.rglob("*") if path.is_file()}
    assert {path.name for path in before if before[path] != after[path]} <= {".lock"}


# --- guards ---------------------------------------------------------------------------------------
def test_a_loss_that_is_not_finite_stops_with_place_classes_and_advice(tiny: Tiny, tmp_path: Path) -> None:
    run = Run(tmp_path / "run")
    kept: dict[str, bytes] = {}

    def poisoned(config: Config, world: Any = None) -> Any:
        inner, calls = make_objective(config), iter(range(100))
        return lambda *given: inner(*given) * (float("nan") if next(calls) == PER_EPOCH + 1 else 1.0)

    def observe(event: Event) -> None:
        if event.kind == "epoch":
            kept.update({p.name: p.read_bytes() for p in (run.path / "checkpoint/last").iterdir()})

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(vptsp.training.loop, "make_objective", poisoned)
        with pytest.raises(
            TrainingError, match=r"loss is nan at batch 2 of epoch 2, with classes class_\d\d, .*lr.*grad_clip"
        ):
            train(tiny(), run.path, observer=observe)
    assert {p.name: p.read_bytes() for p in (run.path / "checkpoint/last").iterdir()} == kept
    assert run.progress()["state"] == "failed"
    assert "loss is nan" in run.progress()["message"]
    assert len(train(run_dir=run.path, resume=True, observer=silent).metrics()) == 2


@pytest.mark.parametrize("apart", [0.0, 0.1])
def test_an_absurd_learning_rate_is_caught(tiny: Tiny, tmp_path: Path, apart: float) -> None:
    with pytest.raises(TrainingError, match=r"is (nan|inf|-inf) at batch \d of epoch 1, .*a smaller lr \(now 1e\+30\)"):
        train(tiny(lr=1e30, optimizer="sgd", anti_collapse=apart), tmp_path / "run", observer=silent)


def test_a_full_disk_leaves_the_last_checkpoint_usable(
    settings: Config, uninterrupted: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Run(tmp_path / "run")
    write = files.os.fsync

    def full(descriptor: int) -> None:
        if len(run.metrics()) >= 1 and (run.path / "checkpoint/last").exists():
            raise OSError(28, "No space left on device")
        write(descriptor)

    with monkeypatch.context() as patch:
        patch.setattr(files.os, "fsync", full)
        with pytest.raises(RunError, match=r"no space left while writing .* Free some space and resume"):
            train(settings, run.path, observer=silent)
    assert_identical(train(run_dir=run.path, resume=True, observer=silent), uninterrupted)


def test_a_bad_image_is_named_and_the_run_can_be_made_again(tiny: Tiny, image_folder: Path, tmp_path: Path) -> None:
    root = tmp_path / "images"
    shutil.copytree(image_folder, root)
    bad = root / "train/class_03/1.png"
    bad.write_bytes(bad.read_bytes()[:100])
    run = Run(tmp_path / "run")
    with pytest.raises(DataError, match=rf"cannot read the image {bad} .*skip_bad=true"):
        train(tiny(data_root=root, method="linear"), run.path, observer=silent)
    assert run.progress()["state"] == "failed"
    assert str(bad) in run.progress()["message"]
    train(tiny(data_root=root, method="linear", skip_bad=True), run.path, observer=silent)
    assert run.summary()["skipped"] == ["train/class_03/1.png"]


# --- what is trained ------------------------------------------------------------------------------
_EFFICIENT = r"\.(v_bias|attn\.proj\.bias|mlp\.fc2\.bias|norm2\.bias)$|^patch_embed\.proj\.bias$"  # DA-VPT's
TUNED_IN_THE_BACKBONE = {
    "bias": "bias$",
    "vpt_bias": "bias$",
    "vptsp_m": "bias$",
    "vptsp_g": "bias$",
    "davpt": _EFFICIENT,
    "davpt_dml": _EFFICIENT,
    "davpt_vptsp": _EFFICIENT,
    "partial": r"^(blocks\.5|norm|fc_norm)\.",
    "full": "",
    "adapter": r"\.mlp\.adapter\.",
    "adapter_published": r"\.mlp\.adapter\.",
    "lora": r"\.attn\.qkv\.lora_[AB]\.",
}


@pytest.mark.parametrize("method", METHODS)
def test_only_the_methods_parameters_move_and_all_of_them_get_gradients(
    tiny: Tiny, tmp_path: Path, method: str
) -> None:
    size = 64 if method == "side" else 32
    task = METHODS[method].tasks[0]
    through = {"pruned_tokens": 0.0, "pruned_segments": 0.0} if METHODS[method].pruned else {}  # one epoch is no two
    session = Session.prepare(
        tiny(method=method, task=task, epochs=1, batch_size=16, weight_decay=0.0, image_size=size, **through)
    )
    model = session.model
    before = {name: value.clone() for name, value in model.state_dict().items()}
    trained = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    expected = TUNED_IN_THE_BACKBONE.get(method, r"(?!)")
    inside = {name.removeprefix("vit.") for name, _ in model.named_parameters() if name.startswith("vit.")}
    tuned = {name for name in inside if re.search(expected, name)}
    assert {name.removeprefix("vit.") for name in trained if name.startswith("vit.")} == tuned
    assert bool(tuned) == (method in TUNED_IN_THE_BACKBONE)
    assert (trained == set()) == (method == "frozen") == (session.optimizers == ())

    gradients: dict[str, bool] = {}
    if session.optimizers:
        step = session.step

        def watched() -> None:
            for name, parameter in model.named_parameters():
                got = parameter.grad is not None and bool(parameter.grad.abs().sum() > 0)
                gradients[name] = gradients.get(name, False) or got
            step()

        session.step = watched  # type: ignore[method-assign]
    run = Run.create(tmp_path / "run", session.config)
    vptsp.training.loop._train(run, session, silent)

    without = {name for name in trained if not gradients.get(name)}
    if method == "adapter_published":  # two zero weights give each other no gradient: VPT's adapter is inert
        assert {name.split(".adapter.")[1] for name in without} == {"down.weight", "down.bias", "up.weight"}
        trained -= without
    else:
        assert without == set()
    after = model.state_dict()
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    buffers = {
        name
        for name, _ in model.named_buffers()
        if name.startswith(("semantic.container.", "semantic.head.input_", "head.", "hidden.", "guide."))
    }
    assert moved - trained <= buffers
    assert trained <= moved
    assert ("semantic.container.rows" in moved) == (METHODS[method].semantic != "none")


@pytest.mark.parametrize("backbone", ["test_vit2", "test_vit3"])
def test_mean_pooling_trains_every_bias_in_use(tiny: Tiny, backbone: str) -> None:
    session = Session.prepare(tiny(backbone=backbone, pooling="mean", method="bias"))
    images, labels, _ = next(iter(session.loader))
    build_loss(session.config)(session.forward(images, labels).embeddings, labels, session.model.learned).backward()
    trained = {name: p for name, p in session.model.named_parameters() if p.requires_grad}
    assert {name for name, p in trained.items() if p.grad is None or not p.grad.abs().sum() > 0} == set()


def test_a_loss_scale_is_taken_off_before_clipping_and_updated_once_a_step(tiny: Tiny) -> None:
    """What fp16 does on a GPU, with the scaler on the CPU in fp32, where the scale must change nothing."""
    plain, scaled = (Session.prepare(tiny(grad_clip=1.0, optimizer="sgd")) for _ in range(2))
    scaler = scaled.fabric.strategy.precision.scaler = torch.amp.GradScaler("cpu", init_scale=1024.0, growth_interval=1)
    images, labels, _ = next(iter(plain.loader))
    norms = []
    for session in (plain, scaled):
        output = session.forward(images, labels)
        loss = build_loss(session.config)(output.embeddings, labels, output.proxies)
        (scaler.scale(loss) if session is scaled else loss).backward()
        norms.append(session.clip_gradients())
        session.step()
    torch.testing.assert_close(norms[0], norms[1])
    torch.testing.assert_close(plain.model.state_dict(), scaled.model.state_dict())
    assert scaler.get_scale() == 2048.0


def test_class_prompts_get_gradients_exactly_for_the_classes_of_the_batch(tiny: Tiny) -> None:
    session = Session.prepare(tiny(method="vptsp_g"))
    model = session.model.train()
    images, labels, _ = next(iter(session.loader))
    output = session.forward(images, labels)
    build_loss(session.config)(output.embeddings, labels, output.proxies).backward()
    assert len(labels.unique()) == 4
    for layer in model.semantic.class_prompts.layers:
        touched = layer.grad.flatten(1).abs().sum(1) > 0
        assert touched.nonzero().squeeze(1).tolist() == labels.unique().tolist()


def test_the_frozen_method_scores_without_an_optimiser(tiny: Tiny, tmp_path: Path) -> None:
    run = train(tiny(method="frozen"), tmp_path / "run", observer=silent)
    assert run.metrics() == []
    assert run.summary()["counts"]["trained"] == 0
    assert run.summary()["selected"] == "last"
    assert not (run.path / "checkpoint/last").exists()


def test_no_epochs_scores_the_model_as_it_starts(tiny: Tiny, tmp_path: Path) -> None:
    run = train(tiny(method="linear", epochs=0), tmp_path / "run", observer=silent)
    assert run.metrics() == []
    assert run.summary()["test"]["last"]["num_queries"] == 20


# --- selection ------------------------------------------------------------------------------------
def test_validation_classes_are_held_out_of_train_and_test(tiny: Tiny) -> None:
    splits = Session.prepare(tiny()).splits
    names = [set(part.class_names) for part in (splits.train, splits.val, splits.test)]
    assert [len(part) for part in names] == [8, 2, 4]
    assert len(set.union(*names)) == 14


def test_the_epoch_of_the_best_validation_recall_is_selected_and_test_is_scored_once(
    tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recalls = iter([0.5, 0.75, 0.75, 0.25])
    monkeypatch.setattr(vptsp.training.loop, "_validate", lambda session: {"val_recall_at_1": next(recalls)})
    scored: list[str] = []
    score = vptsp.training.loop.score_checkpoint

    def counting(run: Run, which: str, *given: Any, **more: Any) -> Any:
        scored.append(which)
        return score(run, which, *given, **more)

    monkeypatch.setattr(vptsp.training.loop, "score_checkpoint", counting)
    run = train(tiny(method="linear", epochs=4, select_start="none"), tmp_path / "run", observer=silent)
    summary = run.summary()
    assert summary["selected"] == "best_val"
    assert summary["best_val"] == {"epoch": 2, "val_recall_at_1": 0.75}
    assert scored == ["last", "best_val"]
    assert not [name for line in run.metrics() for name in line if name.startswith("test_")]
    assert "max_over_test_epochs" not in summary


def test_best_over_test_epochs_exists_only_on_request_and_under_its_name(tiny: Tiny, tmp_path: Path) -> None:
    run = train(tiny(method="linear", track_test=True, val_fraction=0), tmp_path / "run", observer=silent)
    best = max(line["test_recall_at_1"] for line in run.metrics())
    assert run.summary()["max_over_test_epochs"]["recall_at_1"] == best
    assert run.summary()["selected"] == "last"


@pytest.mark.parametrize(("track_from", "expected"), [(2, [False, True, True]), (9, [False, False, True])])
def test_tracking_of_test_may_start_late(tiny: Tiny, tmp_path: Path, track_from: int, expected: list[bool]) -> None:
    config = tiny(method="linear", track_test=True, track_from=track_from, epochs=3)
    run = train(config, tmp_path / "run", observer=silent)
    tracked = ["test_recall_at_1" in line for line in run.metrics()]
    assert tracked == expected
    best = max(line["test_recall_at_1"] for line in run.metrics() if "test_recall_at_1" in line)
    assert run.summary()["max_over_test_epochs"]["recall_at_1"] == best


def test_rates_rise_before_the_cosine() -> None:
    config = make_config({"epochs": 6, "warmup_epochs": 2, "lr": 0.1, "cosine_min": 0.0})
    optimizer = torch.optim.SGD([{"params": [torch.zeros(1, requires_grad=True)], "lr": 0.1, "start": 0.1}])
    rates = [set_learning_rates([optimizer], config, epoch)["lr"] for epoch in range(6)]
    assert rates == pytest.approx([0, 0.05, 0.1, 0.1 * (2 + 2**0.5) / 4, 0.05, 0.1 * (2 - 2**0.5) / 4])


# --- refused before anything is written -----------------------------------------------------------
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"prompt_depth": 7}, "prompt_depth=7 is deeper than the backbone, which has 6 blocks"),
        ({"class_prompt_depth": 9}, "class_prompt_depth=9 is deeper than the backbone"),
        ({"batch_size": 32}, "needs 16 classes, but there are only 8"),
        ({"device": "tpu"}, "device='tpu' is not known; legal: auto, cpu, cuda"),
    ],
)
def test_impossible_settings_leave_nothing_behind(
    tiny: Tiny, tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        train(tiny(**changes), tmp_path / "run", observer=silent)
    assert not (tmp_path / "run").exists()


def test_a_run_is_resumed_from_any_working_directory(
    tiny: Tiny, image_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(image_folder.parent)
    config = Session.prepare(tiny(dataset="folder", data_root=Path(image_folder.name))).config
    assert config.data_root == image_folder.resolve()
