"""Classes divided among processes: what :mod:`vptsp.core.losses.by_shard` asks of them, by torch.distributed."""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor
from torch.autograd.function import once_differentiable

from vptsp.devices.gather import share


class ClassShards:
    """Process ``rank`` of ``size`` has as many consecutive classes as the others, or one more or less."""

    def __init__(self, rank: int, size: int) -> None:
        self.rank, self.size = rank, size

    def own(self, classes: int) -> slice:
        return share(classes, self.rank, self.size)

    def enter(self, whole: Tensor) -> Tensor:
        entered: Tensor = _Enter.apply(whole)
        return entered

    def sum(self, part: Tensor) -> Tensor:
        total: Tensor = _Sum.apply(part)
        return total

    def largest(self, part: Tensor) -> Tensor:
        found = part.detach().clone()
        dist.all_reduce(found, dist.ReduceOp.MAX)
        return found


class _Enter(torch.autograd.Function):
    """Forward nothing, backward the sum: the ``f`` of Megatron-LM (arXiv 1909.08053, section 3)."""

    @staticmethod
    def forward(ctx: Any, whole: Tensor) -> Tensor:
        return whole.view_as(whole)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        total = gradient.contiguous().clone()
        dist.all_reduce(total)
        return total


class _Sum(torch.autograd.Function):
    """Forward the sum, backward nothing: the ``g`` of Megatron-LM."""

    @staticmethod
    def forward(ctx: Any, part: Tensor) -> Tensor:
        total = part.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return gradient
