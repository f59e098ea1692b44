"""A start from the data: one pass over the training images sets head, proxies and semantic tower before the first step.

What is set is said by the settings ``head_init``, ``proxy_init`` and ``unit_init``; how, by :mod:`vptsp.core.start`.
:func:`whitened_head` is the untrained model that a run is compared with (``select_start``).
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import lightning_fabric as lightning
import torch
from jaxtyping import Float
from torch import Tensor

from vptsp.core.heads import Head
from vptsp.core.proxies.gru import GatedUnit
from vptsp.core.start import class_means, start_as_mean, start_isometric, start_whitened
from vptsp.data.images import ImageSet
from vptsp.data.loaders import eval_loader
from vptsp.data.transforms import eval_transform
from vptsp.settings.build import ConfiguredModel
from vptsp.settings.config import Config


def start_from_data(model: ConfiguredModel, images: ImageSet, config: Config, fabric: lightning.Fabric) -> None:
    """Set what the settings say, from the images as a test sees them; draws no random number where they say nothing."""
    wanted = (config.head_init != "random", config.proxy_init == "class_means")
    if isinstance(model.head, Head) and any(wanted):
        features = training_features(model, images, config, fabric).to(fabric.device)
        labels = torch.as_tensor(images.labels, device=fabric.device)
        if wanted[0]:
            if config.head_init == "isometric":
                start_isometric(model.head, features)
            else:
                start_whitened(model.head, features, labels, config.head_shrinkage)
            if model.semantic is not None and model.semantic.head is not None:
                model.semantic.head.load_state_dict(model.head.state_dict())
        if wanted[1] and model.learned is not None:
            with torch.no_grad():
                means = class_means(model.head(features), labels, len(model.learned))
                model.learned.copy_(means)
                if model.semantic is not None:
                    model.semantic.container.rows.copy_(means)
    unit = model.semantic.accumulate if model.semantic is not None else None
    if config.unit_init == "mean" and isinstance(unit, GatedUnit):
        start_as_mean(unit, config.ema_keep)


@contextlib.contextmanager
def whitened_head(model: ConfiguredModel, images: ImageSet, config: Config, fabric: lightning.Fabric) -> Iterator[None]:
    """The model with a whitened head in the place of its own, which it gets back, with the random state, at the end."""
    head = model.head
    if not isinstance(head, Head):
        yield
        return
    own, random = {name: value.clone() for name, value in head.state_dict().items()}, torch.get_rng_state()
    try:
        features = training_features(model, images, config, fabric).to(fabric.device)
        labels = torch.as_tensor(images.labels, device=fabric.device)
        start_whitened(head, features, labels, config.head_shrinkage)
        yield
    finally:
        head.load_state_dict(own)
        torch.set_rng_state(random)


@torch.no_grad()
def training_features(
    model: ConfiguredModel, images: ImageSet, config: Config, fabric: lightning.Fabric
) -> Float[Tensor, "N D"]:
    """What the head sees of all images, in order, fp32, on the CPU: by the model as it starts, with its prompts.

    The images are as a test sees them, and the model's mode is as it was.
    """
    backbone, training = model.backbone, model.training
    transform = eval_transform(backbone.image_size, backbone.mean, backbone.std, config.augment == "resize")
    model.eval()
    features = []
    for batch, _, _ in eval_loader(images, transform, max(config.batch_size, 64), config.num_workers):
        with fabric.autocast():
            features.append(model.head_features(batch.to(fabric.device)).float().cpu())
    model.train(training)
    return torch.cat(features)
