"""VPT-deep as it was published, for every family: prompts are tokens of timm's own blocks, and are cut off after each.

The yardsticks of the key/value paths. Nothing here is computed by the workbench.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import timm
import torch
from torch import Tensor

from vptsp.core.backbones.load import Backbone, family_of

HALF = (0.5, 0.5, 0.5)
Oracle = Callable[[Any, Tensor, Sequence[Tensor]], Tensor]


def make_backbone(name: str, pooling: str = "auto", **keywords: Any) -> Backbone:
    """A model of timm with few small blocks, in fp64, away from the zeros and ones of initialisation."""
    torch.manual_seed(0)
    vit = timm.create_model(name, num_classes=0, **keywords).eval().double()
    for key, parameter in vit.named_parameters():
        if parameter.dim() < 2 or key.endswith(("bias_table", "latent")) or "token" in key:
            torch.nn.init.normal_(parameter, mean=float("norm" in key and "weight" in key), std=0.3)
        else:
            torch.nn.init.normal_(parameter, std=parameter[0].numel() ** -0.5)
    size = keywords["img_size"]
    return Backbone(vit, name, "random", size, HALF, HALF, family_of(vit, name).pooling(name, vit, pooling))


def per_image(prompts: Sequence[Tensor], groups: Tensor | None, batch: int) -> list[Tensor]:
    """Shared (N, D) or grouped (U, N, D) prompts as those of each image (B, N, D)."""
    return [p.expand(batch, -1, -1) if groups is None else p[groups] for p in prompts]


def eva(vit: Any, images: Tensor, prompts: Sequence[Tensor]) -> Tensor:
    """timm's blocks leave the first tokens unturned: there are as many more of them as there are prompts."""
    tokens, turned = vit._pos_embed(vit.patch_embed(images))
    tokens = vit.norm_pre(tokens)
    for index, block in enumerate(vit.blocks):
        own = prompts[index] if index < len(prompts) else tokens[:, :0]
        block.attn.num_prefix_tokens += own.shape[1]
        tokens = block(torch.cat([own, tokens], dim=1), rope=turned[index] if vit.rope_mixed else turned)
        tokens = tokens[:, own.shape[1] :]
        block.attn.num_prefix_tokens -= own.shape[1]
    return vit.norm(tokens)


def plain(vit: Any, images: Tensor, prompts: Sequence[Tensor]) -> Tensor:
    tokens = vit.norm_pre(vit._pos_embed(vit.patch_embed(images)))
    for index, block in enumerate(vit.blocks):
        own = prompts[index] if index < len(prompts) else tokens[:, :0]
        tokens = block(torch.cat([own, tokens], dim=1))[:, own.shape[1] :]
    return vit.norm(tokens)


ORACLES: dict[str, Oracle] = {"EvaViT": eva, "PlainViT": plain}


def features_by_tokens(
    backbone: Backbone, images: Tensor, prompts: Sequence[Tensor] = (), groups: Tensor | None = None
) -> Tensor:
    """The feature that timm's own head makes of what its own blocks give with prompts among their tokens."""
    vit, own = backbone.vit, per_image(prompts, groups, len(images))
    tokens = ORACLES[type(backbone.family).__name__](vit, images, own)
    features: Tensor = vit.forward_head(tokens, pre_logits=True)
    return features
