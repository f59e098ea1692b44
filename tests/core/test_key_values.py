"""Learned keys and values (E2VPT) against attention written out, and against timm's blocks in every family."""

from __future__ import annotations

from typing import Any
from unittest import mock

import pytest
import torch
import torch.nn.functional as F
from prompt_tokens import MEMBERS, features_by_tokens, make_backbone, member
from torch import Tensor

from vptsp.core.backbones.attention import projections
from vptsp.core.backbones.load import Backbone, load_backbone
from vptsp.core.backbones.plain import PlainViT
from vptsp.core.encoder import embed_patches, encode
from vptsp.core.errors import ConfigError
from vptsp.core.prompts.key_values import KeyValuePrompts
from vptsp.settings.compatibility import require_compatible
from vptsp.settings.config import make_config

VIT: dict[str, Any] = {"img_size": 32, "patch_size": 8, "embed_dim": 24, "depth": 3, "num_heads": 2}
SWIN: dict[str, Any] = {
    "img_size": 32, "patch_size": 4, "window_size": 4, "embed_dim": 24, "depths": (2, 2), "num_heads": (2, 4),
}  # fmt: skip


def by_hand(vit: Any, images: Tensor, visual: list[Tensor], learned: list[tuple[Tensor, Tensor]]) -> Tensor:
    """A plain ViT whose attention has K' = concat(K, P_K) and V' = concat(V, P_V), head by head; prompts are tokens."""
    x = vit._pos_embed(vit.patch_embed(images))
    for block, prompt, (own_key, own_value) in zip(vit.blocks, visual, learned, strict=True):
        through = torch.cat([prompt.expand(len(x), -1, -1), x], dim=1)
        query, key, value = block.attn.qkv(block.norm1(through)).chunk(3, dim=-1)
        size = query.shape[-1] // block.attn.num_heads
        heads = []
        for first in range(0, query.shape[-1], size):
            part = slice(first, first + size)
            keys = torch.cat([key[..., part], own_key[:, part].expand(len(x), -1, -1)], dim=1)
            values = torch.cat([value[..., part], own_value[:, part].expand(len(x), -1, -1)], dim=1)
            heads.append((query[..., part] @ keys.mT / size**0.5).softmax(-1) @ values)
        through = through + block.attn.proj(torch.cat(heads, dim=-1))
        x = (through + block.mlp(block.norm2(through)))[:, prompt.shape[0] :]
    return vit.norm(x)[:, 0]


@pytest.mark.parametrize("kernel", ["fused", "matmul"])
def test_attention_sees_learned_keys_beside_those_of_prompts_and_tokens(kernel: Any) -> None:
    backbone = make_backbone("vit_tiny_patch16_224", **VIT)
    images = torch.randn(3, 3, 32, 32, dtype=torch.float64)
    visual = [torch.randn(2, 24, dtype=torch.float64, requires_grad=True) for _ in range(3)]
    pairs = [torch.randn(2, 4, 24, dtype=torch.float64, requires_grad=True) for _ in range(3)]
    learned = [(pair[0], pair[1]) for pair in pairs]
    expected = by_hand(backbone.vit, images, visual, learned)
    found = encode(backbone, embed_patches(backbone.vit, images), visual, key_values=learned, kernel=kernel).features
    torch.testing.assert_close(found, expected)
    weights = torch.arange(24, dtype=torch.float64)
    for ours, theirs in zip(
        torch.autograd.grad((found @ weights).sum(), visual + pairs),
        torch.autograd.grad((expected @ weights).sum(), visual + pairs),
        strict=True,
    ):
        torch.testing.assert_close(ours, theirs)


def projected(backbone: Backbone, prompts: list[Tensor]) -> list[tuple[Tensor, Tensor]]:
    """What the frozen projections of each block make of prompts."""
    pairs = []
    for block, prompt in zip(backbone.blocks, prompts, strict=True):
        enter = getattr(backbone.family, "enter", None)
        seen = block.norm1(prompt) if enter is None else enter(block, prompt)
        key, value = (F.linear(seen, *made) for made in projections(block.attn)[1:])
        pairs.append((key, value))
    return pairs


