"""What training minimises: the loss of the task on a forward pass."""

from __future__ import annotations

from collections.abc import Callable

from jaxtyping import Float, Int
from torch import Tensor

from vptsp.core.model import ModelOutput
from vptsp.devices.shards import ClassShards
from vptsp.devices.world import World
from vptsp.errors import ConfigError
from vptsp.evaluation.recognition import cross_entropy
from vptsp.settings.build import ConfiguredModel, build_loss
from vptsp.settings.config import Config

Objective = Callable[[ConfiguredModel, ModelOutput, Int[Tensor, " B"]], Float[Tensor, ""]]


def make_objective(config: Config, world: World | None = None) -> Objective:
    """Retrieval: the configured loss of embeddings and proxies. Recognition: cross-entropy of the class scores.

    Guided prompts add theirs to either. In a ``world`` of processes ``proxies=sharded`` divides classes among them.

    The latter raises :class:`~vptsp.errors.ConfigError` for a model without class scores.
    """
    if config.task == "recognition":
        entropy = cross_entropy()

        def recognise(model: ConfiguredModel, output: ModelOutput, labels: Tensor) -> Tensor:
            if output.logits is None:
                raise ConfigError(
                    "task='recognition' trains class scores, and this model gives none; build it with a classifier or "
                    "proxies for its classes, or train it with task='retrieval'"
                )
            return _guided(entropy(output.logits, labels), output)

        return recognise
    shards = None
    if config.proxies == "sharded" and world is not None and not world.alone:
        shards = ClassShards(world.rank, world.size)
    loss = build_loss(config, shards)

    def retrieve(model: ConfiguredModel, output: ModelOutput, labels: Tensor) -> Tensor:
        proxies, targets = model.loss_proxies(output, labels, config.loss_proxies)
        return _guided(loss(output.embeddings, targets, proxies), output)

    return retrieve


def _guided(loss: Tensor, output: ModelOutput) -> Tensor:
    """With what guided prompts add to it."""
    return loss if output.guided is None else loss + output.guided
