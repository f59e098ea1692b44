"""Parameter counts of VPTSP as formulas, beside the parameters that the built model has."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from vptsp.core.backbones.load import Backbone, load_backbone
from vptsp.core.backbones.plain import PlainViT
from vptsp.core.backbones.tuning import is_bias
from vptsp.core.guidance.prompts import GuidedPrompts
from vptsp.core.heads import Classifier
from vptsp.core.prompts.visual import prompt_counts
from vptsp.settings.build import build_model
from vptsp.settings.config import Config
from vptsp.settings.losses import build_criterion
from vptsp.settings.methods import METHODS


@dataclass(frozen=True)
class PartCount:
    """One part of a model: its formula, the formula's value and the number of parameters the model has."""

    part: str
    formula: str
    value: int
    counted: int


def count_parts(config: Config, classes: int) -> list[PartCount]:
    """What a model of ``config`` trains with ``classes`` classes, part by part; built without memory.

    D is the width (Dᵢ of block i, where they differ), L the blocks, E the embedding size, C the classes, Nᵢ and Mᵢ the
    shared and the class prompts of block i, Kᵢ its learned keys with their values (as wide as its own keys), P the
    guided prompts of each of G blocks and N those of the other blocks, b the biases of the patch embedding, d the
    dynamics_size, and of backbones other than plain ViTs Bⱼ the outputs of layer j that has a bias.
    Parts that the method does not have are left out.
    """
    with torch.device("meta"):
        backbone = load_backbone(config.backbone, "random", config.image_size, config.pooling)
        model = build_model(config, backbone, classes)
    counted = model.counts().parts
    width, blocks, size = backbone.width, backbone.depth, config.embedding_size
    shared = prompt_counts(config.num_prompts, config.prompt_depth, config.prompt_step, blocks, "prompt_depth")
    own = prompt_counts(
        config.num_class_prompts, config.class_prompt_depth, config.class_prompt_step, blocks, "class_prompt_depth"
    )
    widths = backbone.widths
    same = len(set(widths)) < 2
    prompts = sum(n * d for n, d in zip(shared, widths, strict=False))
    class_prompts = sum(n * d for n, d in zip(own, widths, strict=False))
    head = ("2 D + D · E + E", 2 * width + width * size + size)
    classifier = ("D · C + C", width * classes + classes)
    learned = prompt_counts(config.num_key_value_prompts, config.key_value_depth, 0, blocks, "key_value_depth")
    formulas = {
        "visual prompts": ("D · Σ Nᵢ" if same else "Σ Dᵢ · Nᵢ", prompts),
        "key-value prompts": _key_values(config, backbone, learned),
        "backbone biases": _biases(backbone),
        **_single_parts(config, backbone),
        "sample head": classifier if isinstance(model.head, Classifier) else head,
        "prompt dynamics": ("D · d + 2 d²", width * config.dynamics_size + 2 * config.dynamics_size**2),
        "learned proxies": ("C · E", classes * size),
        "weights of the loss": _of_the_loss(config, classes) if model.criterion is not None else ("0", 0),
        "class prompts": ("C · D · Σ Mᵢ" if same else "C · Σ Dᵢ · Mᵢ", classes * class_prompts),
        "semantic head": head,
        "accumulation unit": ("6 E² + 3 E", 6 * size**2 + 3 * size),
    }
    if isinstance(model.prompts, GuidedPrompts):
        formulas["visual prompts"] = _guided(config, model.prompts, width)
    return [PartCount(part, *formulas[part], counted[part]) for part in formulas if part in counted]


def _key_values(config: Config, backbone: Backbone, counts: list[int]) -> tuple[str, int]:
    """Formula and number of learned keys and values, which are one matrix of a block or two."""
    widths = backbone.key_widths if backbone.family.key_values else []
    if config.key_value_from == "top":
        widths = widths[len(widths) - len(counts) :]
    matrices = 1 if config.key_value_shared else 2
    sum_of = "D · Σ Kᵢ" if len(set(widths)) < 2 else "Σ Dᵢ · Kᵢ"
    number = matrices * sum(n * d for n, d in zip(counts, widths, strict=False))
    return sum_of if matrices == 1 else f"2 {sum_of}", number