@pytest.mark.parametrize("name", MEMBERS)
@pytest.mark.parametrize("grouped", [False, True])
def test_in_every_family_what_the_projections_would_give_is_a_prompt(name: str, grouped: bool) -> None:
    """Learned keys and values equal to those of prompts are those prompts, which timm's own blocks run as tokens."""
    backbone = member(name)
    images = torch.randn(3, 3, *backbone.size, dtype=torch.float64)
    groups = torch.tensor([1, 0, 1]) if grouped else None
    shape = (2, 3) if grouped else (3,)
    prompts = [torch.randn(*shape, width, dtype=torch.float64) for width in backbone.widths]
    learned = projected(backbone, prompts)
    assert [key.shape[-1] for key, _ in learned] == backbone.key_widths
    tokens, grid = embed_patches(backbone.vit, images), backbone.grid(images)
    found = encode(backbone, tokens, (), groups, grid=grid, key_values=learned).features
    torch.testing.assert_close(found, features_by_tokens(backbone, images, prompts, groups))
    both = encode(backbone, tokens, prompts, groups, grid=grid, key_values=learned, recompute=True).features
    twice = [torch.cat([prompt, prompt], dim=-2) for prompt in prompts]
    torch.testing.assert_close(both, features_by_tokens(backbone, images, twice, groups))


def test_a_swin_takes_them_as_it_takes_prompts() -> None:
    backbone = make_backbone("swin_tiny_patch4_window7_224", **SWIN)
    images = torch.randn(2, 3, 32, 32, dtype=torch.float64)
    prompts = [torch.randn(3, width, dtype=torch.float64) for width in backbone.widths]
    tokens = embed_patches(backbone.vit, images)
    expected = encode(backbone, tokens, prompts).features
    found = encode(backbone, tokens, key_values=projected(backbone, prompts)).features
    torch.testing.assert_close(found, expected)


def test_a_matrix_is_both_keys_and_values_or_two_are() -> None:
    torch.manual_seed(0)
    one, two = KeyValuePrompts([0, 3, 2], [8, 8, 16]), KeyValuePrompts([3], [8], shared=False)
    shapes = [(tuple(key.shape), tuple(value.shape)) for key, value in one()]
    assert shapes == [((0, 8), (0, 8)), ((3, 8), (3, 8)), ((2, 16), (2, 16))]
    assert all(torch.equal(key, value) for key, value in one())
    assert sum(p.numel() for p in one.parameters()) == 3 * 8 + 2 * 16
    ((key, value),) = two()
    assert not torch.equal(key, value)
    assert sum(p.numel() for p in two.parameters()) == 2 * 3 * 8
    many = KeyValuePrompts([400], [50])
    assert many.layers[0].std().item() == pytest.approx((2 / (401 * 50)) ** 0.5, rel=0.05)


class Others(PlainViT):
    """A family of somebody's own, made from the plain one before there were learned keys."""

    def encode(self, model: Any, tokens: Tensor, prompts: Any = (), groups: Any = None, **wanted: Any) -> Any:
        return super().encode(model, tokens, prompts, groups, pooling=wanted["pooling"])


def test_a_family_that_does_not_know_them_says_so() -> None:
    vit = load_backbone("test_vit", "random", 32)
    config = make_config({"method": "e2vpt", "backbone": "test_vit", "image_size": 32, "epochs": 2})
    require_compatible(config, vit)
    with (
        mock.patch.dict(vit.__dict__, family=Others()),
        pytest.raises(ConfigError, match="takes none; choose another backbone, or method=vpt_deep"),
    ):
        require_compatible(config, vit)
    backbone = load_backbone("test_resnet", "random", 64)
    image = torch.randn(1, 3, 64, 64)
    with pytest.raises(ConfigError, match="takes no learned keys and values"):
        encode(backbone, embed_patches(backbone.vit, image), key_values=[(torch.zeros(1, 8), torch.zeros(1, 8))])
