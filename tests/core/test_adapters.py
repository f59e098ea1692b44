"""Adapters and low-rank updates: they start as nothing, learn, and compute what their papers write."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import timm
import torch
import torch.nn.functional as F
from timm.models.swin_transformer import SwinTransformer
from torch import Tensor, nn

from vptsp.core.adapters import AdaptedMlp, Adapter
from vptsp.core.backbones.load import Backbone
from vptsp.core.encoder import embed_patches, encode
from vptsp.settings.build import ConfiguredModel, build_model
from vptsp.settings.config import make_config

HALF = (0.5, 0.5, 0.5)
TARGETS = ("qkv", "proj", "fc1", "fc2")
PLACES_AND_NORMS = [(place, norm) for place in ("sequential", "parallel") for norm in ("none", "pre", "post")]


def make_backbone(kind: str) -> Backbone:
    """A tiny ViT (pooled by CLS or by the mean) or Swin, away from the zeros and ones of initialisation."""
    torch.manual_seed(0)
    if kind == "swin":
        vit: Any = SwinTransformer(
            img_size=32, patch_size=4, window_size=4, embed_dim=24, depths=(1, 2), num_heads=(2, 4), num_classes=0
        )
    else:
        vit = timm.create_model(
            "vit_tiny_patch16_224", img_size=32, patch_size=8, embed_dim=24, depth=3, num_heads=2, num_classes=0,
            global_pool="token" if kind == "cls" else "avg",
        )  # fmt: skip
    for name, parameter in vit.named_parameters():
        if parameter.dim() < 2 or name.endswith("bias_table"):
            nn.init.normal_(parameter, mean=float("norm" in name and "weight" in name), std=0.2)
    vit.requires_grad_(False).eval()
    return Backbone(vit, kind, "random", 32, HALF, HALF, "cls" if kind == "cls" else "mean")


def make_model(backbone: Backbone, **settings: Any) -> ConfiguredModel:
    return build_model(make_config({"embedding_size": 8, "adapter_size": 5}, settings), backbone, 4)


def make_prompts(backbone: Backbone, kind: str) -> tuple[list[Tensor], Tensor | None]:
    """Prompts for every block, and the group of each of 3 images where they differ by group."""
    if kind == "none":
        return [], None
    shape = (4,) if kind == "shared" else (2, 4)
    groups = None if kind == "shared" else torch.tensor([1, 0, 1])
    return [torch.randn(*shape, width) for width in backbone.widths], groups


# --- adapters -------------------------------------------------------------------------------------
@pytest.mark.parametrize("kind", ["cls", "mean", "swin"])
@pytest.mark.parametrize(("place", "norm"), PLACES_AND_NORMS)
def test_adapters_start_as_nothing_and_all_of_them_learns_within_two_steps(kind: str, place: str, norm: str) -> None:
    backbone = make_backbone(kind)
    plain = copy.deepcopy(backbone)
    model = make_model(backbone, method="adapter", adapter_place=place, adapter_norm=norm).train()
    images = torch.randn(3, 3, 32, 32)
    expected = encode(plain, embed_patches(plain.vit, images)).features
    assert torch.equal(model(images).encoded.features, expected)
    tuned = {name: p for name, p in model.named_parameters() if ".adapter." in name}
    assert len(tuned) == 3 * (4 if norm == "none" else 6)
    learned: set[str] = set()
    optimizer = torch.optim.SGD(tuned.values(), lr=0.1)
    for _ in range(2):
        optimizer.zero_grad()
        (model(images).encoded.features - expected - 1).square().sum().backward()
        learned |= {name for name, p in tuned.items() if p.grad is not None and p.grad.abs().sum() > 0}
        optimizer.step()
    assert learned == set(tuned)
    assert not torch.allclose(model(images).encoded.features, expected, atol=1e-3)
    frozen = {name: value for name, value in model.vit.state_dict().items() if ".adapter." not in name}
    before = plain.vit.state_dict()
    assert all(torch.equal(value, before[name.replace(".mlp.mlp.", ".mlp.")]) for name, value in frozen.items())


@pytest.mark.parametrize("norm", ["none", "pre"])
def test_the_published_start_leaves_all_but_the_last_bias_where_it_is(norm: str) -> None:
    """VPT's code: both weights are zero, so that neither gets a gradient, whatever the number of steps."""
    model = make_model(make_backbone("cls"), method="adapter_published", adapter_norm=norm).train()
    tuned = {name: p for name, p in model.named_parameters() if ".adapter." in name}
    start = {name: p.detach().clone() for name, p in tuned.items()}
    optimizer = torch.optim.SGD(tuned.values(), lr=0.1)
    images = torch.randn(3, 3, 32, 32)
    for _ in range(4):
        optimizer.zero_grad()
        (model(images).encoded.features - 1).square().sum().backward()
        optimizer.step()
    moved = {name.split(".adapter.")[1] for name, p in tuned.items() if not torch.equal(p, start[name])}
    assert moved == {"up.bias"}
    assert all((p == 0).all() for name, p in tuned.items() if name.endswith(("down.weight", "up.weight")))