def _guided(config: Config, prompts: GuidedPrompts, width: int) -> tuple[str, int]:
    """Formula and number of guided prompts P in G blocks and plain ones N in the others."""
    guided, depth = len(prompts.guided_blocks), len(prompts.counts)
    count = width * (guided * config.num_guided_prompts + (depth - guided) * config.num_prompts)
    if config.prompt_norm != "layer":
        return "D · (G · P + (L - G) · N)", count
    return "D · (G · P + (L - G) · N) + 2 D", count + 2 * width


_PROBES = (101, 103)  # primes: what a number of weights is a product of says how it grows


def _of_the_loss(config: Config, classes: int) -> tuple[str, int]:
    """Formula and number of the weights of a loss, of as many for each class and number of the embedding as it has."""
    others = config.changed(embedding_size=_PROBES[1])
    number = sum(p.numel() for p in build_criterion(others, _PROBES[0]).parameters())
    factors, value = [], 1
    for prime, name, size in zip(_PROBES, ("C", "E"), (classes, config.embedding_size), strict=True):
        if number % prime == 0:
            number //= prime
            factors.append(name)
            value *= size
    return " · ".join([*([str(number)] if number != 1 or not factors else []), *factors]), number * value


def _single_parts(config: Config, backbone: Backbone) -> dict[str, tuple[str, int]]:
    """Formulas of what trains of a frozen backbone by name, in a usual ViT; none for methods that train all biases."""
    method = METHODS[config.method]
    bitfit = method.bitfit if config.bitfit is None else config.bitfit
    chosen = method.tuned_parts if config.tuned_parts is None else config.tuned_parts
    if bitfit or not chosen or type(backbone.family) is not PlainViT or not _is_usual(backbone.vit):
        return {}
    width, blocks, stem = backbone.width, backbone.depth, "patch_bias" in chosen
    in_block = sum({"fc1_bias": 4}.get(part, 1) for part in chosen if part in _OF_A_BLOCK)
    whole = [part for part in ("norm1", "norm2") if part in chosen]
    in_block += sum(f"{part}_bias" not in chosen for part in whole)
    last = "norm" in chosen or "norm_bias" in chosen
    biases = in_block * blocks * width + (stem + last) * width
    scales = len(whole) * blocks * width + ("norm" in chosen) * width
    return {
        "backbone biases": (_sum([(in_block, "L · D"), (stem + last, "D")]), biases),
        "backbone norms": (_sum([(len(whole), "L · D"), (int("norm" in chosen), "D")]), scales),
        "backbone CLS": ("D", width),
    }


_OF_A_BLOCK = ("q_bias", "k_bias", "v_bias", "proj_bias", "fc1_bias", "fc2_bias", "norm1_bias", "norm2_bias")


def _sum(terms: list[tuple[int, str]]) -> str:
    return " + ".join(name if count == 1 else f"{count} · {name}" for count, name in terms if count) or "0"


def _biases(backbone: Backbone) -> tuple[str, int]:
    """Formula and number of the biases that BitFit trains."""
    vit, width, blocks = backbone.vit, backbone.width, backbone.depth
    if type(backbone.family) is PlainViT and backbone.pooling != "own" and _is_usual(vit):
        stem = sum(p.numel() for name, p in vit.patch_embed.named_parameters() if is_bias(name))
        return "11 · L · D + D + b", 11 * blocks * width + width + stem
    unused = backbone.family.unused(vit, backbone.pooling)
    outputs = 0
    for name, layer in vit.named_modules():
        if name.startswith(unused) or f"{name}.".startswith(unused):
            continue
        if isinstance(getattr(layer, "bias", None), nn.Parameter):
            outputs += _outputs(layer)
        outputs += 2 * _outputs(layer.qkv) // 3 if getattr(layer, "q_bias", None) is not None else 0
    return "Σ Bⱼ", outputs


def _is_usual(vit: Any) -> bool:
    """Whether a plain ViT is as in its paper: MLPs four times as wide, biases everywhere, one norm at the end."""
    norms = [norm for norm in (vit.norm_pre, vit.norm, vit.fc_norm) if not isinstance(norm, nn.Identity)]
    return len(norms) == 1 and all(
        block.attn.qkv.bias is not None
        and block.mlp.fc1.out_features == 4 * vit.embed_dim
        and isinstance(block.attn.q_norm, nn.Identity)
        for block in vit.blocks
    )


def _outputs(layer: Any) -> int:
    """Numbers that a linear layer, convolution or norm gives for a token or pixel."""
    for name in ("out_features", "out_channels", "num_features", "num_channels"):
        if isinstance(size := getattr(layer, name, None), int):
            return size
    return math.prod(layer.normalized_shape)
