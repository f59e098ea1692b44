"""New classes from a few images by a run's semantic tower: what training does for its classes, for one it never saw.

A trained class has prompts of its own and a stored semantic proxy. A new one has neither, so its examples go through
the mean of all classes' prompts, and the accumulator starts at the mean of their features. The tower is in the training
checkpoint alone, which is of the last epoch, and so are the embeddings that come with it.

Dimensions: N images, E embedding size, C classes, n examples.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from jaxtyping import Float32
from torch import Tensor

from vptsp.core.backbones.load import load_backbone
from vptsp.core.semantic_tower import SemanticTower
from vptsp.data.image_set import ImageSet
from vptsp.errors import DataError, RunError
from vptsp.evaluation.enrol import Enrolled
from vptsp.evaluation.evaluate import eval_passes
from vptsp.evaluation.ranking import unit_rows
from vptsp.machine import make_fabric
from vptsp.runs.checkpoints import load_training
from vptsp.runs.run import Run
from vptsp.settings.build import ConfiguredModel, build_model
from vptsp.settings.config import Config


@dataclass(frozen=True)
class TowerView:
    """A set's N images as both towers of a run's last epoch see them: unit embeddings, and semantic features."""

    tower: SemanticTower
    embeddings: Float32[np.ndarray, "N E"]
    features: Float32[np.ndarray, "N E"]

    @classmethod
    @torch.no_grad()
    def of(cls, model: ConfiguredModel, images: ImageSet, config: Config) -> Self:
        """Raises ConfigError for a model without a semantic tower, or with class prompts in a bank."""
        fabric = make_fabric(config.device, config.precision)
        model = model.to(fabric.device).eval()
        embeddings, features = [], []
        with fabric.autocast():
            for batch, _, _ in eval_passes(model, [], config).over(images):
                embedded, semantic = model.of_new_classes(batch.to(fabric.device))
                embeddings.append(embedded.float().cpu())
                features.append(semantic.float().cpu())
        assert model.semantic is not None, "of_new_classes refuses a model without one"
        return cls(model.semantic.cpu(), unit_rows(torch.cat(embeddings)), torch.cat(features).numpy())

    @torch.no_grad()
    def enrol(self, rows: Sequence[int] | np.ndarray, classes: Sequence[str]) -> Enrolled:
        """Proxies of classes from the images in ``rows``; ``classes`` names the class of each."""
        if len(classes) != len(rows) or not len(rows):
            raise DataError(f"{len(rows)} examples but {len(classes)} classes; give one for each, and some of them")
        names = list(dict.fromkeys(map(str, classes)))
        labels = torch.tensor([names.index(str(name)) for name in classes])
        proxies = self.tower.enrol(torch.from_numpy(self.features[np.asarray(rows)]), labels)
        return Enrolled(names, unit_rows(proxies), torch.bincount(labels).tolist())


def model_with_tower(run: Run, num_classes: int) -> ConfiguredModel:
    """The model of a run's last epoch, with all that it was trained with. Raises RunError where the run has none."""
    config = run.config
    backbone = load_backbone(config.backbone, config.backbone_weights, config.image_size, config.pooling, config.seed)
    model = build_model(config, backbone, num_classes)

    def judged(average: dict[str, Tensor]) -> None:  # images are embedded by the averaged weights
        means = {name.removeprefix("mean."): value for name, value in average.items() if name.startswith("mean.")}
        model.load_state_dict(means, strict=False)

    with torch.random.fork_rng():  # the checkpoint holds the state of training's random numbers
        state = load_training(run, model, [], judged)
    if state is None:
        raise RunError(f"{run.path} has no training checkpoint, where its semantic tower is; train it to its end")
    return model
