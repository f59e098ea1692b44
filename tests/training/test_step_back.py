"""Head first, and back where an epoch harmed: what trains when, and that a run goes on from where it was best."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from trainings import PER_EPOCH, assert_identical, silent

import vptsp.training.step_back
from vptsp.errors import ConfigError
from vptsp.files import write_tensors
from vptsp.runs.checkpoints import own_state
from vptsp.runs.progress import Event, print_epochs
from vptsp.runs.run import Run
from vptsp.runs.snapshots import Snapshots
from vptsp.settings.config import Config, make_config
from vptsp.settings.earlier import as_recorded
from vptsp.settings.methods import METHODS
from vptsp.settings.presets import preset_names
from vptsp.training.guards import TrainingStopped
from vptsp.training.loop import train
from vptsp.training.precision import Precision
from vptsp.training.schedule import head_alone
from vptsp.training.session import Session
from vptsp.training.step_back import by_chance

pytestmark = pytest.mark.usefixtures("two_blocks")
Tiny = Callable[..., Config]
INSIDE = ("vit.", "prompts.", "location.", "key_values.", "semantic.class_prompts.")
WITHIN = [
    name
    for name, method in METHODS.items()
    if method.trains and "retrieval" in method.tasks and name not in ("linear", "mlp", "side")
]


def trained(run: Run, which: str) -> dict[str, torch.Tensor]:
    return load_file(run.path / f"checkpoint/inference_{which}.safetensors")


@pytest.mark.parametrize("method", WITHIN)
def test_while_the_head_is_alone_nothing_in_the_transformer_moves(tiny: Tiny, method: str) -> None:
    session = Session.prepare(tiny(method=method, prompt_dynamics="linear" if method == "vpt_deep" else "none"))
    model, config = session.model, session.config
    assert model.trains_inside
    before = {name: value.clone() for name, value in own_state(model).items()}
    model.train().head_alone = True
    session.sampler.set_epoch(0)
    images, labels, _ = next(iter(session.loader))
    from vptsp.training.objective import make_objective

    session.backward(make_objective(config)(model, session.forward(images, labels), labels))
    session.clip_gradients()
    session.step()
    moved = {name for name, value in own_state(model).items() if not torch.equal(value, before[name])}
    assert not any(name.startswith(INSIDE) or name.startswith("dynamics") for name in moved)
    assert {"head.linear.weight", "learned"} <= moved
    assert not any(name.startswith("semantic.") for name in moved), "semantic proxies rest"


def test_the_loss_is_the_same_with_the_head_alone(tiny: Tiny) -> None:
    losses = []
    for alone in (False, True):
        session = Session.prepare(tiny(method="vpt_bias"))
        session.model.train().head_alone = alone
        session.sampler.set_epoch(0)
        images, labels, _ = next(iter(session.loader))
        output = session.model(images, labels)
        losses.append(session.model.criterion(output.embeddings, labels, output.proxies))  # type: ignore[misc]
    assert torch.equal(*losses)


@pytest.mark.parametrize("method", ["linear", "mlp"])
def test_without_anything_inside_nothing_is_different(tiny: Tiny, tmp_path: Path, method: str) -> None:
    settings = {"method": method, "epochs": 3, "val_fraction": 0.3}
    runs = [
        train(tiny(**settings, **more), tmp_path / f"{number}", observer=silent)
        for number, more in enumerate([{}, {"head_epochs": 0, "step_back": 1.0}])
    ]
    assert_identical(*runs)


@pytest.mark.parametrize(
    ("settings", "alone"),
    [
        ({"epochs": 12}, [0]),
        ({"epochs": 2}, []),
        ({"epochs": 3}, [0]),
        ({"epochs": 4, "head_epochs": 2}, [0, 1]),
        ({"epochs": 4, "head_epochs": 0}, []),
        ({"epochs": 12, "warmup_epochs": 1}, []),
        ({"epochs": 12, "task": "recognition"}, []),
        ({"epochs": 8, "method": "e2vpt"}, [0, 4]),  # which begins anew after its pruning
    ],
)
def test_the_first_epochs_are_the_heads(tiny: Tiny, settings: dict[str, Any], alone: list[int]) -> None:
    config = tiny(**settings)
    assert [epoch for epoch in range(config.epochs) if head_alone(config, epoch)] == alone


def judged(monkeypatch: pytest.MonkeyPatch, values: list[float]) -> None:
    """What held-out classes say after each epoch, the first of ``values`` after the first."""
    import vptsp.training.loop

    real = vptsp.training.loop._validate
    count = iter(values)

    def say(session: Session) -> dict[str, float]:
        return {**real(session), "val_recall_at_1": next(count)}

    monkeypatch.setattr(vptsp.training.loop, "_validate", say)


SETTINGS = {"epochs": 4, "val_fraction": 0.3, "head_epochs": 1}


def test_an_epoch_that_harms_is_undone(tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vptsp.training.step_back, "by_chance", lambda one, other, images: 0.1)
    judged(monkeypatch, [0.5, 0.9, 0.7, 0.6])
    kept: list[dict[str, torch.Tensor]] = []
    rates: list[tuple[float, float]] = []
    run = Run(tmp_path / "run")

    def observe(event: Event) -> None:
        if event.kind == "epoch":
            kept.append(load_file(run.path / "checkpoint/last/tensors.safetensors"))
            state = json.loads((run.path / "checkpoint/last/state.json").read_text())
            others, inside = (group["lr"] for group in state["optimizers"]["others"][:2])
            rates.append((others, inside))

    train(tiny(**SETTINGS), run.path, observer=observe)
    assert [line.get("back_to") for line in run.metrics()] == [None, None, 2, None]  # the last one has no successor
    own = [name for name in kept[0] if name.startswith("model.")]
    assert all(torch.equal(kept[1][name], kept[2][name]) for name in own)
    assert {name for name in kept[2] if name.startswith("optimizer.")} >= {"optimizer.others.0.exp_avg"}
    assert all(torch.equal(kept[1][name], kept[2][name]) for name in kept[1] if name.startswith("optimizer."))
    assert not all(torch.equal(kept[2][name], kept[3][name]) for name in own)
    assert [inside / others for others, inside in rates] == pytest.approx([1, 1, 1, 0.1])
    assert run.result().epoch == 2
    assert not (run.path / "checkpoint/foothold.safetensors").exists()
    worse = trained(run, "last")
    assert any(not torch.equal(value, trained(run, "best_val")[name]) for name, value in worse.items())


@pytest.mark.parametrize(
    ("values", "more"),
    [
        ([0.9, 0.7, 0.6, 0.5], {"step_back": 1.0}),
        ([0.9, 0.7, 0.6, 0.5], {"head_epochs": 3}),  # nothing in the transformer is to blame
        ([0.9, 0.85, 0.81, 0.8], {}),
        ([0.9, 0.7, 0.6, 0.5], {"method": "linear"}),
        ([0.9, 0.7, 0.6, 0.5], {"class_prompt_updates": "rows"}),
    ],
)
def test_what_is_no_reason_to_go_back(
    tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, values: list[float], more: dict[str, Any]
) -> None:
    monkeypatch.setattr(vptsp.training.step_back, "by_chance", lambda one, other, images: 0.1)
    judged(monkeypatch, values)
    run = train(tiny(**{**SETTINGS, **more}), tmp_path / "run", observer=silent)
    assert not any("back_to" in line for line in run.metrics())


@pytest.mark.parametrize("stop", [3 * PER_EPOCH - 8, 3 * PER_EPOCH])
def test_stopped_and_resumed_a_run_goes_back_alike(
    tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stop: int
) -> None:
    monkeypatch.setattr(vptsp.training.step_back, "by_chance", lambda one, other, images: -1.0)  # any fall is one
    config = tiny(**SETTINGS, lr=0.3, seed=1)
    whole, run = train(config, tmp_path / "whole", observer=silent), Run(tmp_path / "run")
    assert any("back_to" in line for line in whole.metrics())

    def observe(event: Event) -> None:
        if event.kind == "step" and event.step == stop:
            (run.path / "STOP").touch()

    with pytest.raises(TrainingStopped):
        train(config, run.path, observer=observe)
    torch.manual_seed(99)
    assert_identical(train(run_dir=run.path, resume=True, observer=silent), whole)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"head_epochs": 4}, "head_epochs=4 leaves none of 4"),
        ({"head_epochs": 2, "method": "e2vpt"}, "head_epochs=2 leaves none of 2"),  # before it prunes
        ({"mirror": True, "augment": "resize"}, "mirror=True mirrors"),
    ],
)
def test_settings_that_mean_nothing_are_refused(tiny: Tiny, more: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        tiny(epochs=4, **more)


def test_averaged_weights_that_were_judged_are_what_it_goes_back_to(
    tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vptsp.training.step_back, "by_chance", lambda one, other, images: 0.1)
    judged(monkeypatch, [0.5, 0.9, 0.7, 0.6])
    run = Run(tmp_path / "run")
    kept = []

    def observe(event: Event) -> None:
        if event.kind == "epoch":
            kept.append(load_file(run.path / "checkpoint/last/tensors.safetensors"))

    train(tiny(**SETTINGS, weight_average=0.9), run.path, observer=observe)
    best = trained(run, "best_val")
    assert torch.equal(kept[2]["model.head.linear.weight"], best["head.linear.weight"])
    assert not torch.equal(kept[1]["model.head.linear.weight"], best["head.linear.weight"])


def test_whoever_watches_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    print_epochs(Event("epoch", 3, 8, 30, 80, {"epoch": 3, "loss": 1.0, "val_recall_at_1": 0.5, "back_to": 2}))
    assert "back to epoch 2" in capsys.readouterr().out


def test_chance_is_two_standard_errors_of_a_difference() -> None:
    draws = torch.Generator().manual_seed(0)
    shares = torch.rand(2, 20000, 50, generator=draws).lt(torch.tensor([0.9, 0.7])[:, None, None]).double().mean(2)
    spread = float((shares[0] - shares[1]).std())
    assert by_chance(0.9, 0.7, 50) == pytest.approx(2 * spread, rel=0.03)
    assert by_chance(1.0, 1.0, 5) == 0


def test_every_part_that_trains_is_known_to_be_in_the_transformer_or_after_it(tiny: Tiny) -> None:
    after = ("head.", "hidden.", "side.", "learned", "semantic.", "dynamics.", "criterion.")
    for method, about in METHODS.items():
        if about.trains and "retrieval" in about.tasks:
            model = Session.prepare(tiny(method=method, image_size=64 if method == "side" else 32)).model
            names = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
            assert all(name.startswith((*INSIDE, *after)) for name in names), method


@pytest.mark.parametrize("name", sorted({*preset_names()} - {"demo", "own_images", "guided_blossoms"}))
def test_published_presets_train_as_published(name: str) -> None:
    config = make_config(preset=name)
    assert not any(head_alone(config, epoch) for epoch in range(config.epochs))
    assert not config.steps_back
    assert not config.whitens_input
    assert (config.head_start, config.augment_fit, config.bias_lr_factor) == ("random", "none", 1)


def rates(session: Session) -> dict[str, float]:
    """The learning rate of every parameter that trains, by name."""
    names = {id(parameter): name for name, parameter in session.model.named_parameters()}
    groups = [group for optimizer in session.optimizers for group in optimizer.param_groups]
    return {names[id(parameter)]: group["lr"] for group in groups for parameter in group["params"]}


def test_biases_have_a_rate_of_their_own_beside_frozen_weights_and_no_other_parameter_has(tiny: Tiny) -> None:
    for method, about in METHODS.items():
        if not about.trains or "retrieval" not in about.tasks:
            continue
        once, thrice = (
            rates(Session.prepare(tiny(method=method, lr=0.01, image_size=64 if method == "side" else 32, **more)))
            for more in ({"bias_lr_factor": 1.0}, {"bias_lr_factor": 3.0})
        )
        faster = {name for name in once if thrice[name] != once[name]}
        assert all(thrice[name] == pytest.approx(3 * once[name]) for name in faster)
        biases = {name for name in once if name.startswith("vit.") and name.endswith("bias") and "adapter" not in name}
        assert faster == (biases if about.tunes == "none" else set()), method
        assert bool(faster) >= about.bitfit


def test_runs_of_earlier_versions_and_recognition_have_one_rate() -> None:
    assert make_config().bias_lr_factor == 2
    assert make_config({"task": "recognition", "method": "bias"}).bias_lr_factor == 1
    assert make_config({"task": "recognition", "method": "bias", "bias_lr_factor": 3}).bias_lr_factor == 3
    assert make_config(as_recorded({"method": "bias"})).bias_lr_factor == 1


@pytest.mark.parametrize("which", ["all", "batch"])
def test_while_the_head_is_alone_images_are_compared_with_learned_proxies(tiny: Tiny, which: str) -> None:
    session = Session.prepare(tiny(loss_proxies=which))
    model = session.model.train()
    model.head_alone = True
    session.sampler.set_epoch(0)
    images, labels, _ = next(iter(session.loader))
    output = model(images, labels)
    assert output.semantic is output.semantic_features is None
    proxies, targets = model.loss_proxies(output, labels, which)
    assert model.learned is not None
    assert torch.equal(proxies[targets], model.learned[labels])
    assert model.alpha_now == 1
    assert torch.equal(model.eval()(images).proxies, model.learned), "nor does anything else see what has not begun"

    model.train().head_alone = False
    model(images, labels)
    assert model.alpha_now == 0.5
    assert not torch.allclose(model.eval()(images).proxies, model.learned)


def test_snapshots_say_how_much_of_the_learned_proxies_was_in_force(tiny: Tiny, tmp_path: Path) -> None:
    run = train(tiny(epochs=3, val_fraction=0.3), tmp_path / "run", observer=silent)
    snapshots = Snapshots(run)
    assert [snapshot.alpha for snapshot in snapshots] == [0.5, 1, 0.5, 0.5]
    first, second = snapshots[1], snapshots[2]
    assert np.array_equal(first.fused, first.learned)
    assert not np.allclose(second.fused, second.learned)
    assert np.array_equal(first.semantic, snapshots[0].semantic), "they rest"
    arrays = {**run.snapshot_arrays(1)}
    del arrays["alpha"]
    write_tensors(run.snapshot_path(1), {name: torch.from_numpy(array) for name, array in arrays.items()})
    assert Snapshots(run)[1].alpha == 0.5, "of a run that did not write it down"


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
@pytest.mark.parametrize("method", ["vptsp_g", "vptsp_m"])
def test_what_begins_after_the_head_joins_any_optimizer(
    tiny: Tiny, tmp_path: Path, method: str, optimizer: str
) -> None:
    config = tiny(method=method, epochs=3, optimizer=optimizer)
    whole = train(config, tmp_path / "whole", observer=silent)
    run = Run(tmp_path / "run")

    def stop(event: Event) -> None:
        if event.kind == "step" and event.step == PER_EPOCH + 1:
            (run.path / "STOP").touch()

    with pytest.raises(TrainingStopped):
        train(config, run.path, observer=stop)
    assert_identical(whole, train(run_dir=run.path, resume=True, observer=silent))


def test_a_scale_of_gradients_steps_past_an_optimizer_of_which_nothing_trains() -> None:
    moving, resting = torch.nn.Parameter(torch.ones(2)), torch.nn.Parameter(torch.ones(2))
    optimizers = [torch.optim.SGD([each], lr=1.0) for each in (moving, resting)]
    for optimizer in optimizers:
        optimizer.optimizer = optimizer  # type: ignore[attr-defined]  # as Fabric's know torch's
    scaler = torch.amp.GradScaler("cpu", init_scale=4.0)
    plugin = SimpleNamespace(strategy=SimpleNamespace(precision=SimpleNamespace(scaler=scaler)))
    precision = Precision(plugin)  # type: ignore[arg-type]
    scaler.scale(moving.sum()).backward()
    precision.unscale(optimizers)
    precision.step(optimizers)
    assert torch.equal(moving, torch.zeros(2))
    assert torch.equal(resting, torch.ones(2))
