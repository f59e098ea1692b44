"""Run a frozen BEiT or BEiTv2 with prompts (arXiv 2106.08254, arXiv 2208.06366).

As in :mod:`.plain`, deep prompts are keys and values only. What differs: scores have a bias by the relative place of
two tokens, CLS included, of each block's own or shared by all. A prompt has no place, so where it asks or is asked
there is no bias. Biases of queries and values stand apart from their layer, and keys have none.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from timm.models.beit import Attention, Beit, Block
from torch import Tensor, nn

from vptsp.core.backbones.eva import EvaViT
from vptsp.core.backbones.family import Grid


class BeitViT(EvaViT):
    """timm's ``Beit``; its queries, keys and values are made as EVA's, which grew from it."""

    title = "BEiT"
    where = "prompts are keys and values of every block, without relative position bias"
    modules = ("beit",)

    def matches(self, model: nn.Module) -> bool:
        return type(model) is Beit and all(
            type(block) is Block and type(block.attn) is Attention for block in model.blocks
        )

    def embed(self, model: Any, images: Float[Tensor, "B channels H W"]) -> Float[Tensor, "B T D"]:
        patches: Tensor = model.patch_embed(images)
        tokens = torch.cat([model.cls_token.expand(patches.shape[0], -1, -1), patches], dim=1)
        return tokens if model.pos_embed is None else tokens + model.pos_embed

    def places(self, model: Any, grid: Grid | None) -> list[Any]:
        """The bias (1, heads, T, T) of each block, or none."""
        shared = None if model.rel_pos_bias is None else model.rel_pos_bias()
        biases = []
        for block in model.blocks:
            own = None if block.attn.relative_position_bias_table is None else block.attn._get_rel_pos_bias()
            biases.append(own if shared is None else shared if own is None else own + shared)
        return biases

    def place(self, attention: Any, part: Tensor, first: int, place: Any) -> Tensor:
        return part

    def bias(self, attention: Any, place: Any, first: int, queries: int, keys: int) -> Tensor | None:
        if place is None:
            return None
        tokens = place.shape[-1]
        travelling = first - 1  # behind CLS
        ahead = keys - tokens - travelling
        cls, rest = place.split([1, tokens - 1], dim=-1)
        padded = torch.cat([F.pad(cls, (ahead, travelling)), rest], dim=-1)
        cls, rest = padded.split([1, tokens - 1], dim=-2)
        return torch.cat([F.pad(cls, (0, 0, 0, travelling)), rest], dim=-2)[..., :queries, :]

    def mix(self, attention: Any, mixed: Float[Tensor, "B Q D"], normed: Float[Tensor, "B Q D"]) -> Tensor:
        out: Tensor = attention.proj(mixed)
        return out


FAMILY = BeitViT()
