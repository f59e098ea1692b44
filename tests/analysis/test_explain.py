"""Attention and prompt effects against the model itself and against prompts run as tokens."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from benchmarks.token_path import encode_with_prompt_tokens
from vptsp.analysis.explain import attention, prompt_effects, why_no_effects
from vptsp.core.backbones.load import load_backbone
from vptsp.core.encoder import embed_patches
from vptsp.settings.build import ConfiguredModel, build_model
from vptsp.settings.config import Config

Make = Callable[..., ConfiguredModel]


@pytest.fixture
def make(tiny: Callable[..., Config]) -> Make:
    """``make(method, **settings)``: an untrained model whose prompts are large enough to matter."""

    def build(method: str, **settings: Any) -> ConfiguredModel:
        config = tiny(method=method, **settings)
        torch.manual_seed(0)
        backbone = load_backbone(
            config.backbone, config.backbone_weights, config.image_size, config.pooling, config.seed
        )
        model = build_model(config, backbone, num_classes=None).eval()
        for prompt in model.prompts():
            torch.nn.init.normal_(prompt)
        return model

    return build


@pytest.fixture
def images() -> Tensor:
    return torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))


def without(model: ConfiguredModel, block: int, slot: int) -> list[Tensor]:
    """The prompts of a model but one."""
    return [
        torch.cat([prompt[:slot], prompt[slot + 1 :]]) if index == block else prompt
        for index, prompt in enumerate(model.prompts())
    ]


def similarity(model: ConfiguredModel, features: Tensor) -> float:
    a, b = model.head(features)
    return float(a @ b)


@pytest.mark.parametrize("pooling", ["cls", "mean"])
@torch.no_grad()
def test_effects_of_deep_prompts_are_those_of_leaving_out_a_prompt_token(
    make: Make, images: Tensor, pooling: str
) -> None:
    model = make("vpt_deep", prompt_step=1, pooling=pooling)
    tokens = embed_patches(model.vit, images)
    counts = [len(prompt) for prompt in model.prompts()]
    assert counts == [3, 2, 1]
    effects = prompt_effects(model, *images)
    assert effects.shape == (3, 3)
    whole = similarity(model, encode_with_prompt_tokens(model.backbone, tokens, model.prompts()).features)
    for block, count in enumerate(counts):
        for slot in range(count):
            features = encode_with_prompt_tokens(model.backbone, tokens, without(model, block, slot)).features
            assert effects[block, slot] == pytest.approx(similarity(model, features) - whole, abs=1e-5)
        assert np.isnan(effects[block, count:]).all()
    assert np.nanmax(np.abs(effects)) > 1e-4


@torch.no_grad()
def test_effects_of_shallow_prompts_are_those_of_a_model_without_the_prompt(make: Make, images: Tensor) -> None:
    model = make("vpt_shallow")
    effects = prompt_effects(model, *images)
    assert effects.shape == (1, 3)
    whole = float(torch.prod(model(images).embeddings, dim=0).sum())
    kept = model.prompts.layers[0].data
    for slot in range(3):
        model.prompts.layers[0] = torch.nn.Parameter(torch.cat([kept[:slot], kept[slot + 1 :]]))
        changed = float(torch.prod(model(images).embeddings, dim=0).sum())
        assert effects[0, slot] == pytest.approx(changed - whole, abs=1e-5)


def test_removal_is_not_zeroing(make: Make, images: Tensor) -> None:
    model = make("vpt_deep")
    effects = prompt_effects(model, *images)
    with torch.no_grad():
        whole = float(torch.prod(model(images).embeddings, dim=0).sum())
        model.prompts.layers[0][0] = 0
        zeroed = float(torch.prod(model(images).embeddings, dim=0).sum())
    assert effects[0, 0] != pytest.approx(zeroed - whole, abs=1e-4)


@pytest.mark.parametrize("pooling", ["cls", "mean"])
@pytest.mark.parametrize("method", ["vptsp_g", "vpt_shallow", "linear"])
def test_attention_rows_sum_to_one(make: Make, images: Tensor, method: str, pooling: str) -> None:
    model = make(method, pooling=pooling)
    embeddings, found = attention(model, images)
    blocks, heads, grid = model.backbone.depth, model.vit.blocks[0].attn.num_heads, model.vit.patch_embed.grid_size
    assert found.pooled == {"cls": "CLS", "mean": "patches"}[pooling]
    assert found.patches.shape == (2, blocks, heads, *grid)
    assert found.prompts.shape == (2, blocks, heads, 0 if method == "linear" else 3)
    assert found.prefix.shape == (2, blocks, heads)
    total = found.patches.sum(axis=(-2, -1)) + np.nansum(found.prompts, axis=-1) + found.prefix
    np.testing.assert_allclose(total, 1, atol=1e-5)
    with torch.no_grad():
        np.testing.assert_allclose(embeddings, model(images).embeddings.numpy(), atol=1e-5)


@pytest.mark.parametrize("pool", ["none", "see_all", "see_image"])
def test_guided_prompts_can_be_shown_and_taken_away(make: Make, images: Tensor, pool: str) -> None:
    """Also where the last block's prompts are pooled, and so are queries too."""
    guided = {"num_guided_prompts": 4, "guided_blocks": (2, 6), "num_prompts": 1, "prompt_norm": "l2"}
    model = make("davpt_dml", pooling="mean", pool_prompts=pool, **guided)
    _, found = attention(model, images)
    assert np.isnan(found.prompts[:, 0, :, 1:]).all()
    total = found.patches.sum(axis=(-2, -1)) + np.nansum(found.prompts, axis=-1) + found.prefix
    np.testing.assert_allclose(total, 1, atol=1e-5)
    effects, prompts = prompt_effects(model, *images), model.prompts()
    with torch.no_grad():
        whole = model(images).embeddings
        for block, slot in ((1, 2), (5, 0), (5, 3)):
            kept = [prompt for number, prompt in enumerate(prompts[block]) if number != slot]
            shorter = [*prompts[:block], torch.stack(kept), *prompts[block + 1 :]]
            model.prompts.forward = lambda shorter=shorter: shorter
            without = model(images).embeddings
            del model.prompts.forward
            change = float(without[0] @ without[1] - whole[0] @ whole[1])
            assert effects[block, slot] == pytest.approx(change, abs=1e-5)


def test_attention_is_laid_out_as_the_patches_lie(make: Make, images: Tensor) -> None:
    """A patch that the others ignore: with its key far from every query, its cell is the one near zero."""
    model = make("vpt_shallow")
    rows, columns = model.vit.patch_embed.grid_size
    before = attention(model, images)[1].patches[:, 0].mean(axis=1)  # (I, h, w)
    changed = images.clone()
    side = 32 // rows
    changed[:, :, side : 2 * side, :side] = 0  # patch in row 1, column 0
    after = attention(model, changed)[1].patches[:, 0].mean(axis=1)
    moved = np.abs(np.log(after / before)).mean(axis=0)
    assert np.unravel_index(moved.argmax(), (rows, columns)) == (1, 0)


def test_methods_without_prompts_say_so(make: Make, images: Tensor) -> None:
    model = make("linear")
    assert why_no_effects(model) == "linear probe has no visual prompts, so there is none to switch off."
    assert prompt_effects(model, *images).shape == (0, 0)
    assert why_no_effects(make("vptsp_m")) is None
