"""Images, splits and batches: everything between a disk and a training step."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from vptsp.data.blossoms import blossom_sets
from vptsp.data.closed_set import closed_splits
from vptsp.data.digits import digit_sets
from vptsp.data.folder import finish, require_root, split_folders
from vptsp.data.images import DataSplits, ImageSet
from vptsp.data.loaders import TransformedImages, eval_loader, train_loader
from vptsp.data.omniglot import omniglot_sets
from vptsp.data.samplers import ClassBatchSampler, Draw
from vptsp.data.splits import check_splits, hold_out_classes, queries_by_csv, queries_by_pattern
from vptsp.data.transforms import eval_transform, train_transform
from vptsp.errors import ConfigError

__all__ = [
    "DATASETS",
    "ClassBatchSampler",
    "DataConfig",
    "DataSplits",
    "Draw",
    "ImageSet",
    "TransformedImages",
    "eval_loader",
    "eval_transform",
    "load_data",
    "train_loader",
    "train_transform",
]


class DataConfig(Protocol):
    """The fields of a configuration that concern data."""

    @property
    def task(self) -> str: ...
    @property
    def dataset(self) -> str: ...
    @property
    def data_root(self) -> Path | None: ...
    @property
    def seed(self) -> int: ...
    @property
    def val_fraction(self) -> float: ...
    @property
    def query_pattern(self) -> str | None: ...
    @property
    def query_csv(self) -> Path | None: ...
    @property
    def skip_bad(self) -> bool: ...
    @property
    def image_size(self) -> int | None: ...
    @property
    def blossoms_classes(self) -> int: ...
    @property
    def blossoms_images(self) -> int: ...


DRAWN_SIZE = 64  # pixels of drawn images when a configuration leaves the size to the backbone
DatasetBuilder = Callable[[DataConfig], tuple[ImageSet, ImageSet, list[str]]]


def _blossoms(c: DataConfig) -> tuple[ImageSet, ImageSet, list[str]]:
    return *blossom_sets(c.blossoms_classes, c.blossoms_images, c.image_size or DRAWN_SIZE), []


def _digits(c: DataConfig) -> tuple[ImageSet, ImageSet, list[str]]:
    return *digit_sets(c.image_size or DRAWN_SIZE), []


def _omniglot(c: DataConfig) -> tuple[ImageSet, ImageSet, list[str]]:
    return finish(omniglot_sets(c.data_root), c.skip_bad)


def _folder(c: DataConfig) -> tuple[ImageSet, ImageSet, list[str]]:
    root = require_root(c.data_root)
    return finish(split_folders(root.resolve().name, root), c.skip_bad)


DATASETS: dict[str, DatasetBuilder] = {
    "blossoms": _blossoms,
    "digits": _digits,
    "omniglot": _omniglot,
    "folder": _folder,
}
"""Every data set by name: configuration -> (train, test, ids of unreadable images left out)."""


def load_data(config: DataConfig) -> DataSplits:
    """Builds the data set of a configuration, checks it, and holds validation classes out of train.

    Query and gallery apply to the test split; validation is self-retrieval. For ``task="recognition"`` all splits
    hold the same classes (see :func:`vptsp.data.closed_set.closed_splits`). Raises ConfigError for a
    setting and DataError for files that cannot be used.
    """
    if config.dataset not in DATASETS:
        raise ConfigError(f"dataset={config.dataset!r} is unknown; choose one of {', '.join(DATASETS)}")
    if config.query_pattern is not None and config.query_csv is not None:
        raise ConfigError("query_pattern and query_csv both say which images are queries; give only one")
    train, test, skipped = DATASETS[config.dataset](config)
    if config.task == "recognition":
        return closed_splits(train, test, config.val_fraction, config.seed, skipped)
    check_splits(train, test)
    if config.query_pattern is not None:
        test = queries_by_pattern(test, config.query_pattern)
    if config.query_csv is not None:
        test = queries_by_csv(test, config.query_csv, skipped)
    train, val = hold_out_classes(train, config.val_fraction, config.seed)
    return DataSplits(train=train, val=val, test=test, skipped=skipped)
