"""What each method trains, counted on ViT-B/16 and ViT-S/16 without weights.

D width, L blocks, n patches of P pixels, N prompts, M class prompts, C classes, E embedding size.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import pytest
import torch

from vptsp.core.backbones.load import Backbone, load_backbone
from vptsp.settings.build import ConfiguredModel, build_model
from vptsp.settings.config import make_config
from vptsp.settings.methods import METHODS

WIDTHS = {"vit_base_patch16_224": 768, "vit_small_patch16_224": 384}
L, P, H, N, M, C, E = 12, 16, 224, 10, 3, 100, 384
T = (H // P) ** 2 + 1  # tokens: patches and CLS


@cache
def on_meta(backbone: str) -> Backbone:
    with torch.device("meta"):
        return load_backbone(backbone, "random")


def build(backbone: str, **settings: Any) -> ConfiguredModel:
    """The model on the meta device: shapes without memory."""
    fixed = {"embedding_size": E, "num_prompts": N, "num_class_prompts": M, "side_weights": "random"}
    config, fresh = make_config(fixed, settings), copy.deepcopy(on_meta(backbone))
    with torch.device("meta"):
        return build_model(config, fresh, C)


# --- closed formulas ------------------------------------------------------------------------------
def block(D: int) -> int:
    return 12 * D**2 + 13 * D


def biases(D: int) -> int:
    return 11 * D * L + 2 * D


def efficient(D: int) -> int:
    """DA-VPT's biases: of values, attention's output, MLP's output and second norm, and of the patch embedding."""
    return 4 * D * L + D


def patch_convolution(D: int, channels: int = 3) -> int:
    return channels * P**2 * D + D


def head(D: int) -> int:
    """LayerNorm and Linear of an embedding, in metric learning."""
    return 2 * D + D * E + E


def classifier(D: int) -> int:
    """VPT's head, in recognition."""
    return D * C + C


def bottleneck(D: int, size: int) -> int:
    return 2 * D * size + size + D


