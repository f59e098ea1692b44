"""Small trained modules inside a frozen backbone: adapters beside its MLPs, low-rank updates of its linear layers."""

from __future__ import annotations

from typing import Any, Literal

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from vptsp.core.backbones.load import Backbone
from vptsp.core.errors import ConfigError


class Adapter(nn.Module):
    """``up(GELU(down(x)))`` of D -> H -> D (Houlsby et al., arXiv 1902.00751), H the bottleneck.

    ``init="working"`` starts as the zero function with a gradient (``up`` zero, ``down`` Kaiming uniform);
    ``published`` is VPT's code, where both weights are zero, so that neither ever gets a gradient and only the last
    bias learns. ``norm``: LayerNorm before (``pre``) or after (``post``, with a zero gain at start).
    """

    def __init__(self, width: int, size: int, norm: Literal["none", "pre", "post"], init: str) -> None:
        super().__init__()
        self.before = nn.LayerNorm(width) if norm == "pre" else nn.Identity()
        self.down, self.up = nn.Linear(width, size), nn.Linear(size, width)
        self.after = nn.LayerNorm(width) if norm == "post" else nn.Identity()
        for layer in (self.down, self.up):
            nn.init.zeros_(layer.bias)
        if init == "published":
            nn.init.zeros_(self.down.weight)
        if isinstance(self.after, nn.LayerNorm):
            nn.init.zeros_(self.after.weight)  # a zero up would put a constant into the norm, and no gradient out
        if init == "published" or norm != "post":
            nn.init.zeros_(self.up.weight)

    def forward(self, x: Float[Tensor, "... D"]) -> Float[Tensor, "... D"]:
        return self.after(self.up(F.gelu(self.down(self.before(x)))))


class AdaptedMlp(nn.Module):
    """A frozen MLP with an adapter on its output (``sequential``) or on its input (``parallel``), added to it."""

    def __init__(self, mlp: nn.Module, adapter: Adapter, place: Literal["sequential", "parallel"]) -> None:
        super().__init__()
        self.mlp, self.adapter, self.place = mlp, adapter, place

    def forward(self, x: Tensor) -> Tensor:
        out = self.mlp(x)
        return out + self.adapter(out if self.place == "sequential" else x)


def add_adapters(
    backbone: Backbone,
    size: int | None,
    depth: int | None,
    place: Literal["sequential", "parallel"],
    norm: Literal["none", "pre", "post"],
    init: str,
) -> None:
    """Put an adapter at the MLP of the first ``depth`` blocks; ``size`` none: an eighth of the block's width."""
    if not backbone.blocks:
        raise ConfigError(
            f"adapters sit at the MLP of each block, and where those are in {backbone.name} "
            f"({type(backbone.vit).__name__}) is not known; choose method=lora, bias or partial, or another backbone"
        )
    if depth is not None and depth > backbone.depth:
        raise ConfigError(
            f"adapter_depth={depth} is deeper than the backbone, which has {backbone.depth} blocks; "
            f"legal: 1 to {backbone.depth}"
        )
    blocks: list[Any] = backbone.blocks[:depth]
    for block, width in zip(blocks, backbone.family.mlp_widths(backbone.vit), strict=False):
        block.mlp = AdaptedMlp(block.mlp, Adapter(width, size or width // 8, norm, init), place)


def add_lora(backbone: Backbone, rank: int, alpha: int, targets: tuple[str, ...]) -> None:
    """Low-rank updates ``W + (alpha / rank) B A`` (Hu et al., arXiv 2106.09685) of every block, by peft."""
    import peft  # takes seconds, which only this method pays

    layers = {id(layer) for layer in backbone.family.low_rank_layers(backbone.vit, targets)}
    if not layers:
        raise ConfigError(
            f"lora_targets={', '.join(targets)}: {backbone.name} has no linear layers of these names; "
            + _linear_names(backbone)
        )
    names = [name for name, module in backbone.vit.named_modules() if id(module) in layers]
    settings = peft.LoraConfig(r=rank, lora_alpha=alpha, target_modules=names, lora_dropout=0.0, bias="none")
    peft.inject_adapter_in_model(settings, backbone.vit)


def _linear_names(backbone: Backbone) -> str:
    found = {n.rpartition(".")[2] for n, layer in backbone.vit.named_modules() if isinstance(layer, nn.Linear)}
    if legal := [name for name in ("qkv", "proj", "fc1", "fc2") if name in found]:
        return f"legal: {', '.join(legal)}"
    return "it has none that LoRA could update, so choose another method or backbone"
