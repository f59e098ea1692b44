"""How much of an image still shows its class: the training images themselves say how they may be augmented.

Random parts from 8 % of an image and mirroring, as papers on birds and cars have them, leave nothing of a character or
an icon, and training on them costs more than it gives. So before a run begins some training images are looked for as a
test would, by the untouched backbone: as they are, mirrored, and by random parts of several sizes. What is no longer
found among its class is no augmentation of it. What that is worth on which data is measured in ``docs/defaults.md``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Float64, Int
from torch import Tensor
from torchvision.transforms.v2.functional import hflip

from vptsp.core.backbones.load import Backbone
from vptsp.core.encoder import encode
from vptsp.core.whitening import fitting_shrinkage, scales, variation
from vptsp.data.image_set import ImageSet
from vptsp.data.transforms import eval_transform, train_transform
from vptsp.settings.config import Config

if TYPE_CHECKING:
    import lightning_fabric as lightning

PARTS = (0.08, 0.16, 0.3, 0.5, 0.75)  # area shares
_IMAGES, _PER_CLASS, _BATCH = 400, 10, 32
_LEAST_FOUND = 20  # below, shares of them are chance
_OF_PARTS, _OF_MIRRORED = 0.5, 2 / 3  # shares of what is found as it is


@dataclass(frozen=True)
class Augmentation:
    """What fits the images; by ``images`` of them, of which ``found`` were found as they are.

    ``crop_min``: the least area share of random parts by which half of those are still found; ``mirror``: whether two
    thirds are when they are mirrored. None where it was not asked. ``by`` has how many by each size of a part, and
    under ``mirrored``.
    """

    images: int
    found: int
    by: Mapping[float | str, int]
    crop_min: float | None
    mirror: bool | None

    @property
    def changes(self) -> dict[str, Any]:
        """As settings."""
        return {name: value for name in ("crop_min", "mirror") if (value := getattr(self, name)) is not None}

    @property
    def said(self) -> str:
        """For whoever watches: what was chosen, and why."""
        chosen = [] if self.crop_min is None else [f"random parts from {self.crop_min:.0%} of an image"]
        chosen += [] if self.mirror is None else ["mirrored" if self.mirror else "not mirrored"]
        ways = {f"by a part of {name:.0%}" if isinstance(name, float) else name: n for name, n in self.by.items()}
        told = ", ".join(f"{name} {count}" for name, count in ways.items())
        return f"{', '.join(chosen)} (of {self.images} images the backbone finds {self.found}, {told})"


def fitting_augmentation(
    backbone: Backbone, images: ImageSet, config: Config, fabric: lightning.Fabric
) -> Augmentation | None:
    """What the settings leave open of the augmentation, from the training images; none where nothing is open, or where
    too few are found to tell. Leaves the random state as it was, and is the same for the same images; seeds hold out
    other classes and leave others to be asked."""
    parts = PARTS if "crop_min" in config.fits_augmentation else ()
    mirror = "mirror" in config.fits_augmentation and images.mirror_ok
    chosen = _some(images)
    if not (parts or mirror) or len(chosen) < _LEAST_FOUND:
        return None
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)  # torch.manual_seed would reseed the accelerator as well
        views = _views(backbone, images, chosen, parts, mirror, fabric)
    _, labels = torch.as_tensor(images.labels[chosen]).unique(return_inverse=True)
    plain, *others = found_by(views, labels)
    if plain < _LEAST_FOUND:
        return None
    names: list[float | str] = [*["mirrored"] * mirror, *parts]
    by = dict(zip(names, others, strict=True))
    enough = [part for part in parts if by[part] >= _OF_PARTS * plain] or [max(PARTS)]
    return Augmentation(
        len(chosen),
        plain,
        by,
        enough[0] if parts else None,
        by["mirrored"] >= _OF_MIRRORED * plain if mirror else None,
    )


def found_by(views: Float64[Tensor, "V N D"], labels: Int[Tensor, " N"]) -> list[int]:
    """Of each view of N images, how many have an image of their class, seen as the first view sees it, as the nearest.

    An image itself does not count. Features are whitened within classes, those of one half of the classes as the other
    half varies, so that what is asked is what training would make of them.
    """
    gallery, classes = views[0], int(labels.max()) + 1
    found = torch.zeros(len(views), dtype=torch.long)
    for half in range(2):
        own = labels % 2 == half
        mean, matrix = gallery.mean(0), torch.eye(gallery.shape[1], dtype=gallery.dtype)
        if classes >= 4:
            others, other_labels = gallery[~own], labels[~own].unique(return_inverse=True)[1]
            fitted = variation(others, other_labels)
            if fitted.spread.sum() > 0:
                matrix = fitted.directions * scales(fitted.spread, fitting_shrinkage(others, other_labels))
                mean = fitted.mean
        seen = F.normalize((views - mean) @ matrix, dim=-1)
        queries = own.nonzero()[:, 0]
        similar = seen[:, own] @ seen[0].T
        similar[:, torch.arange(len(queries)), queries] = -torch.inf
        found += (labels[similar.argmax(-1)] == labels[own]).sum(1)
    return found.tolist()


def _some(images: ImageSet) -> np.ndarray:
    """Positions of some images, of whole classes as far as they go; of none with a single image."""
    draws, chosen = np.random.default_rng(0), list[int]()
    counts = images.class_counts()
    of_class = np.split(np.argsort(images.labels, kind="stable"), np.cumsum(counts)[:-1])
    for label in draws.permutation(len(counts)):
        if counts[label] >= 2 and len(chosen) < _IMAGES:
            chosen += draws.permutation(of_class[label])[:_PER_CLASS].tolist()
    return np.array(chosen, dtype=np.int64)


@torch.no_grad()
def _views(
    backbone: Backbone,
    images: ImageSet,
    chosen: np.ndarray,
    parts: tuple[float, ...],
    mirror: bool,
    fabric: lightning.Fabric,
) -> Float64[Tensor, "V N D"]:
    """Features of images as they are, mirrored, and of a part of each size."""
    looks = (backbone.image_size, backbone.mean, backbone.std)
    whole = eval_transform(*looks)
    cuts = [train_transform(*looks, scale=(part, part), flip=False) for part in parts]
    vit, was_training = backbone.vit.to(fabric.device), backbone.vit.training
    vit.eval()
    batches = []
    for start in range(0, len(chosen), _BATCH):
        loaded = [images.load(int(at)).convert("RGB") for at in chosen[start : start + _BATCH]]
        plain = torch.stack([whole(image) for image in loaded])
        views = [plain, *[hflip(plain)] * mirror, *(torch.stack([cut(image) for image in loaded]) for cut in cuts)]
        batches.append(torch.stack([_features(backbone, view.to(fabric.device), fabric) for view in views]))
    vit.train(was_training)
    return torch.cat(batches, dim=1)


def _features(backbone: Backbone, batch: Float[Tensor, "B 3 H W"], fabric: lightning.Fabric) -> Float64[Tensor, "B D"]:
    """The backbone's feature without any prompt, as a head norms it."""
    with fabric.autocast():
        tokens = backbone.family.embed(backbone.vit, batch)
        features = encode(backbone, tokens, [], grid=backbone.grid(batch)).features
    return F.layer_norm(features.float(), features.shape[1:]).cpu().double()
