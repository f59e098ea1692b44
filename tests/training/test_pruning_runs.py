"""Runs that prune and begin again (E2VPT): what is pruned, what goes back, stopping anywhere, what is left after."""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from trainings import assert_identical, silent

from vptsp.analysis.explain import attention, prompt_effects, visual_prompts
from vptsp.analysis.parameter_formulas import count_parts
from vptsp.core.backbones.load import load_backbone
from vptsp.core.prompts.pruning import PrunablePrompts
from vptsp.reports.export import export
from vptsp.runs.checkpoints import inference_path, load_inference, own_state, save_start
from vptsp.runs.progress import Event
from vptsp.runs.run import Run
from vptsp.settings.build import build_model
from vptsp.settings.config import Config
from vptsp.training import loop
from vptsp.training.loop import TrainingStopped, train
from vptsp.training.objective import make_objective
from vptsp.training.pruning import prune_and_rewind
from vptsp.training.schedule import set_learning_rates
from vptsp.training.session import Session

pytestmark = pytest.mark.usefixtures("two_blocks")
Tiny = Callable[..., Config]
CASES: dict[str, dict[str, Any]] = {
    "retrieval": {"val_fraction": 0.25, "batch_size": 8},
    "recognition": {"task": "recognition", "batch_size": 20},
    "in parts, dropped and projected": {"images_per_pass": 3, "prompt_dropout": 0.3, "prompt_projection": 8},
    "a loss of pairs with a memory": {"loss": "smooth_ap", "loss_memory": 32, "optimizer": "sgd"},
}


@pytest.fixture
def settings(tiny: Tiny) -> Callable[..., Config]:
    """3 epochs, of which one is before the pruning."""

    def make(**changes: Any) -> Config:
        own = {"method": "e2vpt", "epochs": 3, "prune_after": 1, "num_key_value_prompts": 2, "probe_images": 4}
        return tiny(**({"batch_size": 20, "val_fraction": 0.0} | own | changes))

    return make


def stop_after(step: int, folder: Path, config: Config) -> None:
    """Train until a step is done, and stop there."""

    def stop(event: Event) -> None:
        if event.kind == "step" and event.step == step:
            (folder / "STOP").touch()

    with pytest.raises(TrainingStopped):
        train(config, folder, observer=stop)


def stopped_after(step: int, folder: Path, config: Config) -> Run:
    """A run that was stopped after a step, and then trained to its end."""
    stop_after(step, folder, config)
    return train(run_dir=folder, resume=True, observer=silent)


@pytest.mark.parametrize(
    "case", [case if case == "retrieval" else pytest.param(case, marks=pytest.mark.slow) for case in CASES]
)
def test_a_run_stopped_before_at_or_after_the_pruning_ends_as_one_that_was_not(
    settings: Callable[..., Config], tmp_path: Path, case: str
) -> None:
    config = settings(**CASES[case])
    whole = train(config, tmp_path / "whole", observer=silent)
    per_epoch = len(Session.prepare(config).loader)
    steps = {1, per_epoch, per_epoch + 1} if case == "retrieval" else {per_epoch, per_epoch + 1}
    for step in steps:
        assert_identical(stopped_after(step, tmp_path / f"stopped {step}", config), whole)


def test_no_model_from_before_the_pruning_stays_selected(settings: Callable[..., Config], tmp_path: Path) -> None:
    config, run = settings(select_start="none", val_fraction=0.4, batch_size=8), Run(tmp_path)
    per_epoch = len(Session.prepare(config).loader)
    selected: dict[str, bool] = {}

    def stop(event: Event) -> None:
        selected[event.kind] = inference_path(run, "best_val").exists()
        if event.kind == "step" and event.step == per_epoch + 1:
            (tmp_path / "STOP").touch()

    with pytest.raises(TrainingStopped):
        train(config, tmp_path, observer=stop)
    assert selected["epoch"]  # by the epoch before the pruning
    assert not inference_path(run, "best_val").exists()