@pytest.mark.parametrize(("place", "norm"), PLACES_AND_NORMS)
def test_an_adapted_mlp_is_the_mlp_and_a_bottleneck_on_its_output_or_input(place: Any, norm: Any) -> None:
    torch.manual_seed(0)
    mlp, adapter = nn.Linear(6, 6), Adapter(6, 3, norm, "working")
    for parameter in adapter.parameters():
        nn.init.normal_(parameter)
    x = torch.randn(2, 5, 6)
    out = mlp(x)
    seen = out if place == "sequential" else x
    if norm == "pre":
        seen = F.layer_norm(seen, (6,), adapter.before.weight, adapter.before.bias)
    hidden = F.gelu(seen @ adapter.down.weight.T + adapter.down.bias)
    added = hidden @ adapter.up.weight.T + adapter.up.bias
    if norm == "post":
        added = F.layer_norm(added, (6,), adapter.after.weight, adapter.after.bias)
    torch.testing.assert_close(AdaptedMlp(mlp, adapter, place)(x), out + added)


def test_adapters_sit_in_the_first_blocks_and_are_an_eighth_as_wide_unless_told() -> None:
    swin = make_backbone("swin")
    make_model(swin, method="adapter", adapter_size=None, adapter_depth=2)
    adapted = [isinstance(block.mlp, AdaptedMlp) for block in swin.blocks]
    assert adapted == [True, True, False]
    assert [block.mlp.adapter.down.out_features for block in swin.blocks[:2]] == [24 // 8, 48 // 8]


# --- low-rank updates -----------------------------------------------------------------------------
def merge(backbone: Backbone, adapted: Backbone, targets: tuple[str, ...], scale: float) -> Backbone:
    """``backbone`` with ``W + scale B A`` in place of W."""
    for block, other in zip(backbone.blocks, adapted.blocks, strict=True):
        for target in targets:
            part, layer = (block.attn, other.attn) if target in ("qkv", "proj") else (block.mlp, other.mlp)
            updated = getattr(layer, target)
            with torch.no_grad():
                getattr(part, target).weight += (
                    scale * updated.lora_B["default"].weight @ updated.lora_A["default"].weight
                )
    return backbone


@pytest.mark.parametrize("kind", ["cls", "mean", "swin"])
def test_updates_start_as_nothing(kind: str) -> None:
    backbone = make_backbone(kind)
    plain = copy.deepcopy(backbone)
    model = make_model(backbone, method="lora", lora_targets=TARGETS).train()
    images = torch.randn(3, 3, 32, 32)
    features = model(images).encoded.features
    torch.testing.assert_close(features, encode(plain, embed_patches(plain.vit, images)).features)
    features.square().sum().backward()
    trained = {name: p for name, p in model.vit.named_parameters() if p.requires_grad}
    assert len(trained) == 3 * len(TARGETS) * 2
    for name, parameter in trained.items():
        assert ".lora_" in name
        assert (parameter.grad.abs().sum() > 0) == (".lora_B." in name), "A learns as soon as B has left zero"


@pytest.mark.parametrize("prompts", ["none", "shared", "grouped"])
@pytest.mark.parametrize("targets", [("qkv",), ("proj", "fc2"), TARGETS], ids="+".join)
@pytest.mark.parametrize("kind", ["cls", "mean", "swin"])
def test_updates_equal_merged_weights(kind: str, targets: tuple[str, ...], prompts: str) -> None:
    """Keys and values of prompts, and the lone query of CLS, are computed apart from the layer's own forward."""
    backbone = make_backbone(kind)
    plain = copy.deepcopy(backbone)
    model = make_model(backbone, method="lora", lora_targets=targets, lora_rank=3, lora_alpha=6)
    torch.manual_seed(1)
    for name, parameter in model.named_parameters():
        if ".lora_" in name:
            nn.init.normal_(parameter, std=0.3)
    merged = merge(copy.deepcopy(plain), backbone, targets, scale=6 / 3)
    images = torch.randn(3, 3, 32, 32)
    given, groups = make_prompts(backbone, prompts)
    ours, theirs, without = (
        encode(one, embed_patches(one.vit, images), given, groups).features for one in (backbone, merged, plain)
    )
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)
    assert not torch.allclose(ours, without, atol=1e-2)


def test_biases_train_beside_updates_on_request() -> None:
    model = make_model(make_backbone("cls"), method="lora", bitfit=True)
    trained = {name for name, p in model.vit.named_parameters() if p.requires_grad}
    assert {name for name in trained if ".lora_" not in name} == {
        name for name, _ in model.vit.named_parameters() if name.endswith(".bias")
    }
    assert model.counts().parts.keys() >= {"backbone biases", "low-rank updates"}
