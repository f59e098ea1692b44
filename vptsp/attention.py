"""What the encoders of plain transformers and of Swins share about attention."""

from __future__ import annotations

from typing import Any, Literal

from torch import Tensor

Kernel = Literal["auto", "fused", "matmul"]


def effective_weight(linear: Any) -> tuple[Tensor, Tensor | None]:
    """Weight and bias of a linear layer, with peft's low-rank updates where it has some."""
    weight = linear.weight
    for name in getattr(linear, "active_adapters", ()):
        weight = weight + linear.get_delta_weight(name)
    return weight, linear.bias
