"""Run a frozen SwinV2 with prompts (Liu et al., arXiv 2111.09883).

As in :mod:`.swin` every window attends to the prompts of its block. What differs: scores are cosines times a learned
factor of each head, so keys of prompts have length 1 as well; the bias of two patches comes from a small network of
their distance on a logarithmic scale, and prompts, having no place, get none; norms are after attention and MLP, so
that attention sees prompts as they are; and patch merging has its norm after the projection.
"""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from timm.models.swin_transformer_v2 import SwinTransformerV2
from torch import Tensor, nn

from vptsp.core.backbones.attention import projections
from vptsp.core.backbones.swin import Swin

_LARGEST_SCALE = math.log(1 / 0.01)  # of the cosines; timm's and the paper's


class SwinV2(Swin):
    """timm's ``SwinTransformerV2``."""

    title = "SwinV2"
    where = "every window attends to the prompts of its block, by cosines and without position bias"
    modules = ("swin_transformer_v2",)

    def matches(self, model: nn.Module) -> bool:
        return type(model) is SwinTransformerV2

    def enter(self, block: Any, tokens: Tensor) -> Tensor:
        return tokens

    def leave(self, block: Any, tokens: Tensor, mixed: Tensor) -> Tensor:
        tokens = tokens + block.norm1(mixed)
        return tokens + block.norm2(block.mlp(tokens))

    def project(self, attention: Any, normed: Float[Tensor, "B w T D"]) -> tuple[Tensor, Tensor, Tensor]:
        made = projections(attention)
        biases = [bias for _, bias in made if bias is not None]
        weight = torch.cat([part for part, _ in made])
        parts = F.linear(normed, weight, torch.cat(biases) if biases else None)
        query, key, value = parts.unflatten(-1, (3, attention.num_heads, -1)).transpose(2, 4).unbind(dim=3)
        factor = attention.logit_scale.clamp(max=_LARGEST_SCALE).exp()  # (heads, 1, 1)
        return F.normalize(query, dim=-1) * factor, F.normalize(key, dim=-1), value

    def project_prompts(self, attention: Any, normed: Tensor) -> tuple[Tensor, Tensor]:
        key, value = (F.linear(normed, *made) for made in projections(attention)[1:])
        return self.heads(attention, key, value)

    def heads(self, attention: Any, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        key, value = super().heads(attention, key, value)
        return F.normalize(key, dim=-1), value

    def scale(self, attention: Any) -> float:
        return 1.0  # the factor of each head is in the queries

    def relative_bias(self, attention: Any) -> Float[Tensor, "1 heads T T"]:
        table = attention.cpb_mlp(attention.relative_coords_table).flatten(0, 2)  # (distances, heads)
        side = attention.relative_position_index.shape[0]
        bias = table[attention.relative_position_index.flatten()].unflatten(0, (side, side))
        return 16 * bias.permute(2, 0, 1).sigmoid()[None]

    def merge(self, downsample: Any, travelling: Float[Tensor, "B N D"]) -> Float[Tensor, "B N D_out"]:
        merged: Tensor = downsample.norm(downsample.reduction(travelling.repeat(1, 1, 4)))
        return merged


FAMILY = SwinV2()