def bottlenecks(D: int) -> int:
    return L * (2 * D * (D // 8) + D // 8 + D)


def tower(D: int) -> int:
    """The semantic tower: its head and the class prompts of all classes."""
    return head(D) + C * M * D * L


PROXIES = C * E
GRU = 6 * E**2 + 3 * E
ALEXNET = 2_469_696
LORA_ALL = {"qkv": 4, "proj": 2, "fc1": 5, "fc2": 5}  # inputs and outputs, in widths

ADDED: dict[str, Callable[[int], int]] = {
    "frozen": lambda D: 0,
    "linear": lambda D: 0,
    "mlp": lambda D: 3 * (D**2 + 3 * D),
    "side": lambda D: ALEXNET + 9216 * D + 1,
    "bias": biases,
    "partial": lambda D: block(D) + 2 * D,
    "full": lambda D: patch_convolution(D) + D + T * D + L * block(D) + 2 * D,
    "adapter": bottlenecks,
    "adapter_published": bottlenecks,
    "lora": lambda D: L * 8 * (D + 3 * D),
    "vpt_shallow": lambda D: N * D,
    "vpt_deep": lambda D: L * N * D,
    "vpt_bias": lambda D: L * N * D + biases(D),
    "e2vpt": lambda D: L * (N + 5) * D,  # a learned matrix of each block is both keys and values
    "vptsp_m": lambda D: L * N * D + biases(D),
    "vptsp_g": lambda D: L * N * D + biases(D),
    "davpt": lambda D: L * N * D + efficient(D),  # as many guided prompts in their blocks as plain ones in the others
    "davpt_dml": lambda D: L * N * D + efficient(D),
    "davpt_vptsp": lambda D: L * N * D + efficient(D),
}
RETRIEVAL = [name for name, method in METHODS.items() if "retrieval" in method.tasks]
RECOGNITION = [name for name, method in METHODS.items() if method.trains and "recognition" in method.tasks]


def test_every_method_has_a_formula() -> None:
    assert ADDED.keys() == METHODS.keys()


@pytest.mark.parametrize("backbone", WIDTHS)
@pytest.mark.parametrize("name", RETRIEVAL)
def test_trained_and_kept_in_retrieval(name: str, backbone: str) -> None:
    D, method = WIDTHS[backbone], METHODS[name]
    counts = build(backbone, method=name).counts()
    kept = ADDED[name](D) + (head(D) if method.trains else 0)
    semantic = tower(D) if method.semantic != "none" else 0
    unit = GRU if method.semantic == "gru" else 0
    assert counts.kept == kept
    assert counts.trained == kept + semantic + unit + (PROXIES if method.trains else 0)
    assert counts.trained == sum(counts.parts.values())
    assert counts.bank == (C * M * D * L if semantic else 0)
    # The whole: the plain backbone, what was put into it or widened, and the parts of its own beside it.
    inside = {"bias": biases, "partial": ADDED["partial"], "full": ADDED["full"], "vpt_bias": biases}
    tuned = efficient if method.guided else biases if semantic else lambda D: 0
    already = inside.get(name, tuned)(D)
    assert counts.total == ADDED["full"](D) + counts.trained - already


@pytest.mark.parametrize("backbone", WIDTHS)
@pytest.mark.parametrize("name", RECOGNITION)
def test_trained_and_kept_in_recognition(name: str, backbone: str) -> None:
    """A linear classifier; where proxies are what the method is about, they classify."""
    D, method = WIDTHS[backbone], METHODS[name]
    counts = build(backbone, method=name, task="recognition").counts()
    if method.semantic == "none":
        assert counts.trained == counts.kept == ADDED[name](D) + classifier(D)
    else:
        assert counts.kept == ADDED[name](D) + head(D) + PROXIES
        assert counts.trained == counts.kept + tower(D) + (GRU if method.semantic == "gru" else 0)


@pytest.mark.parametrize("backbone", WIDTHS)
@pytest.mark.parametrize(
    ("settings", "added"),
    [
        ({"method": "mlp", "mlp_layers": 1}, lambda D: D**2 + 3 * D),
        ({"method": "partial", "partial_blocks": 4}, lambda D: 4 * block(D) + 2 * D),
        ({"method": "partial", "bitfit": True}, lambda D: block(D) + 2 * D + biases(D) - 11 * D - D),
        ({"method": "bias", "bitfit": False}, lambda D: 0),
        ({"method": "adapter", "adapter_size": 64, "adapter_depth": 7}, lambda D: 7 * bottleneck(D, 64)),
        ({"method": "adapter", "adapter_norm": "pre"}, lambda D: bottlenecks(D) + L * 2 * D),
        ({"method": "adapter", "adapter_norm": "post"}, lambda D: bottlenecks(D) + L * 2 * D),
        ({"method": "adapter", "adapter_place": "parallel"}, bottlenecks),
        ({"method": "adapter", "bitfit": True}, lambda D: bottlenecks(D) + biases(D)),
        ({"method": "lora", "lora_rank": 4}, lambda D: L * 4 * 4 * D),
        ({"method": "lora", "lora_targets": tuple(LORA_ALL)}, lambda D: L * 8 * sum(LORA_ALL.values()) * D),
        ({"method": "lora", "bitfit": True}, lambda D: L * 8 * 4 * D + biases(D)),
        ({"method": "vpt_deep", "prompt_projection": 64}, lambda D: L * N * 64 + 64 * D + D),
        ({"method": "vpt_shallow", "prompt_projection": 64}, lambda D: N * 64 + 64 * D + D),
        ({"method": "vpt_deep", "prompt_shared": True}, lambda D: N * D),
        ({"method": "vpt_deep", "prompt_shared": True, "prompt_projection": 64}, lambda D: N * 64 + 64 * D + D),
        ({"method": "vpt_deep", "prompt_depth": 5}, lambda D: 5 * N * D),
        ({"method": "vpt_deep", "prompt_depth": 5, "prompt_from": "top"}, lambda D: 5 * N * D),
        ({"method": "vpt_deep", "prompt_step": 3}, lambda D: (10 + 7 + 4 + 1) * D),
        ({"method": "e2vpt", "num_key_value_prompts": 7, "key_value_shared": False}, lambda D: L * (N + 2 * 7) * D),
        ({"method": "e2vpt", "key_value_depth": 4, "key_value_from": "top"}, lambda D: (L * N + 4 * 5) * D),
        ({"method": "e2vpt", "prompt_shared": True, "prompt_segments": 16}, lambda D: (N + L * 5) * D),
        ({"method": "vpt_shallow", "prompt_location": "add"}, lambda D: T * D),
        ({"method": "vpt_deep", "prompt_location": "add"}, lambda D: L * T * D),
        ({"method": "vpt_deep", "prompt_location": "add", "prompt_depth": 5}, lambda D: 5 * T * D),
        ({"method": "vpt_shallow", "prompt_location": "prepend_pixel"}, lambda D: 3 * P**2 * N),
        (
            {"method": "vpt_shallow", "prompt_location": "concat_channel"},
            lambda D: N * H * H + patch_convolution(D, 3 + N),
        ),
        ({"method": "vpt_shallow", "prompt_location": "pad", "num_prompts": 16}, lambda D: 12 * 16 * (H + 16)),
    ],
    ids=lambda value: " ".join(f"{k}={v}" for k, v in value.items()) if isinstance(value, dict) else "",
)
def test_what_settings_change(settings: dict[str, Any], added: Callable[[int], int], backbone: str) -> None:
    D = WIDTHS[backbone]
    counts = build(backbone, **settings).counts()
    assert counts.kept == added(D) + head(D)
    assert counts.trained == counts.kept + PROXIES


@pytest.mark.parametrize(
    ("changes", "without"),
    [
        ({"semantic_source": "encoder"}, C * M * 384 * L),
        ({"semantic_source": "encoder_no_grad"}, C * M * 384 * L),
        ({"semantic_source": "samples"}, tower(384)),
        ({"semantic_unit": "rnn"}, GRU - (2 * E**2 + 2 * E)),
        ({"semantic_unit": "lstm"}, GRU - (8 * E**2 + 8 * E)),
        ({"semantic_unit": "attention"}, GRU - (4 * E**2 + 4 * E)),
        ({"bitfit": False}, biases(384)),
    ],
    ids=str,
)
def test_ablations_of_the_semantic_proxies(changes: dict[str, Any], without: int) -> None:
    whole = build("vit_small_patch16_224", method="vptsp_g").counts()
    assert build("vit_small_patch16_224", method="vptsp_g", **changes).counts().trained == whole.trained - without


@pytest.mark.parametrize(
    ("settings", "added"),
    [
        ({}, 0),
        ({"num_guided_prompts": 4, "guided_blocks": (3, 5)}, 3 * (4 - N)),
        ({"num_prompts": 0}, -(L - 2) * N),
        ({"prompt_norm": "layer"}, 2),
        ({"prompt_norm": "l2", "drop_path": 0.1, "class_mapping": "balanced"}, 0),
        ({"tuned_parts": ()}, -4 * L - 1),
        ({"tuned_parts": ("q_bias", "fc1_bias", "norm1", "norm", "cls_token")}, -4 * L - 1 + L * (1 + 4 + 2) + 2 + 1),
        ({"tuned_parts": ("k_bias", "norm1_bias", "norm2", "norm_bias")}, -4 * L - 1 + L * (1 + 1 + 2) + 1),
        ({"bitfit": True}, 7 * L + 1),
    ],
    ids=str,
)
def test_what_settings_change_of_guided_prompts(settings: dict[str, Any], added: int) -> None:
    """In widths, beside two guided blocks of ten prompts, ten prompts in every other block and the efficient biases."""
    counts = build("vit_small_patch16_224", method="davpt_dml", **settings).counts()
    assert counts.kept == ADDED["davpt_dml"](384) + added * 384 + head(384)


def test_published_count_of_davpt_on_cub() -> None:
    """Worked in the reference: two guided blocks, l2, with k biases, whole norm1 and CLS; 200 classes, ViT-B/16."""
    parts = ("v_bias", "proj_bias", "fc2_bias", "norm2_bias", "patch_bias", "k_bias", "norm1", "cls_token")
    counts = build("vit_base_patch16_224", method="davpt", task="recognition", tuned_parts=parts).counts()
    assert counts.trained - classifier(768) == 158_208
    assert counts.trained - classifier(768) + 200 * 769 == 312_008


# --- published counts -----------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("name", "published"),
    [
        ("full", 85_798_656),
        ("partial", 7_089_408),
        ("mlp", 1_776_384),
        ("side", 9_547_585),
        ("bias", 102_912),
        ("adapter_published", 1_779_840),
        ("vpt_shallow", 7_680),
        ("vpt_deep", 92_160),
        ("vpt_bias", 92_160 + 102_912),
    ],
)
def test_totals_of_vpts_code(name: str, published: int) -> None:
    """VPT's models on ViT-B/16 with 10 prompts, k of its configurations, without the classifier."""
    counts = build("vit_base_patch16_224", method=name, task="recognition").counts()
    assert counts.trained - classifier(768) == published


class Row(NamedTuple):
    """A row of VPTSP's table 1: our settings, what it counts beside what we train, millions as printed."""

    settings: dict[str, Any]
    beside: int
    printed: str


UNUSED_CLASSES = 21_843  # of ImageNet-21k: the classifier that the published code keeps on the backbone and never runs
UNUSED_BIASES = UNUSED_CLASSES  # which its BitFit trains
UNUSED_CLASSIFIER = 384 * UNUSED_CLASSES + UNUSED_CLASSES  # which its full fine-tuning counts
# Table 1 counts class prompts for the 32 classes of a batch; all 100 are trained. 6 in each of 3 blocks is one way to
# have the 18 per class that make every row fit.
EIGHTEEN = {"num_class_prompts": 6, "class_prompt_depth": 3}
LEFT_OUT = -(100 - 32) * 18 * 384
UNUSED_GRU_BIAS = 384  # allocated by the published unit, in no equation
ADAPTER = {"method": "adapter", "adapter_size": 256, "adapter_norm": "pre"}
BIASES = {"bitfit": True}
NO_BIASES = {"bitfit": False}

TABLE_1 = {
    "full fine-tuning": Row({"method": "full"}, UNUSED_CLASSIFIER, "30.2"),
    "linear probe": Row({"method": "linear"}, 0, "0.19"),
    "BitFit": Row({"method": "bias"}, UNUSED_BIASES, "0.26"),
    "Adapter": Row({**ADAPTER, "adapter_depth": 7}, 0, "1.57"),
    "Adapter + BitFit": Row({**ADAPTER, "adapter_depth": 1, **BIASES}, UNUSED_BIASES, "0.46"),
    "VPT": Row({"method": "vpt_deep"}, 0, "0.23"),
    "VPT + BitFit": Row({"method": "vpt_bias"}, UNUSED_BIASES, "0.30"),
    "VPTSP-M": Row({"method": "vptsp_m", **EIGHTEEN, **NO_BIASES}, LEFT_OUT, "0.60"),
    "VPTSP-M + BitFit": Row({"method": "vptsp_m", **EIGHTEEN}, LEFT_OUT + UNUSED_BIASES, "0.67"),
    "VPTSP-G": Row({"method": "vptsp_g", **EIGHTEEN, **NO_BIASES}, LEFT_OUT + UNUSED_GRU_BIAS, "1.48"),
    "VPTSP-G + BitFit": Row({"method": "vptsp_g", **EIGHTEEN}, LEFT_OUT + UNUSED_GRU_BIAS + UNUSED_BIASES, "1.56"),
}
ROUNDED = {"linear probe", "Adapter + BitFit"}  # 0.187 and 0.458; the other rows are cut off after the digits printed


@pytest.mark.parametrize("name", TABLE_1)
def test_table_1_of_vptsp(name: str) -> None:
    """ViT-S/16, CUB's 100 training classes, embedding 384, 10 prompts in each block."""
    row = TABLE_1[name]
    published = build("vit_small_patch16_224", **row.settings).counts().trained + row.beside
    digits = 10 ** len(row.printed.partition(".")[2])
    millions = published / 1e6 * digits
    assert (round(millions) if name in ROUNDED else math.floor(millions)) / digits == float(row.printed)
