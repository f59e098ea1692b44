"""How often a step waits for the device, and what a step that went wrong leaves behind."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.overrides import TorchFunctionMode

import vptsp.training
import vptsp.training.loop
from vptsp.errors import ConfigError, RunError, TrainingError
from vptsp.runs.progress import Event
from vptsp.runs.run import Run
from vptsp.settings.config import Config
from vptsp.settings.earlier import BEFORE
from vptsp.training.objective import make_objective
from vptsp.training.precision import Precision
from vptsp.training.session import Session
from vptsp.training.state import TrainingState

Tiny = Callable[..., Config]
ROOM = str(Path(vptsp.training.__file__).parent)
# What makes Python wait for the result of a device: its numbers, or a size that depends on them.
WAITING = {"item", "tolist", "numpy", "cpu", "unique", "nonzero", "argwhere", "masked_select", "equal", "is_nonzero"}
WAITING |= {f"__{name}__" for name in ("bool", "int", "float", "index", "contains", "array", "repr", "format")}


def silent(event: Event) -> None:
    """An observer that prints nothing."""


class Waits(TorchFunctionMode):
    """Counts what would wait for a device where the training room asks for it, itself or through torch."""

    def __init__(self) -> None:
        super().__init__()
        self.counted: Counter[str] = Counter()

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func.__name__ in WAITING and _asked_from(ROOM):
            self.counted[func.__name__] += 1
        return func(*args, **(kwargs or {}))


def _asked_from(folder: str) -> bool:
    """Whether the nearest caller outside torch lives in a folder."""
    frame = sys._getframe(2)
    while frame is not None and f"{Path(torch.__file__).parent}/" in frame.f_code.co_filename:
        frame = frame.f_back
    return frame is not None and frame.f_code.co_filename.startswith(folder)


def waits_between_steps(config: Config, path: Path) -> list[Counter[str]]:
    """What each step waited for, from the observer's word of the last one to its word of the next."""
    seen: list[Counter[str]] = []

    def observe(event: Event) -> None:
        if event.kind == "step":
            seen.append(waits.counted.copy())
        waits.counted.clear()

    with Waits() as waits:
        vptsp.training.loop.train(config, path, observer=observe)
    return seen


@pytest.mark.parametrize(
    "changes",
    [
        {"method": "vpt_bias"},
        {"method": "vptsp_g", "grad_clip": 1.0},
        {"method": "linear", "task": "recognition"},
        {"method": "vptsp_g", "images_per_pass": 3},
    ],
)
def test_a_step_waits_for_the_device_once(tiny: Tiny, tmp_path: Path, changes: dict[str, Any]) -> None:
    """With SGD: torch's Adam reads its count of steps, which lives on the CPU."""
    steps = waits_between_steps(tiny(optimizer="sgd", **changes), tmp_path / "run")
    assert len(steps) >= 6
    assert steps == [Counter({"tolist": 1})] * len(steps)


