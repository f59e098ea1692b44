"""The key/value path against prompts run as tokens, on whole timm models."""

from __future__ import annotations

from typing import Any

import pytest
import timm
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from benchmarks.token_path import encode_with_prompt_tokens
from vptsp.core.backbones.load import Backbone
from vptsp.core.encoder import embed_patches, encode

TINY: dict[str, Any] = {"img_size": 32, "patch_size": 8, "embed_dim": 24, "depth": 3, "num_heads": 2, "num_classes": 0}
FLAVOURS: dict[str, dict[str, Any]] = {
    "plain": {},
    "no qkv bias": {"qkv_bias": False},
    "query-key norm": {"qk_norm": True},
    "layer scale and registers": {"init_values": 0.5, "reg_tokens": 3},
    "pre-norm (CLIP)": {"pre_norm": True},
    "no class embedding (DeiT-3)": {"no_embed_class": True},
    "mean pooling": {"global_pool": "avg"},
    "no CLS": {"class_token": False, "global_pool": "avg"},
}


def make_backbone(seed: int = 0, **keywords: Any) -> Backbone:
    torch.manual_seed(seed)
    vit = timm.create_model("vit_tiny_patch16_224", **TINY, **keywords).eval()
    for parameter in vit.parameters():  # away from the zeros and ones of initialisation
        torch.nn.init.normal_(parameter, std=0.1) if parameter.dim() < 2 else None
    half = (0.5, 0.5, 0.5)
    pooling = "mean" if vit.global_pool == "avg" else "cls"
    return Backbone(vit, "tiny", "random", 32, half, half, pooling)


def run_prompt_tokens(backbone: Backbone, images: Tensor, prompts: Any, groups: Tensor | None) -> Tensor:
    return encode_with_prompt_tokens(backbone, embed_patches(backbone.vit, images), prompts, groups).features


@pytest.mark.parametrize("kernel", ["fused", "matmul"])
@pytest.mark.parametrize("flavour", FLAVOURS)
def test_without_prompts_it_is_timm(flavour: str, kernel: Any) -> None:
    backbone = make_backbone(**FLAVOURS[flavour])
    images = torch.randn(3, 3, 32, 32)
    features = encode(backbone, embed_patches(backbone.vit, images), kernel=kernel).features
    torch.testing.assert_close(features, backbone.vit(images), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("flavour", FLAVOURS)
@pytest.mark.parametrize("kind", ["shared", "grouped"])
def test_keys_and_values_equal_prompt_tokens(flavour: str, kind: str) -> None:
    """Same features and same gradients (prompts and biases) to rounding error."""
    backbone = make_backbone(**FLAVOURS[flavour])
    images, groups = torch.randn(4, 3, 32, 32), torch.tensor([1, 0, 1, 2])
    shape = (5, 24) if kind == "shared" else (3, 5, 24)
    prompts = [torch.randn(shape, requires_grad=True) for _ in range(3)]
    biases = [p for name, p in backbone.vit.named_parameters() if name.endswith("bias")]
    results = []
    for function in (run_prompt_tokens, lambda b, x, p, g: encode(b, embed_patches(b.vit, x), p, g).features):
        features = function(backbone, images, prompts, groups)
        gradients = torch.autograd.grad((features * torch.arange(24)).sum(), prompts + biases, allow_unused=True)
        results.append((features, gradients))
    torch.testing.assert_close(results[0][0], results[1][0], rtol=1e-5, atol=1e-5)
    scale = max(g.norm() for g in results[0][1] if g is not None)
    for token_path, key_value_path in zip(results[0][1], results[1][1], strict=True):
        assert (token_path is None) == (key_value_path is None)
        if token_path is not None:
            assert (token_path - key_value_path).norm() < 1e-5 * scale


@given(
    counts=st.lists(st.integers(0, 4), max_size=3),
    groups=st.lists(st.integers(0, 2), min_size=1, max_size=5),
)
@settings(max_examples=25, deadline=None)
def test_any_counts_and_groups(counts: list[int], groups: list[int]) -> None:
    """Blocks with no prompts, fewer tensors than blocks, and any assignment of images to groups."""
    backbone = make_backbone()
    images = torch.randn(len(groups), 3, 32, 32)
    prompts = [torch.randn(3, count, 24) for count in counts]
    expected = run_prompt_tokens(backbone, images, prompts, torch.tensor(groups))
    features = encode(backbone, embed_patches(backbone.vit, images), prompts, torch.tensor(groups)).features
    torch.testing.assert_close(features, expected, rtol=1e-4, atol=1e-4)


def test_shallow_prompts_travel_through_all_blocks() -> None:
    backbone = make_backbone()
    images, prompt = torch.randn(2, 3, 32, 32), torch.randn(4, 24)
    tokens = embed_patches(backbone.vit, images)
    with_prompts = torch.cat([tokens[:, :1], prompt.expand(2, -1, -1), tokens[:, 1:]], dim=1)
    expected = backbone.vit.norm(backbone.vit.blocks(with_prompts))[:, 0]
    features = encode(backbone, tokens, shallow=[prompt]).features
    torch.testing.assert_close(features, expected, rtol=1e-5, atol=1e-5)


def test_shallow_prompts_are_not_pooled() -> None:
    backbone = make_backbone(global_pool="avg")
    images, prompt = torch.randn(2, 3, 32, 32), torch.randn(4, 24)
    tokens = embed_patches(backbone.vit, images)
    through = backbone.vit.blocks(torch.cat([tokens[:, :1], prompt.expand(2, -1, -1), tokens[:, 1:]], dim=1))
    expected = backbone.vit.fc_norm(backbone.vit.norm(through)[:, 5:].mean(dim=1))
    torch.testing.assert_close(encode(backbone, tokens, shallow=[prompt]).features, expected, rtol=1e-5, atol=1e-5)


def test_intermediates_on_request() -> None:
    backbone = make_backbone()
    tokens = embed_patches(backbone.vit, torch.randn(2, 3, 32, 32))
    prompts = [torch.randn(5, 24), torch.randn(4, 24)]
    plain = encode(backbone, tokens, prompts)
    assert not plain.tokens
    assert not plain.attention
    full = encode(backbone, tokens, prompts, want_tokens=True, want_attention=True)
    torch.testing.assert_close(full.features, plain.features, rtol=1e-5, atol=1e-5)
    assert [tuple(t.shape) for t in full.tokens] == [(2, 17, 24), (2, 17, 24), (2, 1, 24)]
    # rows are queries, columns prompts then tokens; under CLS pooling the last block has one query
    assert [tuple(a.shape) for a in full.attention] == [(2, 2, 17, 22), (2, 2, 17, 21), (2, 2, 1, 17)]
    for attention in full.attention:
        torch.testing.assert_close(attention.sum(-1), torch.ones(attention.shape[:-1]))


def test_kernels_agree_in_bf16() -> None:
    backbone = make_backbone()
    images, prompts = torch.randn(4, 3, 32, 32), [torch.randn(5, 24) for _ in range(3)]
    exact = encode(backbone, embed_patches(backbone.vit, images), prompts).features
    for kernel in ("auto", "fused", "matmul"):
        with torch.autocast("cpu", torch.bfloat16):
            features = encode(backbone, embed_patches(backbone.vit, images), prompts, kernel=kernel).features
        assert (features.float() - exact).norm() < 0.05 * exact.norm(), kernel
