"""Run a frozen Hiera with prompts (Ryali et al., arXiv 2306.00989).

Tokens attend within mask units in the first stages and to all others in the last; where a stage begins the queries of
neighbours are pooled by their maximum. Each mask unit attends to the prompts of its block, as each window of a Swin
does (:mod:`.swin`). Deep prompts are keys and values only and are never pooled; keys and values of patches are not
either. Shallow prompts travel as tokens: each mask unit computes its own output for them and the mean goes on; where a
stage begins a prompt takes the place of all the neighbours that are pooled into one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from timm.models.hiera import Hiera, HieraBlock
from torch import Tensor, nn

from vptsp.core.backbones.attention import Kernel, KeyValue, alone, attend, per_image, projections, run_block
from vptsp.core.backbones.family import Encoded, Family, Grid, Pooling
from vptsp.core.errors import BackboneError, ConfigError


class HieraViT(Family):
    """timm's ``Hiera``."""

    title = "Hiera"
    where = "every mask unit attends to the prompts of its block"
    no_attention = "attends within mask units at first, so there is no attention of the feature over the image"
    modules = ("hiera",)

    def matches(self, model: nn.Module) -> bool:
        return type(model) is Hiera and all(type(block) is HieraBlock for block in model.blocks)

    def blocks(self, model: Any) -> list[Any]:
        return list(model.blocks)

    def final_norms(self, model: Any) -> list[nn.Module]:
        return [model.head]

    def mlp_widths(self, model: Any) -> list[int]:
        return [int(block.dim_out) for block in model.blocks]  # where a stage begins wider than its prompts

    def num_prefix(self, model: Any) -> int:
        return 0

    def pooling(self, name: str, model: Any, wanted: str) -> Pooling:
        if wanted == "cls":
            raise BackboneError(f"backbone {name!r} is a Hiera and has no CLS token; use pooling=mean")
        return "mean"

    def grid(self, model: Any, size: tuple[int, int]) -> Grid:
        return size[0] // model.patch_stride[0], size[1] // model.patch_stride[1]

    def embed(self, model: Any, images: Float[Tensor, "B channels H W"]) -> Float[Tensor, "B T D"]:
        """Patches with their positions, in timm's order: those of a mask unit are far apart, so pooling is easy."""
        tokens: Tensor = model.unroll(model._pos_embed(model.patch_embed(images)))
        return tokens

    def encode(
        self,
        model: Any,
        tokens: Float[Tensor, "B T D"],
        prompts: Sequence[Tensor] = (),
        groups: Int[Tensor, " B"] | None = None,
        *,
        pooling: Pooling,
        grid: Grid | None = None,
        shallow: Sequence[Tensor] = (),
        added: Sequence[Tensor] = (),
        kernel: Kernel = "auto",
        want_tokens: bool = False,
        want_attention: bool = False,
        recompute: bool = False,
        key_values: Sequence[KeyValue] = (),
    ) -> Encoded:
        if added:
            raise ConfigError("a Hiera takes no added prompts; pass them as prompts or shallow")
        if want_attention:
            raise BackboneError(f"a {self.title} {self.no_attention}; ask for features or tokens")
        travelling = shallow[0].to(tokens.dtype).expand(tokens.shape[0], -1, -1) if shallow else tokens[:, :0]
        result = Encoded(features=tokens[:, 0])
        for index, block in enumerate(model.blocks):
            prompt = prompts[index] if index < len(prompts) else None
            learned = key_values[index] if index < len(key_values) else None
            tokens, travelling = run_block(
                _run_block, recompute, block, tokens, travelling, prompt, groups, kernel, learned
            )
            if want_tokens:
                result.tokens.append(model.reroll(tokens, index))  # rows and columns
        result.features = model.forward_head(tokens, pre_logits=True)
        return result


FAMILY = HieraViT()


def _run_block(
    block: Any,
    tokens: Float[Tensor, "B T D"],
    travelling: Float[Tensor, "B M D"],
    prompt: Tensor | None,
    groups: Int[Tensor, " B"] | None,
    kernel: Kernel,
    learned: KeyValue | None,
) -> tuple[Float[Tensor, "B T_out D_out"], Float[Tensor, "B M D_out"]]:
    attention, batch, moving = block.attn, tokens.shape[0], travelling.shape[1]
    stride, normed = attention.q_stride, block.norm1(tokens)
    units = tokens.shape[1] // (stride * attention.window_size) if attention.use_mask_unit_attn else 1
    made = projections(attention)

    query, key, value = _project(made, normed, units, attention.heads)
    if stride > 1:
        query = query.unflatten(3, (stride, -1)).amax(dim=3)
    if moving:
        ahead = [
            part.expand(-1, -1, units, -1, -1) for part in _project(made, block.norm1(travelling), 1, attention.heads)
        ]
        query, key, value = (torch.cat(pair, dim=3) for pair in zip(ahead, (query, key, value), strict=True))
    first = [] if learned is None else [learned]
    if prompt is not None and prompt.shape[-2] > 0:
        seen = block.norm1(prompt)
        first.append((F.linear(seen, *made[1]), F.linear(seen, *made[2])))
    if first:
        query = alone(query)
    for pair in first:
        own = [part.unflatten(-1, (attention.heads, -1)).transpose(-2, -3) for part in pair]
        wide = [per_image(part, groups, batch)[:, :, None].expand(-1, -1, units, -1, -1) for part in own]
        key, value = (torch.cat([a.to(p.dtype), p], dim=3) for a, p in zip(wide, (key, value), strict=True))

    mixed, _ = attend(query, key, value, attention.scale, kernel, False)
    mixed = mixed.permute(0, 3, 2, 1, 4).flatten(3)  # (B, queries, units, D_out)
    tokens = _pooled(block, tokens, normed, stride) + block.ls1(attention.proj(mixed[:, moving:].flatten(1, 2)))
    tokens = tokens + block.ls2(block.mlp(block.norm2(tokens)))
    if not moving:
        travelling = tokens[:, :0]
    else:  # one in the place of each neighbour: their maximum and mean are itself
        travelling = _pooled(block, travelling, block.norm1(travelling), 1)
        travelling = travelling + block.ls1(attention.proj(mixed[:, :moving].mean(dim=2)))
        travelling = travelling + block.ls2(block.mlp(block.norm2(travelling)))
    return tokens, travelling


def _project(
    made: tuple[tuple[Tensor, Tensor | None], ...], seen: Float[Tensor, "B T D"], units: int, heads: int
) -> list[Float[Tensor, "B {heads} {units} T_unit d"]]:
    """Queries, keys and values by their weights and biases, in each mask unit."""
    parts = F.linear(seen, *_whole(made)).unflatten(-1, (3, heads, -1))
    return list(parts.unflatten(1, (-1, units)).permute(3, 0, 4, 2, 1, 5).unbind())


def _whole(made: tuple[tuple[Tensor, Tensor | None], ...]) -> tuple[Tensor, Tensor | None]:
    biases = [bias for _, bias in made if bias is not None]
    return torch.cat([weight for weight, _ in made]), torch.cat(biases) if biases else None


def _pooled(block: Any, tokens: Tensor, normed: Tensor, stride: int) -> Tensor:
    """What a block adds to: its tokens, where a stage begins the maximum of neighbours, wider."""
    if not block.do_expand:
        return tokens
    if block.proj is not None:
        return block.proj(normed).unflatten(1, (stride, -1)).amax(dim=1)
    near = tokens.unflatten(1, (stride, -1))
    return torch.cat([near.amax(dim=1), near.mean(dim=1)], dim=-1)
