"""Visual prompts, shared by all images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from vptsp.core.errors import ConfigError


def prompt_counts(
    first: int, depth: int | None, step: int, blocks: int, field: str, start: Literal["bottom", "top"] = "bottom"
) -> list[int]:
    """Prompts in each block, ``max(first - i*step, 0)`` for the first ``depth`` blocks (VPTSP section 4.2).

    With ``start="top"`` the range is the last ``depth`` blocks. Blocks that would get none are left out at the end,
    so the list is no longer than it must be.
    Raises :class:`ConfigError` if ``depth`` exceeds the backbone's ``blocks``.
    """
    if depth is not None and depth > blocks:
        raise ConfigError(
            f"{field}={depth} is deeper than the backbone, which has {blocks} blocks; legal: 1 to {blocks}"
        )
    counts = [max(first - i * step, 0) for i in range(blocks if depth is None else depth)]
    if start == "top":
        counts = [0] * (blocks - len(counts)) + counts
    while counts and counts[-1] == 0:
        counts.pop()
    return counts


class VisualPrompts(nn.Module):
    """Shared visual prompts (VPT, arXiv 2203.12119): one ``N_i x D_i`` matrix per block that has prompts.

    At start Xavier normal as published: standard deviation ``sqrt(2 / ((N_i + 1) D))``. ``widths`` gives the
    width of each block, one number where all are equal. ``shared`` uses one matrix in all blocks;
    ``projection`` keeps prompts ``projection`` wide and learns one linear map to each width.
    """

    def __init__(
        self,
        counts: Sequence[int],
        widths: int | Sequence[int],
        shared: bool = False,
        projection: int | None = None,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.counts, self.dropout = list(counts), dropout
        self.widths = [widths] * len(self.counts) if isinstance(widths, int) else list(widths)[: len(self.counts)]
        blocks = [block for block, count in enumerate(self.counts) if count]
        if shared and not projection and len({self.widths[block] for block in blocks}) > 1:
            raise ConfigError(
                "prompt_shared=True needs blocks of one width, but this backbone's are "
                f"{', '.join(map(str, sorted(set(self.widths))))} wide; use prompt_projection, or prompt_shared=False"
            )
        own = blocks[:1] if shared else blocks
        self.source = [-1 if not count else 0 if shared else blocks.index(block) for block, count in enumerate(counts)]
        self.layers = nn.ParameterList(
            nn.Parameter(torch.empty(self.counts[block], projection or self.widths[block])) for block in own
        )
        for layer in self.layers:
            count, width = layer.shape
            nn.init.normal_(layer, std=(2 / ((count + 1) * width)) ** 0.5)
        self.maps = nn.ModuleDict(
            {str(width): nn.Linear(projection, width) for width in sorted({self.widths[b] for b in blocks})}
            if projection
            else {}
        )

    def forward(self, dropped: bool = True) -> list[Float[Tensor, "N D"]]:
        """The prompts of each block, first block first; of no rows where a block has none. ``dropped`` false: as they
        are without dropout."""
        return [self._of_block(source, width, dropped) for source, width in zip(self.source, self.widths, strict=True)]

    def _stored(self, source: int) -> Float[Tensor, "N D"]:
        """A matrix as it is stored, before it is projected and dropped."""
        prompt: Tensor = self.layers[source]
        return prompt

    def _of_block(self, source: int, width: int, dropped: bool) -> Tensor:
        if source < 0:
            return torch.empty(0, width, device=self.layers[0].device)
        prompt = self._stored(source)
        prompt = self.maps[str(width)](prompt) if self.maps else prompt
        return F.dropout(prompt, self.dropout, self.training) if self.dropout and dropped else prompt
