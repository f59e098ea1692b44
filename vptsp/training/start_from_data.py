"""A start from the data: one pass over the training images sets head, proxies and semantic tower before the first step.

What is set is said by the settings ``head_input``, ``head_init``, ``proxy_init`` and ``unit_init``; how, by
:mod:`vptsp.core.initial_values`.
:func:`whitened_head` is the untrained model that a run is compared with (``select_start``), :func:`start_centred` all
that the frozen method takes from its training images.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float
from torch import Tensor

from vptsp.core.heads import CentredFeature, Head
from vptsp.core.initial_values import (
    class_means,
    leave_input,
    start_as_mean,
    start_isometric,
    start_whitened,
    take_input,
    whiten_input,
)
from vptsp.core.proxies.gru import GatedUnit
from vptsp.data.image_set import ImageSet
from vptsp.devices.world import World
from vptsp.evaluation.evaluate import eval_passes
from vptsp.evaluation.kept_features import head_features
from vptsp.settings.build import ConfiguredModel
from vptsp.settings.config import Config

if TYPE_CHECKING:
    import lightning_fabric as lightning


def start_from_data(
    model: ConfiguredModel, images: ImageSet, config: Config, fabric: lightning.Fabric, world: World | None = None
) -> None:
    """Set what the settings say, from the images as a test sees them; draws no random number where they say nothing."""
    tower, head = model.semantic, model.head
    asked = (config.whitens_input, config.head_start, config.proxy_init)
    if isinstance(head, Head) and asked != (False, "random", "random"):
        features, labels = training_features(model, images, config, fabric, world), torch.as_tensor(images.labels)
        if config.whitens_input:
            whiten_input(head, features, labels, config.head_shrinkage)
        if config.head_start == "isometric":
            start_isometric(head, features)
        elif config.head_start == "whitened":
            start_whitened(head, features, labels, config.head_shrinkage)
        if tower is not None and tower.head is not None:  # sees features of the same transformer
            if config.head_start == "random":
                take_input(tower.head, head)
            else:
                tower.head.load_state_dict(head.state_dict())
        if config.proxy_init == "class_means" and model.learned is not None:
            with torch.no_grad():
                embeddings = head(features.to(fabric.device))
                means = class_means(embeddings, labels.to(fabric.device), len(model.learned))
                model.learned.copy_(means)
                if tower is not None:
                    tower.container.rows.copy_(means)
    if config.unit_init == "mean" and tower is not None and isinstance(tower.accumulate, GatedUnit):
        start_as_mean(tower.accumulate, config.ema_keep)


@contextlib.contextmanager
def whitened_head(
    model: ConfiguredModel, images: ImageSet, config: Config, fabric: lightning.Fabric, world: World | None = None
) -> Iterator[None]:
    """The model with a whitened head in the place of its own, which it gets back, with the random state, at the end."""
    head = model.head
    if not isinstance(head, Head):
        yield
        return
    own, random = {name: value.clone() for name, value in head.state_dict().items()}, torch.get_rng_state()
    try:
        features = training_features(model, images, config, fabric, world)
        leave_input(head)
        start_whitened(head, features, torch.as_tensor(images.labels), config.head_shrinkage)
        yield
    finally:
        head.load_state_dict(own)
        torch.set_rng_state(random)


def start_centred(
    model: ConfiguredModel, images: ImageSet, config: Config, fabric: lightning.Fabric, world: World | None = None
) -> None:
    """Frozen method: the mean feature of the training images is the origin."""
    assert isinstance(model.head, CentredFeature)
    total, count = torch.zeros(model.backbone.width), 0
    for features in _feature_batches(model, images, config, fabric, world):
        total += features.sum(0).cpu()
        count += len(features)
    model.head.mean.copy_(total / count)


def training_features(
    model: ConfiguredModel, images: ImageSet, config: Config, fabric: lightning.Fabric, world: World | None = None
) -> Float[Tensor, "N D"]:
    """What the head sees of all images, in order, fp32, on the CPU: by the model as it starts, with its prompts.

    The images are as a test sees them, and the model's mode is as it was.
    """
    return torch.cat([features.cpu() for features in _feature_batches(model, images, config, fabric, world)])


@torch.no_grad()
def _feature_batches(
    model: ConfiguredModel, images: ImageSet, config: Config, fabric: lightning.Fabric, world: World | None
) -> Iterator[Float[Tensor, "B D"]]:
    """In order; in a world of processes each computes its turn of them."""
    world, passes, training = world or World(fabric), eval_passes(model, [], config), model.training
    model.eval()
    own = []
    for features in head_features(model, images, passes, fabric, world):
        if world.alone:
            yield features.float()
        else:
            own.append(features.float())
    model.train(training)
    if not world.alone:
        yield from world.in_turn(own, passes.count(images))
