"""Steps in parts, and activations computed again: less memory, the same gradients."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import lightning_fabric as lightning
import pytest
import torch
from swins import make_swin

from vptsp.analysis.footprint import training_footprint
from vptsp.core.backbones.load import Backbone, load_backbone
from vptsp.core.prompts.bank import MemoryBank
from vptsp.errors import ConfigError
from vptsp.settings.build import build_model
from vptsp.settings.config import Config, make_config
from vptsp.training.gradient_cache import DividedForward
from vptsp.training.loop import train
from vptsp.training.objective import make_objective
from vptsp.training.session import Session

Tiny = Callable[..., Config]
CLASSES = 6
SMALL = {
    "backbone": "test_vit",
    "backbone_weights": "random",
    "image_size": 32,
    "embedding_size": 16,
    "num_prompts": 3,
    "num_class_prompts": 2,
    "batch_size": 8,
    "precision": "fp32",
    "device": "cpu",
    "side_weights": "random",
}
LABELS = torch.tensor([2, 2, 5, 0, 5, 0, 3, 1])  # classes in no order, across the borders of every part

CASES: dict[str, dict[str, Any]] = {
    "gru": {"method": "vptsp_g", "gru_dropout": 0.4},
    "moving average": {"method": "vptsp_m", "bitfit": False},
    "rows": {"method": "vptsp_g", "class_prompt_updates": "rows"},
    "prompt dropout": {"method": "vptsp_g", "prompt_dropout": 0.5},
    "proxies held apart": {"method": "vptsp_g", "anti_collapse": 0.1},
    "embeddings held apart": {"method": "linear", "loss": "recall_at_k", "anti_collapse": 0.1},
    "encoder": {"method": "vptsp_g", "semantic_source": "encoder"},
    "encoder, no gradient": {"method": "vptsp_g", "semantic_source": "encoder_no_grad"},
    "samples": {"method": "vptsp_m", "semantic_source": "samples"},
    "proxies of the batch": {"method": "vptsp_g", "loss_proxies": "batch"},
    "image anchor": {"method": "vptsp_g", "loss": "image_anchor"},
    "proxy-nca": {"method": "vpt_bias", "loss": "proxy_nca"},
    "softmax": {"method": "vpt_shallow", "loss": "normalized_softmax"},
    "attention unit": {"method": "vptsp_g", "semantic_unit": "attention"},
    "adapter": {"method": "adapter", "adapter_norm": "pre"},
    "low rank": {"method": "lora"},
    "side": {"method": "side", "image_size": 64},
    "full": {"method": "full"},
    "pairs of another library, mined": {
        "method": "vpt_bias",
        "loss": "pml:MultiSimilarityLoss",
        "miner": "pml:MultiSimilarityMiner",
    },
    "proxies of another library": {"method": "vptsp_g", "loss": "pml:ArcFaceLoss", "loss_args": {"margin": 5.7}},
    "pairs with a memory": {"method": "vpt_bias", "loss": "recall_at_k", "loss_memory": 16},
    "centres of the loss": {"method": "linear", "loss": "soft_triple", "loss_args": {"centres": 3}},
    "prompt dynamics": {"method": "vpt_bias", "prompt_dynamics": "linear", "dynamics_size": 8, "prompt_dropout": 0.3},
    "guided prompts": {"method": "davpt_dml", "num_guided_prompts": 3, "guided_patch": "prompt_output"},
    "classifier": {"method": "vpt_bias", "task": "recognition"},
    "proxies as classes": {"method": "vptsp_g", "task": "recognition"},
}
SWIN = {
    "deep": {"method": "vptsp_g"},
    "shallow": {"method": "vpt_shallow", "bitfit": True},
}


def make_backbone(config: Config) -> Backbone:
    if config.backbone != "swin":
        return load_backbone(config.backbone, "random", config.image_size)
    half = (0.5, 0.5, 0.5)
    return Backbone(make_swin(), name="swin", weights="random", image_size=32, mean=half, std=half, pooling="mean")


def gradients(config: Config) -> tuple[dict[str, torch.Tensor], torch.Tensor, torch.Tensor]:
    """Gradients of one step by name, the loss, and a number drawn after it."""
    torch.manual_seed(0)
    fabric = lightning.Fabric(accelerator="cpu", devices=1)
    model = build_model(config, make_backbone(config), CLASSES)
    model.double().train()
    if model.rows is not None:
        bank = model.rows.open_bank(torch.device("cpu"))
        assert isinstance(bank, MemoryBank)
        bank.blocks = [block.double() for block in bank.blocks]
    images = torch.randn(8, 3, model.backbone.image_size, model.backbone.image_size, dtype=torch.double)
    divided = config.images_per_pass is not None
    forward = DividedForward(model, fabric, config.images_per_pass) if divided else model
    loss = make_objective(config)(model, forward(images, LABELS), LABELS)
    loss.backward()
    if isinstance(forward, DividedForward):
        forward.backward()
    found = {name: p.grad for name, p in model.named_parameters() if p.grad is not None}
    if model.rows is not None:
        found["class_prompts"] = model.rows.leaves[0].grad
    if model.method.semantic != "none" and config.task == "retrieval":
        found["container"] = model.semantic.container.rows
    return found, loss.detach(), torch.rand(3)


def assert_same_step(config: Config, plain: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.Tensor, "float", torch.Tensor.double)  # heads and losses compute in fp32 otherwise
    (mine, loss, drawn), (theirs, expected, drawn_then) = gradients(config), gradients(plain)
    assert mine.keys() == theirs.keys()
    torch.testing.assert_close(loss, expected, rtol=1e-12, atol=0)
    for name, gradient in theirs.items():
        torch.testing.assert_close(mine[name], gradient, rtol=1e-7, atol=1e-10, msg=lambda m, n=name: f"{n}: {m}")
    assert torch.equal(drawn, drawn_then), "the random state after the step is another one"


@pytest.mark.parametrize("name", CASES)
def test_a_step_in_parts_has_the_gradients_of_the_whole(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = make_config(SMALL, CASES[name])
    assert_same_step(plain.changed(images_per_pass=3), plain, monkeypatch)


@pytest.mark.parametrize("name", ["gru", "rows", "prompt dropout", "adapter", "low rank", "full", "softmax", "samples"])
def test_activations_computed_again_give_the_same_gradients(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = make_config(SMALL, CASES[name])
    assert_same_step(plain.changed(activation_checkpointing=True), plain, monkeypatch)


@pytest.mark.parametrize("name", SWIN)
@pytest.mark.parametrize("saving", [{"images_per_pass": 3}, {"activation_checkpointing": True}])
def test_a_swin_too(name: str, saving: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    plain = make_config(SMALL, SWIN[name], {"backbone": "swin"})
    assert_same_step(plain.changed(**saving), plain, monkeypatch)


def test_both_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = make_config(SMALL, CASES["rows"], {"prompt_dropout": 0.5})
    assert_same_step(plain.changed(activation_checkpointing=True, images_per_pass=2), plain, monkeypatch)


def test_a_run_in_parts_is_the_run_at_once(tiny: Tiny, tmp_path: Any) -> None:
    """Through the training loop: losses, gradient norms and what is stored, to rounding."""
    plain = tiny(method="vptsp_g", gru_dropout=0.3, optimizer="sgd", lr=1e-2, grad_clip=1.0)
    saving = plain.changed(images_per_pass=3, activation_checkpointing=True)
    runs = [train(c, tmp_path / str(i), observer=lambda event: None) for i, c in enumerate((plain, saving))]
    for mine, theirs in zip(*(run.metrics() for run in runs), strict=True):
        assert mine["loss"] == pytest.approx(theirs["loss"], rel=1e-4)
        assert mine["gradient_norm"] == pytest.approx(theirs["gradient_norm"], rel=1e-3)
    snapshots = [run.snapshot(2) for run in runs]
    for name, value in snapshots[0].items():
        torch.testing.assert_close(snapshots[1][name], value, rtol=1e-3, atol=1e-4)


def test_a_loss_scale_reaches_the_parameters_once(tiny: Tiny) -> None:
    """What fp16 does on a GPU, with the scaler on the CPU in fp32, where the scale must change nothing."""
    sessions = [Session.prepare(tiny(grad_clip=1.0, images_per_pass=n)) for n in (None, 3)]
    images, labels, _ = next(iter(sessions[0].loader))
    norms = []
    for session, scale in zip(sessions, (None, 1024.0), strict=True):
        scaler = torch.amp.GradScaler("cpu", init_scale=scale or 1.0)
        session.fabric.strategy.precision.scaler = scaler
        session.model.train()
        loss = make_objective(session.config)(session.model, session.forward(images, labels), labels)
        session.backward(scaler.scale(loss))
        norms.append(session.clip_gradients())
    torch.testing.assert_close(norms[1], norms[0], rtol=1e-4, atol=0)


def test_less_is_kept_for_the_backward_pass() -> None:
    config = make_config(SMALL, {"method": "vptsp_g", "batch_size": 16})
    ways: dict[str, dict[str, Any]] = {
        "all": {},
        "parts": {"images_per_pass": 4},
        "blocks": {"activation_checkpointing": True},
    }
    kept = {
        name: training_footprint(config.changed(**changes), CLASSES)["activations"] for name, changes in ways.items()
    }
    assert kept["parts"] < 0.35 * kept["all"]
    assert 0.02 * kept["all"] < kept["blocks"] < 0.35 * kept["all"]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"batch_size": 8, "images_per_pass": 9}, "images_per_pass=9 is more than batch_size=8; legal: 1 to 8"),
        ({"method": "mlp", "images_per_pass": 2}, r"method='mlp' normalises over the whole batch \(BatchNorm\)"),
    ],
)
def test_parts_that_cannot_be_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make_config(settings)
