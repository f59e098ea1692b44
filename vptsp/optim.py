"""The two optimisers and their cosine: one for the learned proxies, one for everything else."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch.optim import Optimizer

from vptsp.config import Config
from vptsp.model import EmbeddingModel


def make_optimizers(model: EmbeddingModel, config: Config) -> tuple[Optimizer, Optimizer]:
    """``(optimizer of everything else, optimizer of the learned proxies)``, of one type, as published."""
    proxies, others = model.parameter_groups()

    def build(parameters: list[torch.nn.Parameter], lr: float) -> Optimizer:
        if config.optimizer == "sgd":
            return torch.optim.SGD(parameters, lr, momentum=config.momentum, weight_decay=config.weight_decay)
        kind = torch.optim.Adam if config.optimizer == "adam" else torch.optim.AdamW
        return kind(parameters, lr, weight_decay=config.weight_decay)

    return build(others, config.lr), build(proxies, config.lr_proxy)


def cosine(start: float, end: float, epoch: int, length: int) -> float:
    """Learning rate of an epoch: cosine annealing from ``start`` to ``end`` over ``length`` epochs.

    As with torch's scheduler the rate rises again past ``length``; some published settings do that.
    A rate that starts below ``end`` stays where it is.
    """
    if start <= end:
        return start
    return end + (start - end) * (1 + math.cos(math.pi * epoch / length)) / 2


def set_epoch(optimizers: Sequence[Optimizer], config: Config, epoch: int) -> tuple[float, float]:
    """Set both learning rates for ``epoch`` (from 0) and return them."""
    length = config.cosine_length or max(config.epochs, 1)
    rates = tuple(cosine(start, config.cosine_min, epoch, length) for start in (config.lr, config.lr_proxy))
    for optimizer, rate in zip(optimizers, rates, strict=True):
        for group in optimizer.param_groups:
            group["lr"] = rate
    return rates[0], rates[1]
