"""VPT-deep as the papers write it: prompts run as tokens. The yardstick for :mod:`vptsp.core.encoder`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from vptsp.core.backbones.load import Backbone
from vptsp.core.encoder import Encoded


def encode_with_prompt_tokens(
    backbone: Backbone, tokens: Tensor, prompts: Sequence[Tensor] = (), groups: Tensor | None = None, **_: Any
) -> Encoded:
    """Arguments and numbers of :func:`vptsp.core.encoder.encode`, of plain ViTs and DINOv3.

    Prompt tokens enter each block and are cut off.
    """
    vit = backbone.vit
    rope = getattr(vit, "rope", None)  # DINOv3 and the like: prompts are not turned, as CLS is not
    turned = {} if rope is None else {"rope": rope.get_embed(shape=vit.patch_embed.grid_size)}
    for index, block in enumerate(vit.blocks):
        count = 0
        if index < len(prompts):
            prompt = prompts[index]
            per_image = prompt.expand(len(tokens), -1, -1) if prompt.dim() == 2 else prompt[groups]
            count = per_image.shape[1]
            tokens = torch.cat([per_image.to(tokens.dtype), tokens], dim=1)
        if turned:
            block.attn.num_prefix_tokens += count
        tokens = block(tokens, **turned)[:, count:]
        if turned:
            block.attn.num_prefix_tokens -= count
    tokens = vit.norm(tokens)
    pooled = tokens[:, 0] if backbone.pooling == "cls" else tokens[:, backbone.num_prefix :].mean(dim=1)
    return Encoded(features=vit.fc_norm(pooled))
