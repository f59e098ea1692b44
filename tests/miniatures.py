"""Small members of the families as models of timm by name, so that settings, runs and weight files can name them.

``name_of("DINOv3")`` is ``mini_dinov3``, timm's own model with few small blocks.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import timm
import torch
from prompt_tokens import MEMBERS, SWIN, VIT
from timm.models import register_model
from torch import Tensor

# the families whose yardsticks of prompts are elsewhere (benchmarks/token_path.py, tests/core/test_swin.py), and these
ALL: dict[str, tuple[str, dict[str, Any]]] = {
    "ViT": ("vit_tiny_patch16_224", VIT),
    "Swin": ("swin_tiny_patch4_window7_224", SWIN),
    **MEMBERS,
}


def name_of(member: str) -> str:
    """By which ``backbone=`` finds one of :data:`ALL`."""
    return "mini_" + "_".join(re.findall(r"[a-z0-9]+", member.lower()))


def _maker(member: str) -> Callable[..., Any]:
    architecture, keywords = ALL[member]

    def make(pretrained: bool = False, **given: Any) -> Any:
        return timm.create_model(architecture, pretrained=pretrained, **{**keywords, **given})

    make.__name__ = name_of(member)
    return make


for _member in ALL:
    register_model(_maker(_member))


def dinov3_layout(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """A DINOv3 of timm as Meta published it: storage tokens, ``ls1.gamma``, one bias for q, k and v with its mask, and
    w1, w2, w3 of a SwiGLU."""
    renamed = {"reg_token": "storage_tokens", "gamma_1": "ls1.gamma", "gamma_2": "ls2.gamma"}
    renamed |= {"mlp.fc1_g.": "mlp.w1.", "mlp.fc1_x.": "mlp.w2."}
    if any("fc1_g" in key for key in state):
        renamed |= {"mlp.fc2.": "mlp.w3."}
    width = state["norm.weight"].numel()
    none = torch.zeros(width)
    out = {"mask_token": torch.zeros(1, width), "rope_embed.periods": torch.ones(3)}
    for key, value in state.items():
        if key.endswith(("q_bias", "v_bias", "k_bias")):
            continue
        for ours, theirs in renamed.items():
            key = key.replace(ours, theirs)
        out[key] = value
        if key.endswith("qkv.weight"):
            block = key.removesuffix("qkv.weight")
            out[f"{block}qkv.bias"] = torch.cat([state.get(f"{block}{n}_bias", none) for n in "qkv"])
            out[f"{block}qkv.bias_mask"] = torch.ones(3 * width)
    return out
