"""Guided and plain prompts: the two banks of DA-VPT."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from vptsp.core.errors import ConfigError

PromptNorm = Literal["none", "l2", "layer"]
_SHORTEST = 1e-6  # length of a prompt below which l2 divides by this instead
_EPS = 1e-6  # of the LayerNorm, as in the backbone


class GuidedPrompts(nn.Module):
    """Prompts of every block, of two kinds (DA-VPT, arXiv 2505.23694): G guided blocks hold P guided prompts and no
    others, the L - G other blocks hold N plain ones.

    At start uniform within ``scale * sqrt(6 / ((prompts + blocks) D))`` for each bank (blocks x prompts x D), as in the
    published code, whose ``init_divide_by8`` is ``scale=1/8``. ``norm`` is applied to the prompts of both banks in
    every pass: ``none``, ``l2`` (to unit length) or ``layer`` (one trained LayerNorm of all blocks).

    ``guided_blocks`` count from 0. Raises :class:`~vptsp.core.errors.ConfigError` for blocks that are not there, and
    for a backbone whose blocks differ in width.
    """

    def __init__(
        self,
        guided: int,
        plain: int,
        guided_blocks: Sequence[int],
        widths: Sequence[int],
        *,
        norm: PromptNorm = "none",
        scale: float = 1.0,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        depth = len(widths)
        if not guided_blocks or min(guided_blocks) < 0 or max(guided_blocks) >= depth:
            raise ConfigError(
                f"guided blocks {list(guided_blocks)} are not all blocks of the backbone, which has {depth}; legal: "
                f"one or more of 0 to {depth - 1}"
            )
        if len(set(widths)) > 1:
            raise ConfigError(
                "guided prompts need blocks of one width, but this backbone's are "
                f"{', '.join(map(str, sorted(set(widths))))} wide; choose a plain vision transformer"
            )
        self.guided_blocks, self.dropout, self.kind = sorted(set(guided_blocks)), dropout, norm
        self.counts = [guided if block in self.guided_blocks else plain for block in range(depth)]
        width, others = widths[0], depth - len(self.guided_blocks)
        self.guided = nn.Parameter(_started(len(self.guided_blocks), guided, width, scale))
        self.plain = nn.Parameter(_started(others, plain, width, scale)) if others and plain else None
        self.norm = nn.LayerNorm(width, eps=_EPS) if norm == "layer" else nn.Identity()

    def forward(self, dropped: bool = True) -> list[Float[Tensor, "_ D"]]:
        """The prompts of each block, first block first; of no rows where a block has none. ``dropped`` false: as they
        are without dropout."""
        drop = self._dropped if dropped else nn.Identity()
        banks = [iter(drop(self.proxies()))]
        if self.plain is not None:
            banks.append(iter(drop(self._normed(self.plain))))
        empty = self.guided[0, :0]
        return [
            next(banks[0]) if block in self.guided_blocks else next(banks[1]) if count else empty
            for block, count in enumerate(self.counts)
        ]

    def proxies(self) -> Float[Tensor, "G P D"]:
        """The guided prompts as the guided loss compares them: normalised, nothing dropped."""
        return self._normed(self.guided)

    def _normed(self, bank: Float[Tensor, "G P D"]) -> Float[Tensor, "G P D"]:
        if self.kind == "l2":
            return F.normalize(bank, dim=-1, eps=_SHORTEST)
        normed: Tensor = self.norm(bank)
        return normed

    def _dropped(self, bank: Float[Tensor, "G P D"]) -> Float[Tensor, "G P D"]:
        return F.dropout(bank, self.dropout, self.training) if self.dropout else bank


def _started(blocks: int, prompts: int, width: int, scale: float) -> Float[Tensor, "G P D"]:
    bank = torch.empty(blocks, prompts, width)
    return nn.init.xavier_uniform_(bank, gain=scale) if bank.numel() else bank
