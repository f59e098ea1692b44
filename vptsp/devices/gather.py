"""Rows of all processes, in the order of the whole batch, with gradients."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor
from torch.autograd.function import once_differentiable


def share(total: int, rank: int, size: int) -> slice:
    """Rows of ``total`` that a process has: as many as the others, or one more or less."""
    return slice(rank * total // size, (rank + 1) * total // size)


def counts(total: int, size: int) -> list[int]:
    """Rows of each process."""
    parts = (share(total, rank, size) for rank in range(size))
    return [part.stop - part.start for part in parts]


def gather_rows(own: Tensor, sizes: Sequence[int]) -> Tensor:
    """Rows of all processes behind one another, ``sizes[r]`` of process r; no gradient."""
    longest = max(sizes)
    padded = own.new_zeros(longest, *own.shape[1:])
    padded[: len(own)] = own
    parts = [torch.empty_like(padded) for _ in sizes]
    dist.all_gather(parts, padded)
    return torch.cat([part[:size] for part, size in zip(parts, sizes, strict=True)])


class Gathered(torch.autograd.Function):
    """:func:`gather_rows` with a gradient: of rows that enter the same loss in every process.

    Each process computes the loss of all rows, so each has the whole gradient of every row already, and takes that of
    its own without another message. It is multiplied by the number of processes, because the gradients of parameters
    are then averaged over processes (DistributedDataParallel): of what lies before the rows, in whose gradient each
    process has its own rows' part, that makes the sum; of what lies behind them, which all have alike, it stays.
    """

    @staticmethod
    def forward(ctx: Any, own: Tensor, sizes: Sequence[int], rank: int) -> Tensor:
        first = sum(sizes[:rank])
        ctx.place, ctx.processes = slice(first, first + sizes[rank]), len(sizes)
        return gather_rows(own, sizes)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        return gradient[ctx.place] * ctx.processes, None, None


def gather_columns(columns: dict[str, Tensor], sizes: Sequence[int], rank: int) -> dict[str, Tensor]:
    """:class:`Gathered` of several tensors with as many rows, by one message for each type of number."""
    found: dict[str, Tensor] = {}
    for kind in dict.fromkeys(column.dtype for column in columns.values()):
        alike = {name: column for name, column in columns.items() if column.dtype == kind}
        flat = torch.cat([column.flatten(1) for column in alike.values()], dim=1)
        whole: Tensor = Gathered.apply(flat, sizes, rank)
        widths = [column[0].numel() for column in alike.values()]
        for (name, column), part in zip(alike.items(), whole.split(widths, dim=1), strict=True):
            found[name] = part.unflatten(1, column.shape[1:]) if column.dim() > 2 else part
    return found
