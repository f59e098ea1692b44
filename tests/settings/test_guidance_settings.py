"""What is said of settings of guided prompts and single parts that cannot be, before the first step."""

from __future__ import annotations

import re
from typing import Any

import pytest
import torch

from vptsp.core.backbones.load import load_backbone
from vptsp.errors import BackboneError, ConfigError
from vptsp.settings.build import build_model
from vptsp.settings.config import make_config
from vptsp.settings.methods import METHODS

GUIDED = {"method": "davpt_dml"}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"method": "davpt"},
            "method='davpt' is for task=recognition, not retrieval; use that task, or method=davpt_dml",
        ),
        (GUIDED | {"task": "recognition"}, "is for task=retrieval, not recognition; use that task, or method=davpt"),
        (
            {"guided_ratio": 2.0},
            "guided_ratio is for methods with guided prompts, not for 'vptsp_g'; use method=davpt",
        ),
        ({"pool_prompts": "see_all", "pooling": "mean"}, "pool_prompts is for methods with guided prompts"),
        (
            GUIDED | {"prompt_depth": 3},
            "prompt_depth is for methods whose prompts are all alike; method='davpt_dml'",
        ),
        (GUIDED | {"prompt_location": "add"}, "prompt_location is for methods whose prompts are all alike"),
        (GUIDED | {"guided_blocks": (5, 4)}, "guided_blocks=5,4 ends before it begins; write 4,5"),
        (GUIDED | {"guided_blocks": (0, 4)}, "guided_blocks=(0, 4): input should be greater than or equal to 1"),
        (GUIDED | {"pool_prompts": "see_all"}, "pool_prompts='see_all' needs pooling=mean, not 'auto'"),
        (
            {"method": "full", "tuned_parts": ("v_bias",)},
            "tuned_parts are for a backbone that is frozen; method=",
        ),
        ({"method": "lora", "tuned_parts": ("v_bias",)}, "tuned_parts are for a backbone as it is; method='lora' puts"),
        ({"tuned_parts": ("bias",)}, "tuned_parts=('bias',): input should be 'q_bias', 'k_bias'"),
        ({"drop_path": 0.1, "images_per_pass": 4}, "drop_path=0.1 is drawn for each image of a whole batch"),
        ({"feature_noise": 0.1, "images_per_pass": 4}, "feature_noise=0.1 is drawn for each image of a whole batch"),
        ({"anti_collapse": 0.1, "task": "recognition"}, "anti_collapse is for task=retrieval"),
        ({"batches": "shuffled"}, "batches='shuffled' is for task=recognition; retrieval compares images"),
        (
            {"method": "linear", "task": "recognition", "batches": "classes", "batch_size": 9},
            "images_per_class=2 does not divide batch_size=9",
        ),
    ],
    ids=lambda value: " ".join(f"{k}={v}" for k, v in value.items()) if isinstance(value, dict) else "",
)
def test_settings_that_contradict(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(message)) as error:
        make_config(settings)
    assert "\n" not in str(error.value)


def build(backbone: str, classes: int = 20, **settings: Any) -> None:
    size = 64 if "convnext" in backbone else 32
    fixed = {"backbone": backbone, "backbone_weights": "random", "image_size": size}
    config = make_config(fixed, settings)
    with torch.device("meta"):
        build_model(config, load_backbone(backbone, "random", size, config.pooling), classes)


@pytest.mark.parametrize(
    ("backbone", "settings", "message"),
    [
        ("test_vit", {"classes": 5}, "num_guided_prompts=10 is more than the 5 classes they speak for; legal: 1 to 5"),
        (
            "test_vit",
            {"guided_blocks": (6, 7)},
            "guided_blocks=6,7 goes past the last block of the backbone, which",
        ),
        (
            "test_vit",
            {"class_mapping": "identity"},
            "class_mapping='identity' gives each of 20 classes a prompt of its own, and num_guided_prompts=10; use",
        ),
        ("test_convnext2", {}, "method='davpt_dml' puts prompts into the blocks of the backbone"),
        ("swin_tiny_patch4_window7_224", {}, "has no CLS token that goes through all of them; choose a plain vision"),
        ("vit_base_patch16_siglip_gap_224", {}, "has no CLS token that goes through all of them"),
        ("test_vit", {"tuned_parts": ("q_bias", "norm"), "guided_blocks": (1, 9)}, "goes past the last block"),
    ],
)
def test_models_that_cannot_be(backbone: str, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(message)):
        build(backbone, **{"method": "davpt_dml", **settings})


def test_parts_and_paths_of_backbones_without_them() -> None:
    with pytest.raises(ConfigError, match=r"tuned_parts: test_convnext2 has no cls_token, and no other of these parts"):
        build("test_convnext2", method="linear", tuned_parts=("cls_token",))
    with pytest.raises(BackboneError, match=r"drop_path=0\.2 is not for test_convnext2, which is a .*; use"):
        build("test_convnext2", method="linear", drop_path=0.2)


def test_a_method_guides_deep_prompts() -> None:
    with pytest.raises(ConfigError, match="a method guides deep prompts, not 'shallow' ones; make them deep"):
        METHODS.add("odd", title="Odd", summary="odd", source="here", prompts="shallow", guided=True)


def test_tuned_parts_train_with_any_method_of_a_frozen_backbone() -> None:
    config = make_config(
        {"method": "vpt_deep", "tuned_parts": ["norm1", "cls_token"], "backbone": "test_vit", "image_size": 32}
    )
    model = build_model(config, load_backbone("test_vit", "random", 32), 4)
    inside = {n.removeprefix("vit.") for n, p in model.named_parameters() if p.requires_grad and n.startswith("vit.")}
    assert inside == {"cls_token", *(f"blocks.{b}.norm1.{kind}" for b in range(6) for kind in ("weight", "bias"))}
    assert set(map(id, model.parameter_groups()["backbone"])) == set(), "they train at the rate of prompts"
