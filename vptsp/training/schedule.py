"""The learning rate of every epoch, or of every step: a warm-up, then a cosine."""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch.optim import Optimizer

from vptsp.settings.config import Config


def cosine(start: float, end: float, epoch: float, length: int) -> float:
    """Learning rate of an epoch: cosine annealing from ``start`` to ``end`` over ``length`` epochs.

    As with torch's scheduler the rate rises again past ``length``; some published settings do that.
    A rate that starts below ``end`` stays where it is.
    """
    if start <= end:
        return start
    return end + (start - end) * (1 + math.cos(math.pi * epoch / length)) / 2


def head_alone(config: Config, epoch: int) -> bool:
    """Whether in ``epoch`` (from 0) nothing in the transformer trains yet: the first ``head_epochs``.

    A head and proxies that know nothing pull the features of a transformer in any direction; those that have learned
    what the features tell adapt them (linear probing, then fine-tuning; Kumar et al., ICLR 2022, arXiv 2202.10054).
    Where a run prunes and trains anew, so does the head.
    """
    place, epochs = _place(config, epoch)
    if config.head_epochs is not None:
        return place < config.head_epochs
    return place < 1 and epochs >= 3 and config.task == "retrieval" and not config.warmup_epochs


def _place(config: Config, epoch: float) -> tuple[float, int]:
    """Epochs since training began, and how many there are; anew where a run prunes."""
    begins = config.prunes_after
    if begins is None:
        return epoch, config.epochs
    return (epoch, begins) if epoch < begins else (epoch - begins, config.epochs - begins)


def set_learning_rates(
    optimizers: Sequence[Optimizer], config: Config, epoch: float, inside: float = 1.0
) -> dict[str, float]:
    """Set every learning rate for ``epoch`` (from 0); returns those of the record: ``lr`` and ``lr_proxy``.

    In the first ``warmup_epochs`` rates rise linearly from ``warmup_lr``. From 0, as in VPT's code, the first epoch
    changes nothing. The cosine follows. With ``schedule="updates"`` an epoch has parts, its share of steps done, and
    the cosine counts from the first step of all, not from the end of the warm-up, as timm's does by default.
    Where a run prunes and trains anew (:mod:`vptsp.training.pruning`), so does the schedule. ``inside``: a share of
    their rates for what trains in the transformer (:mod:`vptsp.training.step_back`).
    """
    epoch, epochs = _place(config, epoch)
    warmup, by_step = config.warmup_epochs, config.schedule == "updates"
    skipped = 0 if by_step else warmup
    length = config.cosine_length or max(epochs - skipped, 1)
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            if epoch < warmup:
                group["lr"] = config.warmup_lr + (group["start"] - config.warmup_lr) * epoch / warmup
            else:
                group["lr"] = cosine(group["start"], config.cosine_min, epoch - skipped, length)
            group["lr"] *= inside if group.get("inside") else 1.0
    names = ("lr", "lr_proxy")
    return {name: optimizer.param_groups[0]["lr"] for name, optimizer in zip(names, optimizers, strict=False)}