def test_the_count_sees_a_wait(tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second one, put where the first is: the test above would fail."""
    clip = Session.clip_gradients

    def curious(session: Session) -> torch.Tensor:
        norm = clip(session)
        exec(compile("norm.item()", f"{ROOM}/somewhere.py", "exec"), {"norm": norm})
        return norm

    monkeypatch.setattr(Session, "clip_gradients", curious)
    steps = waits_between_steps(tiny(optimizer="sgd", method="linear", epochs=1), tmp_path / "run")
    assert steps == [Counter({"tolist": 1, "item": 1})] * len(steps)


# --- steps that go wrong --------------------------------------------------------------------------
@pytest.mark.parametrize("rows", [False, True])
def test_a_gradient_that_is_not_finite_reaches_no_parameter(tiny: Tiny, tmp_path: Path, rows: bool) -> None:
    updates = {"class_prompt_updates": "rows"} if rows else {}
    session = Session.prepare(tiny(method="vptsp_g", **updates, **BEFORE))  # nothing is set before the first step
    backward = session.backward
    before = {name: p.detach().clone() for name, p in session.model.named_parameters() if p.requires_grad}

    def poisoned(loss: torch.Tensor) -> None:
        backward(loss)
        session.model.learned.grad[0, 0] = float("nan")

    session.backward = poisoned  # type: ignore[method-assign]
    run = Run.create(tmp_path / "run", session.config)
    with pytest.raises(TrainingError, match=r"the gradient norm is nan at batch 1 of epoch 1, with classes class_\d\d"):
        vptsp.training.loop._train(run, session, silent)
    for name, parameter in session.model.named_parameters():
        if name in before:
            assert torch.equal(parameter, before[name]), name
    if rows:
        assert not session.model.rows.bank.steps.any()
    assert not (run.path / "checkpoint/last").exists()


def test_a_step_that_overflows_is_left_out_and_the_run_goes_on(tiny: Tiny, tmp_path: Path) -> None:
    """fp16's scaler on the CPU in fp32: its scale is too large until it has shrunk, as in a run's first steps."""
    session = Session.prepare(tiny(method="linear", epochs=1))
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**127, backoff_factor=2.0**-10)
    session.fabric.strategy.precision.scaler = scaler
    backward = session.backward
    session.backward = lambda loss: backward(scaler.scale(loss))  # type: ignore[method-assign]
    moved: list[bool] = []
    head = session.model.head.linear.weight

    def observe(event: Event) -> None:
        moved.append(not torch.equal(head, last[0]))
        last[0] = head.detach().clone()

    last = [head.detach().clone()]
    run = Run.create(tmp_path / "run", session.config)
    vptsp.training.loop._train(run, session, observe)
    assert moved[1] is False, "the first step overflowed and was kept"
    assert any(moved), "no step was taken after the scale had shrunk"


def test_an_epoch_that_ends_in_an_overflow_has_no_gradient_norm(tiny: Tiny, tmp_path: Path) -> None:
    session = Session.prepare(tiny(method="linear"))
    session.fabric.strategy.precision.scaler = scaler = torch.amp.GradScaler("cpu", init_scale=2.0**120)
    backward = session.backward
    session.backward = lambda loss: backward(scaler.scale(loss) * float("inf"))  # type: ignore[method-assign]
    run = Run.create(tmp_path / "run", session.config)
    vptsp.training.loop._train(run, session, silent)
    assert [line["gradient_norm"] for line in run.metrics()] == [None, None]
    assert json.loads((run.path / "checkpoint/last/state.json").read_text())["gradient_norm"] is None


# --- state and precision --------------------------------------------------------------------------
def test_a_state_is_read_as_it_was_stored() -> None:
    state = TrainingState(
        epoch=2, batch=3, loss_sum=0.1 + 0.2, best={"epoch": 1, "val_recall_at_1": 0.5}, lines=[{"epoch": 1}]
    )
    stored = json.loads(json.dumps(state.to_json())) | {"optimizers": {}, "fingerprint": "abc"}
    later = ["foothold", "inside", "scaler"]  # which checkpoints of earlier versions do not have
    assert list(state.to_json()) == ["epoch", "batch", "loss_sum", "gradient_norm", "best", "lines", *later]
    assert TrainingState.from_json(stored, "run") == state
    for name in later:
        del stored[name]
    assert TrainingState.from_json(stored, "run") == state
    del stored["batch"], stored["best"]
    with pytest.raises(RunError, match="the checkpoint of run holds no batch, best"):
        TrainingState.from_json(stored, "run")


def test_a_scale_comes_back_with_its_checkpoint(tiny: Tiny, tmp_path: Path) -> None:
    first, second = (Session.prepare(tiny(method="linear")) for _ in range(2))
    run = Run.create(tmp_path / "run", first.config)
    for session, scale in ((first, 512.0), (second, 2.0)):
        plugin = session.fabric.strategy.precision
        plugin.scaler = scaler = torch.amp.GradScaler("cpu", init_scale=scale)
        plugin.state_dict, plugin.load_state_dict = scaler.state_dict, scaler.load_state_dict
        scaler.scale(torch.ones(1))  # a scale exists from its first use
    TrainingState(epoch=1).save(run, first)
    assert TrainingState.resumed(run, second).scaler["scale"] == 512.0
    assert second.precision.scaler is not None
    assert second.precision.scaler.get_scale() == 512.0


@pytest.mark.parametrize(("precision", "name"), [("fp32", "32-true"), ("bf16", "bf16-mixed")])
def test_a_precision_without_a_loss_scale(tiny: Tiny, precision: str, name: str) -> None:
    found = Precision(Session.prepare(tiny(method="linear", precision=precision)).fabric)
    assert (found.name, found.scaler, found.skips_overflows, found.state()) == (name, None, False, {})


def test_recognition_needs_class_scores(tiny: Tiny) -> None:
    session = Session.prepare(tiny(method="linear"))
    images, labels, _ = next(iter(session.loader))
    objective = make_objective(tiny(method="linear", task="recognition"))
    with pytest.raises(ConfigError, match="trains class scores, and this model gives none"):
        objective(session.model, session.forward(images, labels), labels)


# --- the room's door ------------------------------------------------------------------------------
def test_the_room_gives_its_public_names() -> None:
    from vptsp.training import train

    assert train is vptsp.training.loop.train
    assert {name for name in vptsp.training.__all__ if getattr(vptsp.training, name) is None} == set()
    with pytest.raises(AttributeError, match="has no attribute 'trian'"):
        vptsp.training.trian  # noqa: B018
