"""What of an image is compared with the guided prompts of a block; all of it from the tokens that enter the block.

None of it needs prompts as tokens: prompts are keys and values, as everywhere.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from vptsp.core.backbones.attention import attend, projections
from vptsp.core.backbones.plain import PlainViT


def patch_mean(tokens: Float[Tensor, "B T D"], prefix: int) -> Float[Tensor, "B D"]:
    """The mean of the image tokens of the residual stream, before the block's norm; ``prefix`` tokens are no image."""
    return tokens[:, prefix:].mean(dim=1)


def cls_projection(family: PlainViT, block: Any, tokens: Float[Tensor, "B T D"], what: str) -> Float[Tensor, "B D"]:
    """``W norm1(z_CLS) + b`` of the block's own ``query`` or ``key``, its heads joined, before any norm of its own;
    with ``what="cls"`` the token itself."""
    cls = tokens[:, 0]
    if what == "cls":
        return cls
    weight, bias = projections(block.attn)[0 if what == "query" else 1]
    return F.linear(family.enter(block, cls), weight, bias)


def prompt_outputs(
    family: PlainViT,
    block: Any,
    tokens: Float[Tensor, "B T D"],
    prompts: Float[Tensor, "P D"],
    prompt_of: Int[Tensor, " B"],
    prefix: int,
    place: Any,
    image_only: bool,
) -> Float[Tensor, "B D"]:
    """What attention gives at the prompt ``prompt_of`` each image, heads joined, before the output projection.

    The prompt's query sees prompts, CLS and the image; with ``image_only`` the image alone.
    """
    attention, ahead = block.attn, family.enter(block, prompts)
    _, key, value = family.project(attention, family.enter(block, tokens), 1)
    key = family.place(attention, key, prefix, place)
    if image_only:
        key, value = key[:, :, prefix:], value[:, :, prefix:]
    else:
        more = family.project_prompts(attention, ahead)
        key, value = (
            torch.cat([own.to(part.dtype).expand(len(tokens), -1, -1, -1), part], dim=2)
            for own, part in zip(more, (key, value), strict=True)
        )
    asked = family.project(attention, ahead.unsqueeze(0), None)[0][0]  # (heads, P, d)
    query = asked[:, prompt_of].transpose(0, 1).unsqueeze(2)  # (B, heads, 1, d)
    times = query.shape[1] // key.shape[1]  # queries that share a head of keys and values
    if times > 1:
        key, value = (part.repeat_interleave(times, dim=1) for part in (key, value))
    mixed, _ = attend(query.to(key.dtype), key, value, attention.scale, "auto", False)
    return mixed[:, :, 0].flatten(1)
