"""Which of a backbone's own parameters train."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

from vptsp.core.errors import ConfigError

if TYPE_CHECKING:
    from vptsp.core.backbones.load import Backbone


def is_bias(name: str) -> bool:
    """Whether a parameter name is a bias in BitFit's sense."""
    return name == "bias" or name.endswith(".bias")


def parameter_names(
    backbone: Backbone, tunes: str = "none", bitfit: bool = False, partial_blocks: int = 1
) -> list[str]:
    """Names of the backbone's parameters that train.

    ``tunes``: ``none``, ``last`` (the last ``partial_blocks`` blocks and the final norm) or ``all``; with ``bitfit``
    every bias too. Parameters that the forward pass does not use are never among them.
    """
    vit = backbone.vit
    if tunes == "last" and partial_blocks > backbone.depth:
        raise ConfigError(
            f"partial_blocks={partial_blocks} is more than the {backbone.depth} blocks of {backbone.name}; "
            f"legal: 1 to {backbone.depth}"
        )
    tuned: list[nn.Module] = []
    if tunes == "all":
        tuned = [vit]
    elif tunes == "last":
        tuned = [*backbone.blocks[-partial_blocks:], *backbone.family.final_norms(vit)]
    chosen = {id(parameter) for module in tuned for parameter in module.parameters()}
    return [
        name
        for name, parameter in vit.named_parameters()
        if (id(parameter) in chosen or (bitfit and is_bias(name))) and not name.startswith(backbone.family.unused)
    ]


@torch.no_grad()
def set_trainable(vit: nn.Module, names: list[str]) -> None:
    """Freeze everything but ``names``."""
    chosen = set(names)
    for name, parameter in vit.named_parameters():
        parameter.requires_grad_(name in chosen)
