"""Images, splits and batches: everything between a disk and a training step.

Names are loaded when first used: a list of data sets (:data:`DATASETS`) needs no torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vptsp.data.images import DataSplits as DataSplits
    from vptsp.data.images import ImageSet as ImageSet
    from vptsp.data.load import load_data as load_data
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
    "DataSplits": "images",
    "ImageSet": "images",
    "load_data": "load",
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
