"""A folder of class folders that nobody has split: some classes, or some images of each, are kept back for the test."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from vptsp.data.closed_set import divide
from vptsp.data.folder import look_at_folder
from vptsp.data.image_set import ImageSet, Parts
from vptsp.data.settings import DataConfig
from vptsp.errors import DataError

_FEWEST = 4  # classes: two to train on and two to search


def photos(config: DataConfig, root: Path) -> Parts:
    """``root/<class>/<image>``, divided by ``test_fraction`` and the seed.

    Retrieval keeps that share of the classes back, at least two; recognition that share of each class's images.
    Raises DataError for a folder of fewer than four classes (retrieval), ConfigError for classes of a single image
    (recognition).
    """
    images, look = look_at_folder(root)
    # Ids do not hold the folder's name: it may be moved and called something else, and its images stay the same.
    images = replace(images, ids=[f"photos/{i.split('/', 1)[1]}" for i in images.ids])
    seen: dict[str, Any] = {"passed_over": tuple(look.passed), "notes": tuple(look.notes)}
    name = images.name
    if config.task == "recognition":
        train, test = divide(images, config.test_fraction, config.seed, f"{name}/test")
        return Parts(replace(train, name=f"{name}/train"), test, **seen)
    classes = len(images.class_names)
    if classes < _FEWEST:
        raise DataError(
            f"{root} has {classes} class folder{'s' * (classes != 1)}; retrieval needs at least {_FEWEST}, two to "
            "train on and two to search. Put each class of images into a folder of its own"
        )
    kept_back = min(max(2, round(config.test_fraction * classes)), classes - 2)
    order = np.random.default_rng([config.seed, classes, 1]).permutation(classes)
    return Parts(_part(images, order[kept_back:], "train"), _part(images, order[:kept_back], "test"), **seen)


def _part(images: ImageSet, labels: np.ndarray, name: str) -> ImageSet:
    return images.only_classes((images.class_names[label] for label in labels), f"{images.name}/{name}")
