"""Every family's key/value path against prompts run as tokens of timm's own blocks, in fp64, with gradients."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from prompt_tokens import MEMBERS, features_by_tokens, member
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks

from vptsp.core.backbones.load import Backbone
from vptsp.core.backbones.tuning import parameter_names
from vptsp.core.encoder import embed_patches, encode
from vptsp.core.heads import Head
from vptsp.core.model import EmbeddingModel
from vptsp.core.prompts.visual import VisualPrompts


def make_images(backbone: Backbone, count: int = 3) -> Tensor:
    return torch.randn(count, 3, *backbone.size, dtype=torch.float64)


def make_prompts(backbone: Backbone, *shape: int) -> list[Tensor]:
    return [torch.randn(*shape, width, dtype=torch.float64, requires_grad=True) for width in backbone.widths]


def features_of(backbone: Backbone, images: Tensor, *arguments: Any, **keywords: Any) -> Tensor:
    tokens, grid = embed_patches(backbone.vit, images), backbone.grid(images)
    return encode(backbone, tokens, *arguments, grid=grid, **keywords).features


def timms_own(backbone: Backbone, images: Tensor) -> Tensor:
    features: Tensor = backbone.vit.forward_head(backbone.vit.forward_features(images), pre_logits=True)
    return features


@pytest.mark.parametrize("name", MEMBERS)
@torch.no_grad()
def test_without_prompts_it_is_timms_own_feature(name: str) -> None:
    backbone = member(name)
    images = make_images(backbone)
    expected = timms_own(backbone, images)
    assert expected.shape == (3, backbone.width)
    for kernel in ("fused", "matmul"):
        torch.testing.assert_close(features_of(backbone, images, kernel=kernel), expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("name", MEMBERS)
@pytest.mark.parametrize("kind", ["shared", "grouped"])
def test_keys_and_values_equal_prompt_tokens(name: str, kind: str) -> None:
    """Features, and gradients of prompts and of what BitFit trains; with either kernel."""
    backbone = member(name)
    images, groups = make_images(backbone), None if kind == "shared" else torch.tensor([1, 0, 1])
    prompts = make_prompts(backbone, *((4,) if kind == "shared" else (2, 4)))
    biases = [backbone.vit.get_parameter(key) for key in parameter_names(backbone, bitfit=True)]
    expected = features_by_tokens(backbone, images, prompts, groups)
    assert (expected - timms_own(backbone, images)).abs().max() > 1e-3, "prompts matter"
    weights = torch.linspace(-1, 1, expected.shape[1], dtype=torch.float64)
    slow = torch.autograd.grad((expected * weights).sum(), prompts + biases, allow_unused=True)
    assert all(gradient.abs().max() > 1e-8 for gradient in slow[: len(prompts)])
    for kernel in ("fused", "matmul"):
        features = features_of(backbone, images, prompts, groups, kernel=kernel)
        torch.testing.assert_close(features, expected, rtol=1e-10, atol=1e-10)
        fast = torch.autograd.grad((features * weights).sum(), prompts + biases, allow_unused=True)
        for one, other in zip(slow, fast, strict=True):
            assert (one is None) == (other is None)
            if one is not None:
                torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("name", MEMBERS)
@torch.no_grad()
def test_attention_adds_up_and_activations_can_be_computed_again(name: str) -> None:
    backbone = member(name)
    images, prompts = make_images(backbone), make_prompts(backbone, 4)
    tokens, grid = embed_patches(backbone.vit, images), backbone.grid(images)
    shown = backbone.family.global_attention
    full = encode(backbone, tokens, prompts, grid=grid, want_tokens=True, want_attention=shown)
    assert len(full.tokens) == backbone.depth
    if shown:
        assert len(full.attention) == backbone.depth
        for weights in full.attention:
            torch.testing.assert_close(weights.sum(-1), torch.ones_like(weights[..., 0]))
        if backbone.pooling == "own" and full.attention[-1].shape[2] > 2:
            assert full.shares is not None
            torch.testing.assert_close(full.shares.sum(1), torch.ones(3, dtype=torch.float64))
    with torch.enable_grad():
        again = encode(backbone, tokens, prompts, grid=grid, recompute=True).features
        torch.autograd.grad(again.sum(), prompts)
    torch.testing.assert_close(again, full.features, rtol=1e-10, atol=1e-10)


# --- what is made of the backbone -----------------------------------------------------------------
class Embedder(torch.nn.Module):
    """Images to embeddings through prompts in every block; plain products, as exports use."""

    def __init__(self, backbone: Backbone) -> None:
        super().__init__()
        prompts = VisualPrompts([2] * backbone.depth, backbone.widths)
        head = Head(backbone.width, 8)
        self.model = EmbeddingModel(backbone, head, prompts=prompts, kernel="matmul").eval().requires_grad_(False)

    def forward(self, images: Tensor) -> Tensor:
        return self.model(images).embeddings


QUICK = ("DINOv3",)


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[] if name in QUICK else [pytest.mark.slow]) for name in MEMBERS]
)
@torch.no_grad()
def test_programs_take_any_batch(name: str) -> None:
    """The pt2 form of an export: no size of a batch is written into the program."""
    backbone = member(name)
    backbone.vit.float()
    embedder = Embedder(backbone)
    shapes = {"images": {0: torch.export.Dim("batch", min=1)}}
    program = torch.export.export(embedder, (torch.rand(2, 3, *backbone.size),), dynamic_shapes=shapes).module()
    for batch in (1, 3):
        images = torch.rand(batch, 3, *backbone.size)
        torch.testing.assert_close(program(images), embedder(images), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["DINOv3", "NaFlexViT", "NaFlexViT, RoPE"])
@torch.no_grad()
def test_images_of_another_size_and_aspect(name: str) -> None:
    """Positions are those of the rows and columns that the images have; timm's own feature is the measure."""
    backbone = member(name)
    images = torch.randn(2, 3, 24, 40, dtype=torch.float64)
    assert backbone.grid(images) == (3, 5)
    torch.testing.assert_close(features_of(backbone, images), timms_own(backbone, images), rtol=1e-10, atol=1e-10)
    prompts = make_prompts(backbone, 4)
    expected = features_by_tokens(backbone, images, prompts)
    torch.testing.assert_close(features_of(backbone, images, prompts), expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("name", ["DINOv3", "BEiT", "CaiT", "Hiera", "SigLIP, pools by attention"])
@torch.no_grad()
def test_travelling_prompts_reach_all_blocks_and_are_not_pooled(name: str) -> None:
    """They matter by their number, not by their order; images do not meet; without any it is timm's feature."""
    backbone = member(name)
    images = make_images(backbone)
    prompt = torch.randn(1, backbone.widths[0], dtype=torch.float64)
    one, three = (features_of(backbone, images, shallow=[prompt.expand(n, -1)]) for n in (1, 3))
    assert (one - three).abs().max() > 1e-4
    order = torch.randn(3, backbone.widths[0], dtype=torch.float64)
    first, last = (features_of(backbone, images, shallow=[order[i]]) for i in ([0, 1, 2], [2, 0, 1]))
    torch.testing.assert_close(first, last, rtol=1e-9, atol=1e-9)  # a prompt has no place
    alone = torch.cat([features_of(backbone, images[i : i + 1], shallow=[order]) for i in range(3)])
    torch.testing.assert_close(first, alone, rtol=1e-9, atol=1e-9)
    none = features_of(backbone, images, shallow=[order[:0]])
    torch.testing.assert_close(none, timms_own(backbone, images), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", MEMBERS)
def test_no_more_is_kept_for_the_backward_pass_than_with_prompt_tokens(name: str) -> None:
    """Memory of a step: a view of queries, keys and values would hold all three beside the joined copies."""
    backbone = member(name)
    images, prompts = make_images(backbone), make_prompts(backbone, 4)
    for key in parameter_names(backbone, bitfit=True):
        backbone.vit.get_parameter(key).requires_grad_(True)

    def kept(compute: Callable[[], Tensor]) -> int:
        storages: dict[int, int] = {}

        def hold(tensor: Tensor) -> Tensor:
            storage = tensor.untyped_storage()
            storages[storage.data_ptr()] = storage.nbytes()
            return tensor

        with saved_tensors_hooks(hold, lambda tensor: tensor):
            result = compute()
        assert result.requires_grad
        return sum(storages.values())

    by_tokens = kept(lambda: features_by_tokens(backbone, images, prompts, None))
    by_keys = kept(lambda: features_of(backbone, images, prompts, kernel="fused"))
    assert by_keys <= by_tokens
