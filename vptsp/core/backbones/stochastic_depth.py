"""Stochastic depth in a frozen backbone (Huang et al., ECCV 2016, arXiv 1603.09382)."""

from __future__ import annotations

from typing import Any

from timm.layers import DropPath

from vptsp.core.backbones.load import Backbone
from vptsp.core.errors import BackboneError


class DroppedPath(DropPath):
    """One that trains although the backbone around it is frozen: the model turns it on and off."""


def drop_paths(backbone: Backbone, rate: float) -> None:
    """Drop what attention and MLP of a block add, image by image, with a probability that rises from 0 to ``rate``.

    It rises linearly from the first block to the last, and what is kept is scaled up, as in timm.
    Raises :class:`BackboneError` for families whose blocks are not known to take it.
    """
    if not backbone.family.drops_paths:
        raise BackboneError(
            f"drop_path={rate:g} is not for {backbone.name}, which is a {backbone.family.title}; use drop_path=0, or a "
            "plain vision transformer"
        )
    blocks: list[Any] = backbone.blocks
    for number, block in enumerate(blocks):
        if own := rate * number / max(len(blocks) - 1, 1):
            block.drop_path1, block.drop_path2 = DroppedPath(own), DroppedPath(own)
