"""Frozen weights cast once: the same bits as cast at every use, in any method, and only where that is so."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from torch import Tensor
from trainings import assert_identical, silent

import vptsp.training.session
from vptsp.core.backbones.load import load_backbone
from vptsp.machine import make_fabric
from vptsp.settings.build import ConfiguredModel, build_model
from vptsp.settings.config import Config
from vptsp.settings.methods import METHODS
from vptsp.training.frozen_weights import keep_frozen_weights
from vptsp.training.loop import train
from vptsp.training.objective import make_objective
from vptsp.training.precision import Precision

Tiny = Callable[..., Config]
SMALL = {"test_vit": "vptsp_g", "vit_small_patch16_dinov3": "vptsp_g", "test_resnet": "linear"}
CHANGES = [(name, {}) for name, method in METHODS.items() if method.trains and "retrieval" in method.tasks]
CHANGES = [(name, more) for name, more in CHANGES if name != "side"] + [("lora", {"bitfit": True})]


def make(config: Config, **changes: Any) -> ConfiguredModel:
    backbone = load_backbone(config.backbone, "random", config.image_size)
    torch.manual_seed(0)
    return build_model(config.changed(**changes), backbone, 4)


def one_step(model: ConfiguredModel) -> tuple[Tensor, dict[str, Tensor]]:
    """The loss under bf16, and all gradients."""
    fabric = make_fabric("cpu", "bf16")
    torch.manual_seed(1)
    images, labels = torch.randn(4, 3, *model.backbone.size), torch.tensor([0, 0, 1, 1])
    with fabric.autocast():
        loss = make_objective(model.config)(model, model.train()(images, labels), labels)
    loss.backward()
    return loss.detach(), {name: p.grad for name, p in model.named_parameters() if p.grad is not None}


def in_bf16() -> Precision:
    return Precision(make_fabric("cpu", "bf16"))


@pytest.mark.usefixtures("two_blocks")
@pytest.mark.parametrize(("method", "more"), CHANGES)
def test_loss_and_gradients_are_the_same_bits(method: str, more: dict[str, Any], tiny: Tiny) -> None:
    config = tiny(method=method, **more)
    cast, once = make(config), make(config)
    saved = keep_frozen_weights(once, in_bf16())
    assert (saved == 0) == METHODS[method].tunes.startswith("all")
    (loss, gradients), (loss_once, gradients_once) = one_step(cast), one_step(once)
    assert torch.equal(loss, loss_once)
    assert gradients.keys() == gradients_once.keys()
    assert [name for name, gradient in gradients.items() if not torch.equal(gradient, gradients_once[name])] == []


@pytest.mark.parametrize(("name", "method"), SMALL.items())
def test_so_in_other_families(name: str, method: str, tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    create = timm.create_model
    short = {"depth": 2} if method == "vptsp_g" else {}
    monkeypatch.setattr(timm, "create_model", lambda name, **given: create(name, **short, **given))
    config = tiny(method=method, backbone=name)
    cast, once = make(config), make(config)
    assert keep_frozen_weights(once, in_bf16()) > 0
    (loss, gradients), (loss_once, gradients_once) = one_step(cast), one_step(once)
    assert torch.equal(loss, loss_once)
    assert all(torch.equal(gradient, gradients_once[part]) for part, gradient in gradients.items())


@pytest.mark.usefixtures("two_blocks")
def test_what_autocast_leaves_is_left(tiny: Tiny) -> None:
    model = make(tiny(method="lora", bitfit=True))
    vit, fingerprint = model.backbone.vit, model.backbone.fingerprint
    before = {name: value.detach().clone() for name, value in vit.named_parameters()}
    keep_frozen_weights(model, in_bf16())
    half = {name for name, value in vit.named_parameters() if value.dtype == torch.bfloat16}
    assert {"blocks.0.attn.proj.weight", "blocks.1.mlp.fc1.weight", "patch_embed.proj.weight"} <= half
    assert all(value.dtype == torch.float32 for value in vit.parameters() if value.requires_grad)
    left = [name for name, _ in vit.named_parameters() if name not in half]
    assert all(torch.equal(vit.get_parameter(name), before[name]) for name in left)
    assert {"pos_embed", "blocks.0.norm1.weight", "blocks.0.attn.qkv.base_layer.weight"} <= set(left)
    assert model.backbone.fingerprint == fingerprint


@pytest.mark.usefixtures("two_blocks")
def test_nothing_is_cast_in_fp32(tiny: Tiny) -> None:
    model = make(tiny())
    assert keep_frozen_weights(model, Precision(make_fabric("cpu", "fp32"))) == 0
    assert {value.dtype for value in model.parameters()} == {torch.float32}


@pytest.mark.usefixtures("two_blocks")
@pytest.mark.parametrize("settings", [{}, {"images_per_pass": 4}, {"method": "e2vpt", "pruned_tokens": 0.5}])
def test_a_run_is_the_same_run(
    settings: dict[str, Any], tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tiny(precision="bf16", select_start="whitened", select_finish="whitened", **settings)
    once = train(config, tmp_path / "once", observer=silent)
    monkeypatch.setattr(vptsp.training.session, "keep_frozen_weights", lambda *_: 0)
    cast = train(config, tmp_path / "cast", observer=silent)
    assert_identical(once, cast)
