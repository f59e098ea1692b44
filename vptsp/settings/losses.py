"""The loss of a configuration: made for a run's classes, and tried on a small batch before anything else is done."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from vptsp.core.losses.bound import Loss, make_loss
from vptsp.core.losses.by_shard import Shards, make_loss_by_shard
from vptsp.core.losses.catalogue import PREFIX, Needs
from vptsp.core.losses.criterion import Criterion, loss_needs, make_criterion
from vptsp.core.losses.library import cannot
from vptsp.errors import ConfigError
from vptsp.settings.config import Config
from vptsp.settings.methods import METHODS


def needs_of(config: Config) -> Needs:
    """What the configured loss compares embeddings with. Raises ConfigError as :func:`build_criterion` does."""
    return loss_needs(config.loss, config.loss_args, _batch(config))


def build_criterion(config: Config, num_classes: int) -> Criterion:
    """The configured loss for so many classes, with its miner and its memory.

    Raises ConfigError for names and arguments that are not known, a library that is not installed, and for a miner or
    a memory that the loss cannot use.
    """
    return make_criterion(
        config.loss,
        num_classes,
        config.embedding_size,
        constants=_constants(config),
        arguments=config.loss_args,
        miner=config.miner,
        miner_arguments=config.miner_args,
        memory=config.loss_memory,
        batch=_batch(config),
    )


def build_loss(config: Config) -> Loss:
    """The loss of proxies that a configuration names, with its constants bound."""
    return make_loss(config.loss, **_constants(config), **config.loss_args)


def build_loss_by_shard(config: Config, shards: Shards) -> Loss:
    """That loss, divided by class among processes."""
    return make_loss_by_shard(config.loss, shards, **_constants(config), **config.loss_args)


def require_loss(config: Config) -> None:
    """Refuse, before anything is read, a loss that cannot be computed from batches of the configured size.

    It is made small and called once on random embeddings; no random number of the run is drawn. Raises ConfigError.
    """
    method = METHODS[config.method]
    if config.task != "retrieval" or not method.trains:
        return
    if not (config.loss.startswith(PREFIX) or config.loss_args or config.miner or config.loss_memory):
        return  # one of this package, as it is
    needs = needs_of(config)
    config.require_needs(needs)
    classes, images = _batch(config)
    with torch.random.fork_rng(devices=[]), torch.device("cpu"):
        torch.manual_seed(0)
        try:
            criterion = build_criterion(config, classes + 1)
            labels = torch.arange(classes).repeat_interleave(images)
            embeddings = F.normalize(torch.randn(len(labels), config.embedding_size), dim=1).requires_grad_()
            proxies = torch.randn(classes + 1, config.embedding_size) if needs == "proxies" else None
            loss = criterion(embeddings, labels, proxies)
            loss.backward()
        except ConfigError:
            raise
        except Exception as error:  # the library raises anything, and so does a loss that is given odd constants
            raise cannot(f"loss={config.loss!r}", error) from None


def _constants(config: Config) -> dict[str, float | str]:
    return {"scale": config.loss_scale, "margin": config.loss_margin, "positive_mean": config.positive_mean}


def _batch(config: Config) -> tuple[int, int]:
    """Classes in a batch and images of each."""
    return max(config.batch_size // config.images_per_class, 1), config.images_per_class
