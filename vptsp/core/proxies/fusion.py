"""Learned proxies, and their fusion with semantic ones."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn


def fuse(learned: Float[Tensor, "C E"], semantic: Float[Tensor, "C E"], alpha: float) -> Float[Tensor, "C E"]:
    """``q = alpha * O + (1 - alpha) * G`` (eq. 8), not normalised; losses normalise proxies themselves."""
    return alpha * learned + (1 - alpha) * semantic


def learned_proxies(num_classes: int, size: int) -> nn.Parameter:
    """Ordinary proxies O (C, E): Xavier uniform / 8, as published."""
    return nn.Parameter(nn.init.xavier_uniform_(torch.empty(num_classes, size)) / 8)
