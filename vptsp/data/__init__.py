"""Images, splits and batches: everything between a disk and a training step."""

from __future__ import annotations

from vptsp.data.images import DataSplits, ImageSet
from vptsp.data.load import load_data
from vptsp.data.loaders import TransformedImages, eval_loader, train_loader
from vptsp.data.registry import DATASETS
from vptsp.data.samplers import ClassBatchSampler, Draw
from vptsp.data.settings import DataConfig
from vptsp.data.transforms import eval_transform, train_transform

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
