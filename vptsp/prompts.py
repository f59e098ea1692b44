"""Learned prompts: visual prompts shared by all images, and class prompts with rows per class."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from vptsp.errors import ConfigError


def prompt_counts(first: int, depth: int | None, step: int, blocks: int, field: str) -> list[int]:
    """Prompts in each block, ``max(first - i*step, 0)`` for the first ``depth`` blocks (VPTSP section 4.2).

    Blocks that would get none are left out at the end, so the list is no longer than it must be.
    Raises :class:`ConfigError` if ``depth`` exceeds the backbone's ``blocks``.
    """
    if depth is not None and depth > blocks:
        raise ConfigError(
            f"{field}={depth} is deeper than the backbone, which has {blocks} blocks; legal: 1 to {blocks}"
        )
    counts = [max(first - i * step, 0) for i in range(blocks if depth is None else depth)]
    while counts and counts[-1] == 0:
        counts.pop()
    return counts


class VisualPrompts(nn.Module):
    """Shared visual prompts (VPT, arXiv 2203.12119): one ``N_i x D`` matrix per block.

    At start Xavier normal as published: standard deviation ``sqrt(2 / ((N_i + 1) D))``.
    """

    def __init__(self, counts: list[int], width: int) -> None:
        super().__init__()
        self.layers = nn.ParameterList(nn.Parameter(torch.empty(count, width)) for count in counts)
        for layer, count in zip(self.layers, counts, strict=True):
            nn.init.normal_(layer, std=(2 / ((count + 1) * width)) ** 0.5)

    def forward(self) -> list[Float[Tensor, "N D"]]:
        """The prompts of each block, first block first."""
        return list(self.layers)


class ClassPrompts(nn.Module):
    """Class prompts (VPTSP section 4.2): one ``C x N_i x D`` tensor per block, a row of it per class.

    ``init="shared"`` starts them with the spread of shared prompts; ``"published"`` is Xavier normal over
    the whole tensor, ``sqrt(2 / ((N_i + C) D))``, which shrinks as classes are added.
    """

    def __init__(self, counts: list[int], width: int, num_classes: int, init: str = "shared") -> None:
        super().__init__()
        self.layers = nn.ParameterList(nn.Parameter(torch.empty(num_classes, count, width)) for count in counts)
        for layer, count in zip(self.layers, counts, strict=True):
            rows = num_classes if init == "published" else 1
            nn.init.normal_(layer, std=(2 / ((count + rows) * width)) ** 0.5)

    def forward(self, classes: Int[Tensor, " U"]) -> list[Float[Tensor, "U N D"]]:
        """The prompts of each block for the given classes. Only these rows get a gradient."""
        return [layer[classes] for layer in self.layers]
