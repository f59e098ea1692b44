"""What the families share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, TypeVar, TypeVarTuple, Unpack

import torch
from jaxtyping import Int
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from vptsp.core.errors import ConfigError

Kernel = Literal["auto", "fused", "matmul"]
Given = TypeVarTuple("Given")
Result = TypeVar("Result")


def effective_weight(linear: Any) -> tuple[Tensor, Tensor | None]:
    """Weight and bias of a linear layer, with peft's low-rank updates where it has some."""
    weight = linear.weight
    for name in getattr(linear, "active_adapters", ()):
        weight = weight + linear.get_delta_weight(name)
    return weight, linear.bias


def run_block(block: Callable[[Unpack[Given]], Result], recompute: bool, *given: *Given) -> Result:
    """Call ``block``; with ``recompute`` the backward pass computes again what it needs of it (arXiv 1604.06174)."""
    if recompute and torch.is_grad_enabled():
        result: Result = checkpoint(block, *given, use_reentrant=False)
        return result
    return block(*given)


def require_groups(groups: Int[Tensor, " B"] | None, batch: int | torch.SymInt) -> Int[Tensor, " B"]:
    """The group of each image. Raises :class:`ConfigError` where prompts (U, N, D) come without."""
    if groups is None:
        raise ConfigError(
            f"prompts (U, N, D) of U groups came without groups; pass groups ({batch},), the row of each image, or "
            "prompts (N, D) shared by all images"
        )
    return groups
