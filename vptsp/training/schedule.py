"""The learning rate of every epoch: a warm-up, then a cosine."""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch.optim import Optimizer

from vptsp.settings.config import Config


def cosine(start: float, end: float, epoch: int, length: int) -> float:
    """Learning rate of an epoch: cosine annealing from ``start`` to ``end`` over ``length`` epochs.

    As with torch's scheduler the rate rises again past ``length``; some published settings do that.
    A rate that starts below ``end`` stays where it is.
    """
    if start <= end:
        return start
    return end + (start - end) * (1 + math.cos(math.pi * epoch / length)) / 2


def set_learning_rates(optimizers: Sequence[Optimizer], config: Config, epoch: int) -> dict[str, float]:
    """Set every learning rate for ``epoch`` (from 0); returns those of the record: ``lr`` and ``lr_proxy``.

    In the first ``warmup_epochs`` rates rise linearly from 0, as in VPT's code, whose first epoch therefore changes
    nothing; the cosine follows.
    """
    warmup = config.warmup_epochs
    length = config.cosine_length or max(config.epochs - warmup, 1)
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            if epoch < warmup:
                group["lr"] = group["start"] * epoch / warmup
            else:
                group["lr"] = cosine(group["start"], config.cosine_min, epoch - warmup, length)
    names = ("lr", "lr_proxy")
    return {name: optimizer.param_groups[0]["lr"] for name, optimizer in zip(names, optimizers, strict=False)}
