"""Splits for closed-set recognition: the same classes in train, validation and test, other images."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from vptsp.data.image_set import DataSplits, ImageSet, Parts
from vptsp.data.splits import some
from vptsp.errors import ConfigError, DataError

TEST_SHARE = 0.25  # of each class, where a set brings no test images of its training classes


def closed_splits(parts: Parts, val_fraction: float, seed: int, skipped: list[str]) -> DataSplits:
    """Train, validation and test images of the same classes.

    Where train and test hold the same classes they stay as they are; where they share none (a set for zero-shot
    retrieval) the training classes' own images are divided, a quarter for test. ``val_fraction`` of the remaining
    images of each class selects the epoch. Every division is seeded, and leaves each class at least one image.
    A set that brings validation images (``parts.val``) keeps its own.

    Raises DataError where train and test share some classes and not others or there is nothing to tell apart,
    ConfigError where a class is too small to divide.
    """
    train, test, val = parts.train, parts.test, parts.val
    empty = [c for c, n in zip(train.class_names, train.class_counts(), strict=True) if n == 0]
    if empty and not parts.classes_given:
        raise DataError(f"{train.name}: no images in class {some(empty)}")
    if len(train.class_names) < 2:
        raise DataError(f"{train.name} has {len(train.class_names)} class; recognition needs at least 2")
    shared = set(train.class_names) & set(test.class_names)
    if not shared:
        train, test = divide(train, TEST_SHARE, seed, f"{train.name} (test images)")
    elif odd := set(train.class_names) ^ set(test.class_names):
        raise DataError(
            f"recognition needs the same classes in train and test, but {len(odd)} are in only one of them: {some(odd)}"
        )
    else:
        test = _with_labels_of(train, test)
    if val is not None:
        val = _with_labels_of(train, val)
    elif val_fraction:
        train, val = divide(train, val_fraction, seed + 1, f"{train.name} (validation images)")
    return DataSplits(train=train, val=val, test=test, skipped=skipped)


def divide(images: ImageSet, share: float, seed: int, name: str) -> tuple[ImageSet, ImageSet]:
    """``(rest, part)``: the part is ``share`` of each class, at least one image, rounded; all classes stay in both."""
    counts = images.class_counts()
    if counts.min() < 2:
        lone = [c for c, n in zip(images.class_names, counts, strict=True) if n < 2]
        raise ConfigError(
            f"{images.name}: {len(lone)} classes have a single image, which cannot be divided: {some(lone)}; "
            "add images, or set val_fraction=0 where the data set has its own test images"
        )
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(images))
    order = order[np.argsort(images.labels[order], kind="stable")]  # by class, shuffled within
    starts = np.cumsum(counts) - counts
    rank = np.arange(len(order)) - np.repeat(starts, counts)
    taken = np.clip(np.round(share * counts), 1, counts - 1)
    chosen = np.zeros(len(images), dtype=bool)
    chosen[order] = rank < np.repeat(taken, counts)
    return images.subset(~chosen), images.subset(chosen, name)


def _with_labels_of(train: ImageSet, test: ImageSet) -> ImageSet:
    """The test set with class names and labels in the order of train's."""
    place = {name: label for label, name in enumerate(train.class_names)}
    renumber = np.array([place[name] for name in test.class_names])
    return replace(
        test,
        labels=renumber[test.labels],
        class_names=train.class_names,
        attributes=None if test.attributes is None else test.attributes.loc[list(train.class_names)],
    )