@pytest.mark.parametrize("way", ["file", "signal"])
def test_a_stop_is_heard_while_it_measures_what_to_prune(
    settings: Callable[..., Config], tmp_path: Path, way: str
) -> None:
    config, kinds = settings(), list[tuple[str, int]]()

    def stop(event: Event) -> None:
        kinds.append((event.kind, event.epoch))
        if kinds[-1] == ("epoch", 1):
            (tmp_path / "run" / "STOP").touch() if way == "file" else signal.raise_signal(signal.SIGINT)

    with pytest.raises(TrainingStopped, match=r"stopped after epoch 1 of 3, before its prompts were pruned; go on"):
        train(config, tmp_path / "run", observer=stop)
    assert kinds[-2:] == [("epoch", 1), ("stopped", 1)]
    again = train(run_dir=tmp_path / "run", resume=True, observer=silent)
    assert_identical(again, train(config, tmp_path / "whole", observer=silent))


def test_a_run_killed_while_it_prunes_prunes_the_same_again(
    settings: Callable[..., Config], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = settings()
    whole = train(config, tmp_path / "whole", observer=silent)

    def killed(*given: Any) -> None:
        prune_and_rewind(*given)
        raise KeyboardInterrupt

    with monkeypatch.context() as now:
        now.setattr(loop, "prune_and_rewind", killed)
        with pytest.raises(KeyboardInterrupt):
            train(config, tmp_path / "run", observer=silent)
    assert_identical(train(run_dir=tmp_path / "run", resume=True, observer=silent), whole)


def test_it_prunes_what_matters_least_over_the_batches_and_goes_back_to_the_start(
    settings: Callable[..., Config], tmp_path: Path
) -> None:
    config = settings(num_prompts=4, pruned_tokens=0.5, pruned_segments=0.25, prompt_segments=4)
    session, run = Session.prepare(config), Run.create(tmp_path / "run", config)
    model, objective = session.model, make_objective(config)
    start = {name: value.clone() for name, value in own_state(model).items()}
    save_start(run, model)
    model.train()
    for images, labels, _ in session.loader:
        session.backward(objective(model, session.forward(images, labels), labels))
        session.clip_gradients()
        session.step()
    trained = {name: value.clone() for name, value in own_state(model).items()}
    assert any(not torch.equal(start[name], trained[name]) for name in start)

    tokens = segments = 0  # by autograd through masks would be the same: tests/core/test_pruning.py
    session.sampler.set_epoch(config.epochs)
    for images, labels, _ in session.loader:
        session.backward(objective(model, session.forward(images, labels), labels))
        found = torch.stack(model.prompts.mask_gradients())
        tokens, segments = tokens + found.sum(-1).abs(), segments + found.abs()
        session.forget_gradients()

    prune_and_rewind(run, session, objective, threading.Event())
    after = own_state(model)
    assert [name for name in start if not torch.equal(start[name], after[name])] == ["prompts.kept_0", "prompts.kept_1"]
    assert all(not optimizer.state_dict()["state"] for optimizer in session.optimizers)
    assert all(parameter.grad is None for parameter in model.parameters())
    for block, kept in enumerate(model.prompts.kept):
        left = kept.any(dim=1)
        assert left.sum() == 2
        assert tokens[block][left].min() >= tokens[block][~left].max()
        scores, there = segments[block][left], kept[left]
        assert (~there).sum() == 2
        assert scores[there].min() >= scores[~there].max()


def test_both_halves_have_the_whole_schedule(settings: Callable[..., Config]) -> None:
    config = settings(epochs=7, prune_after=3, warmup_epochs=1)
    session = Session.prepare(config)
    rates = [set_learning_rates(session.optimizers, config, epoch)["lr"] for epoch in range(7)]
    plain = settings(method="vpt_deep", epochs=3, prune_after=None, num_key_value_prompts=5, warmup_epochs=1)
    before = [set_learning_rates(session.optimizers, plain, epoch)["lr"] for epoch in range(3)]
    assert rates[:3] == before
    assert rates[3] == rates[0] == 0
    assert rates[4] == rates[1] == config.lr
    assert rates[4:] == sorted(rates[4:], reverse=True)


def test_what_a_pruned_run_leaves(settings: Callable[..., Config], tmp_path: Path) -> None:
    config = settings(num_prompts=4, val_fraction=0.25, batch_size=8, select_start="whitened", select_finish="whitened")
    told: list[Event] = []
    run = train(config, tmp_path / "run", observer=told.append)
    model, summary = load_inference(run), run.summary()
    (pruned,) = [event for event in told if event.kind == "pruned"]
    assert (pruned.epoch, pruned.values) == (1, {"left": 4, "prompts": 8})
    width = model.backbone.width
    assert isinstance(model.prompts, PrunablePrompts)
    gone = 2 * width + 4 * (width // 8)  # half of 4 prompts, and 0.3 of the 16 segments of the others
    assert summary["pruned"] == {
        "after_epoch": 1,
        "tokens_left": [2, 2],
        "segments_left": [12, 12],
        "parameters": 2 * gone,
    }
    assert summary["best_val"]["epoch"] != 1, "the epoch before the pruning is no result of the method"
    assert model.counts().kept == load_inference(run, "last").counts().kept
    stored = load_file(run.path / "checkpoint" / "inference_last.safetensors")
    assert stored["prompts.kept_0"].sum() == 12
    for part in count_parts(config, 4):
        assert part.value == part.counted, part

    images = torch.rand(2, 3, *model.backbone.size, generator=torch.Generator().manual_seed(0))
    _, found = attention(model, images)
    assert found.prompts.shape[-1] == 2 + 2, "visual prompts that are left, and learned keys"
    sums = found.patches.sum((-2, -1)) + np.nansum(found.prompts, -1) + found.prefix
    np.testing.assert_allclose(sums, 1, atol=1e-5)
    effects = prompt_effects(model, *images)
    assert effects.shape == (2, 4)
    assert visual_prompts(model) == [2, 2]
    for suffix in (".onnx", ".pt2"):
        assert export(run, tmp_path / f"model{suffix}").stat().st_size


def test_effects_are_what_the_model_gives_without_one_learned_key(settings: Callable[..., Config]) -> None:
    config = settings(num_key_value_prompts=3, key_value_depth=1, key_value_shared=False)
    torch.manual_seed(0)
    model = build_model(config, load_backbone("test_vit", "random", 32), 4).eval()
    torch.nn.init.normal_(model.key_values.layers[0])
    a, b = torch.rand(2, 3, 32, 32)
    model.requires_grad_(False)
    effects = prompt_effects(model, a, b)
    assert np.isnan(effects[1, 3:]).all()
    whole = (model(a[None]).embeddings * model(b[None]).embeddings).sum()
    for row in range(3):
        rest = [number for number in range(3) if number != row]
        kept = model.key_values.layers[0][:, rest]
        with mock.patch.object(model, "learned_key_values", lambda kept=kept: [(kept[0], kept[1])]):
            without = (model(a[None]).embeddings * model(b[None]).embeddings).sum()
        assert effects[0, 3 + row] == pytest.approx(float(without - whole), abs=2e-6)
        assert abs(effects[0, 3 + row]) > 1e-6


def test_with_nothing_to_prune_it_trains_through(settings: Callable[..., Config], tmp_path: Path) -> None:
    config = settings(pruned_tokens=0.0, pruned_segments=0.0, prune_after=None)
    assert config.prunes_after is None
    run = train(config, tmp_path / "run", observer=silent)
    assert "pruned" not in json.loads((run.path / "summary.json").read_text())
    assert not (run.path / "checkpoint" / "start.safetensors").exists()
