"""Attention and effects of prompts for every family, against prompts run as tokens of timm's own blocks."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from prompt_tokens import MEMBERS, features_by_tokens, member

from vptsp.analysis.explain import attention, prompt_effects
from vptsp.errors import BackboneError
from vptsp.settings.build import ConfiguredModel, build_model
from vptsp.settings.config import make_config


def make(name: str) -> ConfiguredModel:
    torch.manual_seed(1)
    settings = {"method": "vpt_deep", "embedding_size": 8, "num_prompts": 2, "device": "cpu", "precision": "fp32"}
    model = build_model(make_config(settings), member(name), None).double().eval()
    for prompt in model.prompts():
        torch.nn.init.normal_(prompt)
    return model


@pytest.mark.parametrize("name", MEMBERS)
@torch.no_grad()
def test_taking_a_prompt_away_is_leaving_its_token_out(name: str) -> None:
    model = make(name)
    pair = torch.randn(2, 3, *model.backbone.size, dtype=torch.float64)

    def similarity(prompts: list[torch.Tensor]) -> float:
        a, b = model.head(features_by_tokens(model.backbone, pair, prompts))
        return float(a @ b)

    prompts = [prompt.detach() for prompt in model.prompts()]
    expected = np.empty((len(prompts), 2))
    for block, prompt in enumerate(prompts):
        for slot in range(2):
            fewer = [*prompts[:block], prompt[[1 - slot]], *prompts[block + 1 :]]
            expected[block, slot] = similarity(fewer) - similarity(prompts)
    assert np.abs(expected).max() > 1e-5
    np.testing.assert_allclose(prompt_effects(model, *pair), expected, rtol=1e-4, atol=4e-7)  # heads work in fp32


@pytest.mark.parametrize("name", MEMBERS)
def test_attention_of_the_feature_adds_up_or_says_why_there_is_none(name: str) -> None:
    model = make(name)
    images = torch.randn(2, 3, *model.backbone.size, dtype=torch.float64)
    if not model.backbone.family.global_attention:
        with pytest.raises(BackboneError, match=r"within windows|mixes its heads|within mask units"):
            attention(model, images)
        return
    embeddings, found = attention(model, images)
    np.testing.assert_allclose(np.linalg.norm(embeddings, axis=1), 1, atol=1e-5)
    assert found.patches.shape[-2:] == model.backbone.grid(images)
    assert found.prompts.shape[-1] == 2
    total = found.patches.sum((-2, -1)) + found.prompts.sum(-1) + found.prefix
    np.testing.assert_allclose(total, 1, atol=1e-5)
