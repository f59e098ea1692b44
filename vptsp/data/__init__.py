"""Data: everything between a disk and a training step.

Read ``image_set.py`` first: the one shape in which every data set reaches the rest of the package. ::

    image_set       images with labels and ids; the splits of a run
    load_splits, locate   from a configuration to splits; which data set it means, and where that lies
    registry        every data set by name, the one place that knows them all
    set_description   what is known of a data set before it is read
    settings        the part of a configuration that data sets read
    sources/        published data sets, a file for each way of writing things down
    rules, tables   what paths, labels, flags and their order mean, for every reader; CSV and Parquet files
    file_endings, passed_over   which files are images; what a loader saw and did not take
    folder, photos, files_within   folders of images: split already, to be split here, or without classes, as queries
    omniglot, digits, sample_photos   small sets for trying things
    blossoms, blossom_species, blossom_paint   drawn flowers, the embedded default: the set, its classes, its brush
    kept_drawings   what one process has drawn, for the next
    hopeless_runs   what labels alone tell: which runs cannot end well
    splits, closed_set   which classes train, select and test; the same classes, other images
    samplers, loaders, transforms   batches of U classes x K images, as tensors
    tar_index, shard_index, shard_loader   WebDataset shards: what is in a tar, kept on disk, and images out of it
    write_shards, shard_manifest, raw_files   any data set as shards; what a folder of them says; files as they are
    cache, prepare  images decoded once, so that training is not bound by JPEG
    check, published_counts, unreadable, contact_sheet   what is damaged, doubled or missing; some images on a page
    batch_fits      whether there are classes enough for a batch, known before anything is read
    download        archives, resumed where a connection was lost

Names are loaded when first used: a list of data sets (:data:`DATASETS`) needs no torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vptsp.data.image_set import DataSplits as DataSplits
    from vptsp.data.image_set import ImageSet as ImageSet
    from vptsp.data.load_splits import load_data as load_data
    from vptsp.data.loaders import TransformedImages as TransformedImages
    from vptsp.data.loaders import eval_loader as eval_loader
    from vptsp.data.loaders import train_loader as train_loader
    from vptsp.data.registry import DATASETS as DATASETS
    from vptsp.data.samplers import ClassBatchSampler as ClassBatchSampler
    from vptsp.data.samplers import Draw as Draw
    from vptsp.data.settings import DataConfig as DataConfig
    from vptsp.data.transforms import eval_transform as eval_transform
    from vptsp.data.transforms import train_transform as train_transform

_HOMES = {
    "DATASETS": "registry",
    "DataConfig": "settings",
    "DataSplits": "image_set",
    "ImageSet": "image_set",
    "load_data": "load_splits",
    "ClassBatchSampler": "samplers",
    "Draw": "samplers",
    "TransformedImages": "loaders",
    "eval_loader": "loaders",
    "train_loader": "loaders",
    "eval_transform": "transforms",
    "train_transform": "transforms",
}
__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'vptsp.data' has no attribute {name!r}")
    return getattr(import_module(f"vptsp.data.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
