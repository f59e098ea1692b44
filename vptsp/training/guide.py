"""Which class is of which guided prompt, over the course of a run (DA-VPT, arXiv 2505.23694).

Before the first step: k-means over the class means of a frozen pass without prompts. After each epoch from
``remap_from`` on: again, over the means of what the epoch's own passes gave. What is random is drawn from the run's
seed and the epoch, so that a resumed run maps as an undisturbed one.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from vptsp.core.encoder import encode
from vptsp.data.loaders import Loader
from vptsp.data.samplers import Draw
from vptsp.evaluation.evaluate import eval_passes
from vptsp.settings.build import ConfiguredModel
from vptsp.training.session import Session

_STREAM = 0x64617670  # sets these draws apart from the sampler's


@torch.no_grad()
def start_guide(session: Session) -> None:
    """The first mapping, from the images that ``mapping_images`` says; other mappings than k-means look at none."""
    guide, model = session.model.guide, session.model
    if guide is None or not guide.active or guide.mapped_by != "kmeans":
        return
    training = model.training
    model.eval()
    for images, labels in _batches(session):
        with session.fabric.autocast():
            features = mapping_features(model, images)
        guide.observe(features, labels)
    guide.start(_generator(session, 0))
    model.train(training)


def begin_epoch_of_guide(session: Session, epoch: int) -> None:
    """Whether this epoch's passes are counted into the class means of the next mapping."""
    guide, first = session.model.guide, session.config.remap_from
    if guide is not None:
        guide.observing = guide.active and guide.mapped_by == "kmeans" and 0 < first <= epoch


def end_epoch_of_guide(session: Session, epoch: int) -> None:
    """The mapping of the next epoch."""
    guide = session.model.guide
    if guide is not None and guide.observing:
        guide.remap(_generator(session, epoch + 1))


def mapping_features(model: ConfiguredModel, images: Float[Tensor, "B 3 S S"]) -> Float[Tensor, "B D"]:
    """The backbone's feature without prompts; under mean pooling ``published`` takes the norm after the mean."""
    backbone = model.backbone
    tokens, grid = backbone.family.embed(model.vit, images), backbone.grid(images)
    published = model.config.mapping_feature == "published" and backbone.pooling == "mean"
    encoded = encode(backbone, tokens, grid=grid, kernel=model.kernel, want_tokens=published)
    if not published:
        return encoded.features
    normed: Tensor = model.vit.norm(encoded.tokens[-1][:, backbone.num_prefix :].mean(dim=1))
    return normed


def _batches(session: Session) -> Iterator[tuple[Float[Tensor, "B 3 S S"], Int[Tensor, " B"]]]:
    """Images and labels of the first mapping, on the device."""
    config, device, images = session.config, session.fabric.device, session.splits.train
    if config.mapping_images == "all":
        loader = eval_passes(session.model, [], config).over(images)
    else:
        rng = np.random.default_rng([config.seed, _STREAM])
        chosen: list[int] = []
        for label in range(len(images.class_names)):
            own = np.flatnonzero(images.labels == label)
            if not len(own):
                continue  # a class of VTAB may have no training image
            chosen += rng.choice(own, config.mapping_images, replace=len(own) < config.mapping_images).tolist()
        draws = [Draw(position, config.epochs, slot) for slot, position in enumerate(chosen)]  # no epoch's own draws
        size = max(config.batch_size, 64)
        loader = Loader(
            session.loader.dataset,
            batch_sampler=[draws[first : first + size] for first in range(0, len(draws), size)],
            num_workers=config.num_workers,
            generator=torch.Generator(),
        )
    for batch, labels, _ in loader:
        yield batch.to(device), labels.to(device)


def _generator(session: Session, epoch: int) -> torch.Generator:
    key = np.random.SeedSequence([session.config.seed, _STREAM, epoch]).generate_state(1, np.uint64)
    return torch.Generator().manual_seed(int(key[0] >> np.uint64(1)))
