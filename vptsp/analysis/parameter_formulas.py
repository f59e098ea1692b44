"""Parameter counts of VPTSP as formulas, beside the parameters that the built model has."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from vptsp.core.backbones.load import load_backbone
from vptsp.core.backbones.tuning import is_bias
from vptsp.core.prompts.visual import prompt_counts
from vptsp.settings.build import build_model
from vptsp.settings.config import Config


@dataclass(frozen=True)
class PartCount:
    """One part of a model: its formula, the formula's value and the number of parameters the model has."""

    part: str
    formula: str
    value: int
    counted: int


def count_parts(config: Config, classes: int) -> list[PartCount]:
    """What a plain ViT of ``config`` trains with ``classes`` classes, part by part; built without memory.

    D is the width, L the blocks, E the embedding size, C the classes, Nᵢ and Mᵢ the shared and the class
    prompts of block i, b the biases of the patch embedding. Parts that the method does not have are left out.
    """
    with torch.device("meta"):
        backbone = load_backbone(config.backbone, "random", config.image_size, config.pooling)
        model = build_model(config, backbone, classes)
    counted = model.counts().parts
    width, blocks, size = backbone.width, backbone.depth, config.embedding_size
    shared = sum(prompt_counts(config.num_prompts, config.prompt_depth, config.prompt_step, blocks, "prompt_depth"))
    own = prompt_counts(
        config.num_class_prompts, config.class_prompt_depth, config.class_prompt_step, blocks, "class_prompt_depth"
    )
    stem = sum(p.numel() for name, p in backbone.vit.patch_embed.named_parameters() if is_bias(name))
    head = 2 * width + width * size + size
    formulas = {
        "visual prompts": ("D · Σ Nᵢ", width * shared),
        "backbone biases": ("11 · L · D + D + b", 11 * blocks * width + width + stem),
        "sample head": ("2 D + D · E + E", head),
        "learned proxies": ("C · E", classes * size),
        "class prompts": ("C · D · Σ Mᵢ", classes * width * sum(own)),
        "semantic head": ("2 D + D · E + E", head),
        "accumulation unit": ("6 E² + 3 E", 6 * size**2 + 3 * size),
    }
    return [PartCount(part, *formulas[part], counted[part]) for part in formulas if part in counted]
