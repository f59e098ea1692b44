"""How many of a number a share is, for settings that are checked without torch as for the prompts that are pruned."""

from __future__ import annotations

import math


def number_pruned(share: float, count: int) -> int:
    """How many of ``count`` are pruned: rounded down, so that of a share below 1 something is left.

    In floats 0.29 of 100 are 28.999..., and here 29.
    """
    return min(math.floor(share * count + 1e-9), max(count - 1, 0))
