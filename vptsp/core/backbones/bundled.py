"""The bundled backbone: a small plain ViT, pretrained on generated images, that needs no download.

Importing this module registers ``vit_bundled_64`` with timm, after which
``timm.create_model("vit_bundled_64", pretrained=True)`` loads the packaged weights.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from timm.layers import resample_abs_pos_embed
from timm.models import build_model_with_cfg, generate_default_cfgs, register_model
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor, nn

NAME = "vit_bundled_64"
WEIGHTS = Path(__file__).parent / "weights" / f"{NAME}.safetensors"
SIZE, PATCH, WIDTH, DEPTH, HEADS = 64, 8, 192, 4, 6


class Residual(nn.Module):
    """Two 3x3 convolutions around a shortcut; the first may halve the resolution."""

    def __init__(self, inner: int, outer: int, stride: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(inner, outer, 3, stride, 1),
            nn.GroupNorm(1, outer),
            nn.GELU(),
            nn.Conv2d(outer, outer, 3, 1, 1),
        )
        self.shortcut = nn.Conv2d(inner, outer, stride, stride)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.shortcut(x) + self.body(x)
        return out


class ResidualStem(nn.Module):
    """``B 3 64 64`` to ``B 64 D`` tokens, one per 8 x 8 pixels: timm's ``embed_layer`` of this backbone.

    Three halvings (Xiao et al., "Early Convolutions Help Transformers See Better", arXiv 2106.14881), then
    a learned gain per place and channel: pooled over tokens, gained features are a sketch of *where*
    things are, which an added position embedding alone is slow to learn.
    """

    def __init__(
        self,
        img_size: int = SIZE,
        patch_size: int = PATCH,
        in_chans: int = 3,
        embed_dim: int = WIDTH,
        bias: bool = True,
        **_: Any,
    ) -> None:
        super().__init__()
        self.img_size = (img_size, img_size)
        self.patch_size = (patch_size, patch_size)
        self.grid_size = (img_size // patch_size, img_size // patch_size)
        self.num_patches = self.grid_size[0] * self.grid_size[1]
        self.stem = nn.Sequential(
            nn.Conv2d(in_chans, 32, 4, 2, 1),
            nn.GELU(),
            Residual(32, 64, 2),
            nn.GELU(),
            Residual(64, 128, 2),
            nn.GELU(),
            nn.Conv2d(128, embed_dim, 1, bias=bias),
        )
        self.gain = nn.Parameter(self._waves(embed_dim))

    def _waves(self, channels: int) -> Float[Tensor, "1 T D"]:
        """A slow random wave over the image for every channel."""
        rows, columns = (torch.arange(n) / n for n in self.grid_size)
        frequency, phase = torch.rand(2, channels) * 3 - 1.5, torch.rand(channels)
        turns = rows.view(-1, 1, 1) * frequency[0] + columns.view(1, -1, 1) * frequency[1] + phase
        return (turns * 2 * torch.pi).cos().flatten(0, 1).unsqueeze(0) * 2**0.5

    def set_input_size(self, img_size: int | tuple[int, int] | None = None, patch_size: object = None) -> None:
        """Take images of another size: the gains are resampled as position embeddings are."""
        side = img_size if isinstance(img_size, int) else (img_size or self.img_size)[0]
        self.img_size, self.grid_size = (side, side), (side // self.patch_size[0],) * 2
        self.num_patches = self.grid_size[0] * self.grid_size[1]
        gain = resample_abs_pos_embed(self.gain, list(self.grid_size), num_prefix_tokens=0)
        self.gain = nn.Parameter(gain, requires_grad=self.gain.requires_grad)

    def feat_ratio(self) -> int:
        return self.patch_size[0]

    def forward(self, x: Float[Tensor, "B channels H W"]) -> Float[Tensor, "B T D"]:
        tokens: Tensor = self.stem(x).flatten(2).transpose(1, 2)
        return tokens * self.gain


default_cfgs = generate_default_cfgs(
    {
        f"{NAME}.generated": {
            "file": str(WEIGHTS),
            "num_classes": 0,
            "input_size": (3, SIZE, SIZE),
            "fixed_input_size": True,
            "crop_pct": 224 / 256,
            "interpolation": "bicubic",
            "mean": (0.5, 0.5, 0.5),
            "std": (0.5, 0.5, 0.5),
            "first_conv": "patch_embed.stem.0",
            "classifier": "head",
            "license": "mit",
        }
    }
)


@register_model
def vit_bundled_64(pretrained: bool = False, **kwargs: Any) -> VisionTransformer:
    """ViT of 4 blocks, 192 wide, on 64 px images (65 tokens); the CLS token is the feature."""
    args = dict(
        img_size=SIZE,
        patch_size=PATCH,
        embed_dim=WIDTH,
        depth=DEPTH,
        num_heads=HEADS,
        mlp_ratio=4,
        embed_layer=ResidualStem,
    )
    model: VisionTransformer = build_model_with_cfg(
        VisionTransformer, NAME, pretrained, **{"num_classes": 0, **args, **kwargs}
    )
    return model
