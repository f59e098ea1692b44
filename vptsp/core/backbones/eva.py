"""Run timm's ``Eva`` with prompts: DINOv3, EVA-02, the Perception Encoder and other ViTs with rotary positions.

As in :mod:`.plain`, deep prompts are keys and values only. What differs:

- Rotary positions (RoPE, arXiv 2104.09864) turn the queries and keys of patches by their place. A prompt has no place:
  like CLS and the registers, which timm leaves as they are, it is not turned. This holds for travelling prompts too.
- Biases of queries and values may stand apart from the layer, and those of keys are zero; queries, keys and values may
  be three layers; keys and values may have fewer heads than queries (each serves several).
- In blocks with norms after the layers (EVA-02's first giants) attention sees tokens as they are, and so prompts.

DINOv3: arXiv 2508.10104. EVA-02: arXiv 2303.11331. Perception Encoder: arXiv 2504.13181.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from timm.layers import AttentionRope, apply_rot_embed_cat
from timm.models.eva import Eva, EvaAttention, EvaBlock, EvaBlockPostNorm
from torch import Tensor, nn

from vptsp.core.backbones.attention import projections
from vptsp.core.backbones.family import Family, Grid
from vptsp.core.backbones.plain import PlainViT


class EvaViT(PlainViT):
    """timm's ``Eva``, with its attention of either kind, and norms before or after the layers."""

    title = "vision transformer with rotary positions"
    where = "prompts are keys and values of every block, and like CLS have no rotary position"
    modules = ("eva",)

    def matches(self, model: nn.Module) -> bool:
        return type(model) is Eva and all(
            type(block) in (EvaBlock, EvaBlockPostNorm) and type(block.attn) in (EvaAttention, AttentionRope)
            for block in model.blocks
        )

    def fit_checkpoint(self, state: dict[str, Tensor], model: Any) -> dict[str, Tensor]:
        return Family.fit_checkpoint(self, state, model)  # eva.py's own

    def embed(self, model: Any, images: Float[Tensor, "B channels H W"]) -> Float[Tensor, "B T D"]:
        tokens: Tensor = model.norm_pre(model._pos_embed(model.patch_embed(images))[0])
        return tokens

    def places(self, model: Any, grid: Grid | None) -> list[Any]:
        """Sines and cosines of each patch's angles; of each block where they differ ("mixed")."""
        if model.rope is None:
            return [None] * len(model.blocks)
        fixed = not model.dynamic_img_size and hasattr(model.rope, "feat_shape")
        own = tuple(model.patch_embed.grid_size)
        turned = model.rope.get_embed() if fixed and grid in (None, own) else model.rope.get_embed(shape=grid or own)
        return list(turned) if model.rope_mixed else [turned] * len(model.blocks)

    def _pools_prefix(self, model: Any) -> bool:
        return True  # EVA's attention pooling sees CLS and the registers too

    def enter(self, block: Any, tokens: Tensor) -> Tensor:
        return tokens if isinstance(block, EvaBlockPostNorm) else super().enter(block, tokens)

    def project(
        self, attention: Any, normed: Float[Tensor, "B T D"], asked: int | None
    ) -> tuple[Tensor, Tensor, Tensor]:
        made = projections(attention)
        if asked or attention.qkv is None:
            parts = [F.linear(seen, *made[n]) for n, seen in enumerate((normed[:, :asked], normed, normed))]
        else:
            weight, biases = torch.cat([weight for weight, _ in made]), [b for _, b in made if b is not None]
            parts = list(F.linear(normed, weight, torch.cat(biases) if biases else None).chunk(3, dim=-1))
        query, key, value = (part.unflatten(-1, (-1, _head_width(attention))).transpose(1, 2) for part in parts)
        return _normed(attention, "q_norm", query), _normed(attention, "k_norm", key), value

    def project_prompts(self, attention: Any, normed: Tensor) -> tuple[Tensor, Tensor]:
        key, value = (F.linear(normed, *made) for made in projections(attention)[1:])
        return self.heads(attention, key, value)

    def heads(self, attention: Any, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        wide = _head_width(attention)
        key, value = (part.unflatten(-1, (-1, wide)).transpose(-2, -3) for part in (key, value))
        return _normed(attention, "k_norm", key), value

    def place(self, attention: Any, part: Tensor, first: int, place: Any) -> Tensor:
        if place is None or part.shape[2] <= first:
            return part
        turned = apply_rot_embed_cat(part[:, :, first:], place, half=attention.rotate_half)
        return torch.cat([part[:, :, :first], turned.to(part.dtype)], dim=2)

    def mix(self, attention: Any, mixed: Float[Tensor, "B Q D"], normed: Float[Tensor, "B Q D"]) -> Tensor:
        mixed = attention.norm(mixed)
        if attention.gate is not None:
            mixed = mixed * attention.gate(normed).sigmoid()
        out: Tensor = attention.proj(mixed)
        return out

    def leave(self, block: Any, tokens: Tensor, mixed: Tensor) -> Tensor:
        if isinstance(block, EvaBlockPostNorm):
            tokens = tokens + block.drop_path1(block.norm1(mixed))
            return tokens + block.drop_path2(block.norm2(block.mlp(tokens)))
        tokens = tokens + block.drop_path1(mixed if block.gamma_1 is None else block.gamma_1 * mixed)
        more = block.mlp(block.norm2(tokens))
        return tokens + block.drop_path2(more if block.gamma_2 is None else block.gamma_2 * more)


FAMILY = EvaViT()


def _head_width(attention: Any) -> int:
    return round(attention.scale**-2)


def _normed(attention: Any, name: str, part: Tensor) -> Tensor:
    norm = getattr(attention, name, None)
    return part if norm is None else norm(part)
