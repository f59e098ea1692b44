"""Writing snapshots: proxies and embeddings of fixed probe images after each epoch, for replaying a run.

:mod:`vptsp.runs.snapshots` reads them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from vptsp.core.guidance.prompts import GuidedPrompts
from vptsp.core.proxies import fuse
from vptsp.data.image_set import DataSplits, ImageSet
from vptsp.evaluation.evaluate import embed
from vptsp.files import write_json, write_tensors
from vptsp.runs.run import Run
from vptsp.settings.config import Config
from vptsp.training.session import Session


@dataclass
class Probes:
    """A fixed choice of train and test images that every snapshot embeds."""

    train: ImageSet
    test: ImageSet

    @classmethod
    def choose(cls, splits: DataSplits, config: Config) -> Probes:
        def spread(images: ImageSet, count: int) -> ImageSet:
            rng = np.random.default_rng(config.seed)
            order = rng.permutation(len(images))
            order = order[np.argsort(_rank_in_class(images.labels[order]), kind="stable")]  # all classes first
            return images.subset(np.sort(order[:count]))

        half = config.probe_images // 2
        return cls(spread(splits.train, half), spread(splits.test, config.probe_images - half))


def _rank_in_class(labels: np.ndarray) -> np.ndarray:
    """For each image, how many of its class come before it."""
    order = np.argsort(labels, kind="stable")
    _, first, counts = np.unique(labels[order], return_index=True, return_counts=True)
    ranks = np.empty(len(labels), dtype=np.int64)
    ranks[order] = np.arange(len(labels)) - np.repeat(first, counts)
    return ranks


@torch.no_grad()
def write_snapshot(run: Run, session: Session, probes: Probes, epoch: int) -> None:
    """Proxies, guided prompts with their classes and probe embeddings after ``epoch`` epochs, for replay."""
    model, tensors = session.model, {}
    config, fabric, passes, world = session.config, session.fabric, session.passes, session.world
    if (learned := model.learned_part()) is not None:
        tensors["learned"] = learned.float()
        semantic = None if model.semantic is None else model.semantic.container.rows.float()
        tensors["fused"] = tensors["learned"]
        if semantic is not None:  # before training both are random, and a run may begin with both
            alpha = model.alpha_now if epoch else model.alpha
            tensors |= {"semantic": semantic, "fused": fuse(tensors["learned"], semantic, alpha)}
            tensors["alpha"] = torch.tensor(alpha)
    if model.guide is not None and isinstance(model.prompts, GuidedPrompts):
        tensors |= {"guided_prompts": model.prompts.proxies().float(), "prompt_of_class": model.guide.mapping}
    index: dict[str, Any] = {"proxy_class_names": list(session.splits.train.class_names)}
    for name, images in (("train", probes.train), ("test", probes.test)):
        if len(images):
            tensors[f"probe_{name}"] = embed(model, images, config, fabric, passes, world)
        index[name] = {
            "ids": list(images.ids),
            "labels": images.labels.tolist(),
            "class_names": list(images.class_names),
        }

    def write() -> None:
        if epoch == 0:
            write_json(run.probes_path, index)
        # clones: fused and learned are one tensor where there is no semantic proxy, which safetensors refuses
        write_tensors(run.snapshot_path(epoch), {name: value.clone() for name, value in tensors.items()})

    world.first(write)
