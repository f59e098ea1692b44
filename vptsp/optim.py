"""The two optimisers and their cosine: one for the learned proxies, one for everything else."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch.optim import Optimizer

from vptsp.config import Config
from vptsp.model import EmbeddingModel


def make_optimizers(model: EmbeddingModel, config: Config) -> tuple[Optimizer, ...]:
    """``(optimizer of everything else, optimizer of the learned proxies)``, of one type, as published.

    The first has a second group for the backbone's own weights, where they train. Without proxies (closed-set
    recognition by a linear classifier) there is only the first.
    """
    groups = model.parameter_groups()

    def build(named: dict[str, float]) -> Optimizer:
        rows = [{"params": groups[name], "lr": lr, "start": lr} for name, lr in named.items() if groups[name]]
        if config.optimizer == "sgd":
            return torch.optim.SGD(rows, momentum=config.momentum, weight_decay=config.weight_decay)
        kind = torch.optim.Adam if config.optimizer == "adam" else torch.optim.AdamW
        return kind(rows, weight_decay=config.weight_decay)

    others = build({"others": config.lr, "backbone": config.lr_backbone})
    return (others, build({"proxies": config.lr_proxy})) if groups["proxies"] else (others,)


def cosine(start: float, end: float, epoch: int, length: int) -> float:
    """Learning rate of an epoch: cosine annealing from ``start`` to ``end`` over ``length`` epochs.

    As with torch's scheduler the rate rises again past ``length``; some published settings do that.
    A rate that starts below ``end`` stays where it is.
    """
    if start <= end:
        return start
    return end + (start - end) * (1 + math.cos(math.pi * epoch / length)) / 2


def set_epoch(optimizers: Sequence[Optimizer], config: Config, epoch: int) -> dict[str, float]:
    """Set every learning rate for ``epoch`` (from 0); returns those of the record: ``lr`` and ``lr_proxy``."""
    length = config.cosine_length or max(config.epochs, 1)
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["lr"] = cosine(group["start"], config.cosine_min, epoch, length)
    names = ("lr", "lr_proxy")
    return {name: optimizer.param_groups[0]["lr"] for name, optimizer in zip(names, optimizers, strict=False)}
