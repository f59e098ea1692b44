"""Which of a backbone's own parameters train."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

from vptsp.core.errors import ConfigError

if TYPE_CHECKING:
    from vptsp.core.backbones.load import Backbone


def is_bias(name: str) -> bool:
    """Whether a parameter name is a bias in BitFit's sense; a projection's three may stand apart (DINOv3)."""
    return name.rpartition(".")[2] in ("bias", "q_bias", "k_bias", "v_bias")


def parameter_names(
    backbone: Backbone, tunes: str = "none", bitfit: bool = False, partial_blocks: int = 1
) -> list[str]:
    """Names of the backbone's parameters that train.

    ``tunes``: ``none``, ``last`` (the last ``partial_blocks`` blocks and the final norm) or ``all``; with ``bitfit``
    every bias too. Parameters that the forward pass does not use are never among them.
    """
    vit, family = backbone.vit, backbone.family
    if tunes == "last" and partial_blocks > family.depth(vit):
        raise ConfigError(
            f"partial_blocks={partial_blocks} is more than the {family.depth(vit)} blocks of {backbone.name}; "
            f"legal: 1 to {family.depth(vit)}"
        )
    last = family.last(vit, partial_blocks) if tunes == "last" else set()
    return [
        name
        for name, _ in vit.named_parameters()
        if (tunes == "all" or name in last or (bitfit and is_bias(name)))
        and not name.startswith(family.unused(vit, backbone.pooling))
    ]


@torch.no_grad()
def set_trainable(vit: nn.Module, names: list[str]) -> None:
    """Freeze everything but ``names``."""
    chosen = set(names)
    for name, parameter in vit.named_parameters():
        parameter.requires_grad_(name in chosen)
