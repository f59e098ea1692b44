"""VTAB-1k (Zhai et al. 2019): 19 tasks with 800 training, 200 validation images and the full test sets.

The layout is that of NOAH, SSF and the releases after them: ``<task>/images/``, ``train800.txt``, ``val200.txt``
(or both as ``train800val200.txt``) and ``test.txt`` with lines ``<path> <label>``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from vptsp.data.images import Parts
from vptsp.data.settings import DataConfig
from vptsp.data.sources.listed import Rows, closed
from vptsp.data.sources.lists import inner, read_rows
from vptsp.errors import DataError


class Task(NamedTuple):
    title: str
    group: str
    classes: int
    test_images: int


TASKS = {
    "cifar": Task("CIFAR-100", "natural", 100, 10_000),
    "caltech101": Task("Caltech101", "natural", 102, 6_084),
    "dtd": Task("DTD textures", "natural", 47, 1_880),
    "oxford_flowers102": Task("Oxford Flowers 102", "natural", 102, 6_149),
    "oxford_iiit_pet": Task("Oxford-IIIT Pets", "natural", 37, 3_669),
    "svhn": Task("SVHN house numbers", "natural", 10, 26_032),
    "sun397": Task("SUN397 scenes", "natural", 397, 21_750),
    "patch_camelyon": Task("Patch Camelyon", "specialized", 2, 32_768),
    "eurosat": Task("EuroSAT", "specialized", 10, 5_400),
    "resisc45": Task("Resisc45", "specialized", 45, 6_300),
    "diabetic_retinopathy": Task("Diabetic retinopathy", "specialized", 5, 42_670),
    "clevr_count": Task("CLEVR, count", "structured", 8, 15_000),
    "clevr_dist": Task("CLEVR, distance", "structured", 6, 15_000),
    "dmlab": Task("DMLab", "structured", 6, 22_735),
    "kitti": Task("KITTI, distance", "structured", 4, 711),
    "dsprites_loc": Task("dSprites, location", "structured", 16, 73_728),
    "dsprites_ori": Task("dSprites, orientation", "structured", 16, 73_728),
    "smallnorb_azi": Task("SmallNORB, azimuth", "structured", 18, 12_150),
    "smallnorb_ele": Task("SmallNORB, elevation", "structured", 9, 12_150),
}


def vtab(task: str) -> Callable[[DataConfig, Path], Parts]:
    """The builder of one task. Classes are the numbers 0..C-1, as some have no training image.

    Images are not mirrored: which way a thing looks may be its class. Where it is may be its class as well, so VTAB's
    protocol does not crop either; ``augment=resize`` says so.
    """

    def build(config: DataConfig, root: Path) -> Parts:
        base = inner(root, f"vtab-1k/{task}", task)
        names = [str(number) for number in range(TASKS[task].classes)]
        if (base / "train800.txt").is_file():
            train, val = (_rows(base / f"{part}.txt", len(names)) for part in ("train800", "val200"))
        else:
            train, val = _rows(base / "train800val200.txt", len(names)), []
        test = _rows(base / "test.txt", len(names))
        parts = closed(f"vtab_{task}", base, train, val, test, names, config.val_fraction)
        return replace(parts.map(lambda images: replace(images, mirror_ok=False)), classes_given=True)

    return build


def _rows(file: Path, classes: int) -> Rows:
    rows = read_rows(file, "path label:int")
    if wrong := [label for _, label in rows if label >= classes]:
        raise DataError(f"{file}: label {wrong[0]} is none of the {classes} classes 0..{classes - 1}")
    return [(path, str(label)) for path, label in rows]
