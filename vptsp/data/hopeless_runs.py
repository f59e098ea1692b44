"""What labels and roles alone say of a run that cannot end well, said before its first step."""

from __future__ import annotations

import numpy as np

from vptsp.data.image_set import DataSplits, ImageSet
from vptsp.errors import DataError


def require_scorable(splits: DataSplits, task: str, trains: bool = True) -> None:
    """Every check that needs no image: there is something to train on, and each split that will be scored can be.

    ``trains`` false: nothing is trained, so validation is not scored. Raises DataError saying what is missing.
    """
    if trains and not len(splits.train):
        raise DataError(f"{splits.train.name} has no images to train on")
    if task == "recognition":
        _require_known_classes(splits)
        return
    _require_findable(splits.test, "give classes of at least two images, or queries with a gallery of their classes")
    if splits.val is not None and trains:
        _require_findable(splits.val, "set val_fraction=0, or give the training classes at least two images each")


def findable(images: ImageSet) -> np.ndarray:
    """For each query, in order, how many gallery images of its class there are other than itself: int64 (Q,).

    Without roles every image is a query among all the others.
    """
    if images.is_query is None or images.is_gallery is None:
        return np.asarray(images.class_counts()[images.labels] - 1)
    gallery = np.bincount(images.labels[images.is_gallery], minlength=len(images.class_names))
    return np.asarray((gallery[images.labels] - images.is_gallery)[images.is_query])


def _require_findable(images: ImageSet, remedy: str) -> None:
    found = findable(images)
    if not len(found):
        raise DataError(f"{images.name} has no queries, so it cannot be scored; {remedy}")
    if not found.any():
        raise DataError(
            f"none of the {len(found):,} queries of {images.name} has another image of its class to find, so it cannot "
            f"be scored; {remedy}"
        )


def _require_known_classes(splits: DataSplits) -> None:
    for part in (splits.val, splits.test):
        if part is None:
            continue
        if not len(part):
            raise DataError(f"{part.name} has no images, so it cannot be scored; give it some, or set val_fraction=0")
        if tuple(part.class_names) != tuple(splits.train.class_names):
            raise DataError(f"{part.name} has other classes than {splits.train.name}; a classifier knows only those")
