"""A Swin small enough for exact comparisons."""

from __future__ import annotations

from typing import Any

import torch
from timm.models.swin_transformer import SwinTransformer

TINY: dict[str, Any] = {
    "img_size": 32, "patch_size": 4, "window_size": 4, "embed_dim": 24, "depths": (2, 2), "num_heads": (2, 4),
    "num_classes": 0,
}  # fmt: skip


def make_swin(**keywords: Any) -> SwinTransformer:
    torch.manual_seed(0)
    swin = SwinTransformer(**{**TINY, **keywords}).eval()
    for name, parameter in swin.named_parameters():  # away from the zeros and ones of initialisation
        if parameter.dim() < 2 or name.endswith("bias_table"):
            torch.nn.init.normal_(parameter, mean=float("norm" in name), std=0.3)
    return swin
