"""Prompts of successive blocks as one linear system: PAE's consistency and stability losses."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from vptsp.core.errors import ConfigError


class PromptDynamics(nn.Module):
    """The prompt dynamics of PAE (Visual Prompt-Agnostic Evolution, ICLR 2026, arXiv 2601.20232, eq. 8 and 10).

    Prompts P_i (N, D) of block i are lifted to ``z_i = P_i U``, and one matrix K, shared by all blocks, takes each
    block's on to the next. Added to the loss of the task is, summed over successive blocks and over prompts,

    ``weight |z_{i+1} - z_i K|^2 + stability max(0, V(z_i K) - V(z_i))`` with ``V(z) = z Q z'`` and ``Q = L' L``,

    so that prompts evolve alike and errors do not grow on the way. K and L begin as the identity, U as torch's linear
    layers. ``D d + 2 d^2`` parameters; images are embedded without them.

    These are the paper's formulas. Its published code takes means over prompts and dimensions in the place of sums, a
    softplus for the hinge, divides Q by its norm and long z by theirs, and leaves out the first block. Its start of
    prompts from frequency masks (MPA) is no part of this.
    """

    def __init__(self, width: int, size: int = 256, weight: float = 0.5, stability: float = 0.2) -> None:
        super().__init__()
        self.weight, self.stability = weight, stability
        self.lift = nn.Linear(width, size, bias=False)
        self.step = nn.Parameter(torch.eye(size))  # K
        self.form = nn.Parameter(torch.eye(size))  # L

    def forward(self, prompts: Sequence[Float[Tensor, "_ D"]]) -> Float[Tensor, ""]:
        """The loss of the prompts of each block, first block first; blocks side by side are compared where they hold
        equally many. Raises :class:`ConfigError` where no two do."""
        with torch.autocast(self.step.device.type, enabled=False):
            pairs = [(a.float(), b.float()) for a, b in successive(prompts)]
            if not pairs:
                raise ConfigError("prompt dynamics need two successive blocks with equally many prompts of one width")
            before, after = (self.lift(torch.cat(side)) for side in zip(*pairs, strict=True))  # (prompts, d)
            expected = before @ self.step
            growth = self._energy(expected) - self._energy(before)
            return self.weight * (after - expected).square().sum() + self.stability * growth.clamp_min(0).sum()

    def _energy(self, states: Float[Tensor, "N d"]) -> Float[Tensor, " N"]:
        """``V(z) = z L' L z' = |L z'|^2``."""
        return (states @ self.form.T).square().sum(dim=-1)


def successive(prompts: Sequence[Float[Tensor, "_ D"]]) -> list[tuple[Tensor, Tensor]]:
    """Prompts of blocks side by side that hold equally many of one width; empty where no two do."""
    return [(a, b) for a, b in itertools.pairwise(prompts) if a.shape == b.shape and len(a)]
