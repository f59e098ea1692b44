"""The parameter formulas hold for every family."""

from __future__ import annotations

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
