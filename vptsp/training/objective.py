"""What training minimises: the loss of the task on a forward pass."""

from __future__ import annotations

from collections.abc import Callable

from jaxtyping import Float, Int
from torch import Tensor

from vptsp.core.losses.coding_rate import coding_rate
from vptsp.core.model import ModelOutput
from vptsp.devices.shards import ClassShards
from vptsp.devices.world import World
from vptsp.errors import ConfigError
from vptsp.evaluation.recognition import cross_entropy
from vptsp.settings.build import ConfiguredModel
from vptsp.settings.config import Config
from vptsp.settings.losses import build_loss_by_shard

Objective = Callable[[ConfiguredModel, ModelOutput, Int[Tensor, " B"]], Float[Tensor, ""]]


def make_objective(config: Config, world: World | None = None) -> Objective:
    """Retrieval: the model's loss of embeddings, and of proxies where it compares with them. Recognition:
    cross-entropy of the class scores.

    Guided prompts and prompt dynamics add theirs to either, and ``anti_collapse`` holds apart what retrieval compares
    with. In a ``world`` of processes ``proxies=sharded`` divides classes among them.

    Raises :class:`~vptsp.errors.ConfigError`, when called, for a model without that loss or without class scores.
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
    by_shard = None
    if config.proxies == "sharded" and world is not None and not world.alone:
        by_shard = build_loss_by_shard(config, ClassShards(world.rank, world.size))

    def retrieve(model: ConfiguredModel, output: ModelOutput, labels: Tensor) -> Tensor:
        if model.criterion is None:
            raise ConfigError(
                "this model was built without a loss, to embed images; build it with num_classes to train it"
            )
        if model.criterion.needs != "proxies":
            rows, loss = output.embeddings, model.criterion(output.embeddings, labels)
        else:
            rows, targets = model.loss_proxies(output, labels, config.loss_proxies)
            loss = (by_shard or model.criterion)(output.embeddings, targets, rows)
        if config.anti_collapse:
            loss = loss - config.anti_collapse * coding_rate(rows)
        return _guided(loss, output)

    return retrieve


def _guided(loss: Tensor, output: ModelOutput) -> Tensor:
    """With what guided prompts and prompt dynamics add to it."""
    for added in (output.guided, output.dynamics):
        loss = loss if added is None else loss + added
    return loss
