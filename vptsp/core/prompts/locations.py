"""Prompts that enter elsewhere than as tokens before the patches: the locations of VPT's ablation (its figure 5).

Definitions and counts follow VPT's published code (``src/models/vit_prompt/vit_ablations.py``). n patches, P their
side, H the image's side, T = n + prefix tokens, L blocks with prompts, D width.

============== ========================================================== ======================
location       what is learned                                            parameters
============== ========================================================== ======================
add            a vector for every token, added before a block             T D, deep L T D
prepend_pixel  a strip of P x (P N) pixels that becomes N more tokens     3 P^2 N
concat_channel N more image channels, and the patch convolution           N H^2 + D (3 + N) P^2 + D
pad            a frame of N pixels around the image                       12 N (H + N)
============== ========================================================== ======================
"""

from __future__ import annotations

import copy
import math
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor, nn

from vptsp.core.backbones.load import Backbone
from vptsp.core.errors import ConfigError


class AddedPrompts(nn.Module):
    """One vector per token (T, D) for each of the first ``depth`` blocks, added to that block's input."""

    def __init__(self, vit: VisionTransformer, depth: int) -> None:
        super().__init__()
        tokens, width = vit.num_prefix_tokens + vit.patch_embed.num_patches, vit.embed_dim
        self.layers = nn.ParameterList(nn.Parameter(_uniform(vit, tokens, width)) for _ in range(depth))

    def forward(self) -> list[Float[Tensor, "T D"]]:
        return list(self.layers)


class PixelPrompts(nn.Module):
    """A strip of pixels (3, P, P N) that the frozen patch embedding turns into N tokens without positions."""

    def __init__(self, vit: VisionTransformer, count: int) -> None:
        super().__init__()
        patch = vit.patch_embed.patch_size[0]
        self.pixels = nn.Parameter(_uniform(vit, 3, patch, patch * count))

    def forward(self, vit: VisionTransformer) -> Float[Tensor, "N D"]:
        embed: Any = vit.patch_embed
        strip = self.pixels.unsqueeze(0)
        if hasattr(embed, "stem"):
            return embed.stem(strip).flatten(2).transpose(1, 2)[0]
        return embed.norm(embed.proj(strip).flatten(2).transpose(1, 2))[0]


class ChannelPrompts(nn.Module):
    """N channels (N, H, W) beside red, green and blue; the first convolution widens for them and trains as a whole."""

    def __init__(self, vit: VisionTransformer, size: tuple[int, int], count: int) -> None:
        super().__init__()
        self.channels = nn.Parameter(_uniform(vit, count, *size))
        self._widen(vit, count)

    def _widen(self, vit: VisionTransformer, count: int) -> None:
        name, old = next((n, m) for n, m in vit.patch_embed.named_modules() if isinstance(m, nn.Conv2d))
        new = copy.deepcopy(old)
        new.in_channels += count
        extra = torch.empty(old.out_channels, count, *old.kernel_size)
        nn.init.xavier_uniform_(extra.flatten(1))
        new.weight = nn.Parameter(torch.cat([old.weight.detach(), extra], dim=1))
        new.requires_grad_(True)
        vit.patch_embed.set_submodule(name, new)

    def forward(self, images: Float[Tensor, "B 3 H W"]) -> Float[Tensor, "B channels H W"]:
        return torch.cat([images, self.channels.to(images.dtype).expand(images.shape[0], -1, -1, -1)], dim=1)


class FramePrompts(nn.Module):
    """A frame N pixels wide around the image; the backbone's positions are resampled for the larger image."""

    def __init__(self, backbone: Backbone, count: int) -> None:
        super().__init__()
        vit, (height, width) = backbone.vit, backbone.size
        patch = vit.patch_embed.patch_size[0]
        if (2 * count) % patch:
            step = patch // math.gcd(patch, 2)
            raise ConfigError(
                f"num_prompts={count} with prompt_location=pad makes the image {width + 2 * count} pixels wide, which "
                f"the {patch} pixel patches of {backbone.name} do not divide; legal: multiples of {step}"
            )
        self.width = count
        vit.set_input_size(img_size=(height + 2 * count, width + 2 * count))
        if vit.pos_embed is not None:
            vit.pos_embed.requires_grad_(False)
        self.pixels = nn.Parameter(_uniform(vit, 3, 2 * count * (height + width + 2 * count)))
        inside = torch.zeros(
            height + 2 * count, width + 2 * count, dtype=torch.bool, device="cpu"
        )  # a model may be meta
        inside[count : count + height, count : count + width] = True
        self.register_buffer("frame", (~inside).flatten().nonzero().flatten(), persistent=False)
        self.frame: Tensor

    def forward(self, images: Float[Tensor, "B 3 H W"]) -> Float[Tensor, "B 3 H_framed W_framed"]:
        padded = F.pad(images, [self.width] * 4)
        border = torch.zeros_like(padded[0]).flatten(1).index_copy(1, self.frame, self.pixels.to(images.dtype))
        return padded + border.unflatten(1, padded.shape[-2:])


def make_location(name: str, backbone: Backbone, count: int, depth: int) -> nn.Module:
    """The prompts of a location other than ``prepend``; ``depth`` matters to ``add`` alone."""
    if name == "add":
        return AddedPrompts(backbone.vit, depth)
    if name == "prepend_pixel":
        return PixelPrompts(backbone.vit, count)
    if name == "concat_channel":
        return ChannelPrompts(backbone.vit, backbone.size, count)
    return FramePrompts(backbone, count)


def _uniform(vit: VisionTransformer, *shape: int) -> Tensor:
    """VPT's start: uniform within ``sqrt(6 / (3 P^2 + D))``."""
    bound = (6 / (3 * vit.patch_embed.patch_size[0] ** 2 + vit.embed_dim)) ** 0.5
    return torch.empty(shape).uniform_(-bound, bound)
