"""The parameter formulas hold for every family."""

from __future__ import annotations

from typing import Any

import pytest

from vptsp.analysis.parameter_formulas import count_parts
from vptsp.settings.config import make_config

PROMPTED = {"test_vit": 32, "test_vit3": 32, "vit_tiny_patch16_dinov3_qkvb": 32, "hiera_tiny_224": 64}


@pytest.mark.parametrize("name", PROMPTED)
def test_formulas_give_what_the_model_has(name: str) -> None:
    settings = {"backbone": name, "backbone_weights": "random", "image_size": PROMPTED[name], "prompt_step": 1}
    parts = count_parts(make_config(settings), 7)
    assert {part.part for part in parts} >= {"visual prompts", "backbone biases", "class prompts"}
    for part in parts:
        assert part.value == part.counted, part


def test_biases_of_any_model() -> None:
    settings = {"backbone": "test_resnet", "backbone_weights": "random", "image_size": 32, "method": "bias"}
    parts = {part.part: part for part in count_parts(make_config(settings), 7)}
    assert parts["backbone biases"].value == parts["backbone biases"].counted > 0


@pytest.mark.parametrize(
    "settings",
    [
        {"method": "davpt_dml"},
        {"method": "davpt_vptsp", "guided_blocks": (3, 5), "num_guided_prompts": 4, "prompt_norm": "layer"},
        {"method": "davpt_dml", "tuned_parts": ("q_bias", "k_bias", "fc1_bias", "norm1", "norm2_bias", "cls_token")},
        {"method": "davpt_dml", "tuned_parts": ("norm2", "norm2_bias", "norm", "patch_bias")},
        {"method": "davpt", "task": "recognition", "num_prompts": 0},
        {"method": "davpt_dml", "bitfit": True},
    ],
    ids=str,
)
def test_formulas_of_guided_prompts(settings: dict[str, Any]) -> None:
    fixed = {"backbone": "vit_tiny_patch16_224", "backbone_weights": "random", "image_size": 32}
    parts = count_parts(make_config(fixed, settings), 12)
    assert "visual prompts" in {part.part for part in parts}
    for part in parts:
        assert part.value == part.counted, part
