"""Stanford Dogs (Khosla et al., FGVC 2011): ``Images/``, ``train_list.mat``, ``test_list.mat``."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from vptsp.data.image_set import Parts
from vptsp.data.settings import DataConfig
from vptsp.data.sources.listed import Rows, closed
from vptsp.data.sources.text_lists import first_file, inner, mat_field, read_mat
from vptsp.data.sources.vpt_lists import vpt_lists


def fgvc_dogs(config: DataConfig, root: Path) -> Parts:
    """Recognition of 120 breeds; a class is its folder, such as ``n02085620-Chihuahua``."""
    root = inner(root, "stanford_dogs", "StanfordDogs")
    if lists := vpt_lists("fgvc_dogs", root, root / "Images", config):
        return lists
    train, test = (_rows(first_file(root / f"{part}_list.mat", root / "lists" / f"{part}_list.mat")) for part in PARTS)
    names = sorted({name for _, name in train + test})
    return closed("fgvc_dogs", root / "Images", train, [], test, names, config.val_fraction)


PARTS = ("train", "test")


def _rows(file: Path) -> Rows:
    paths = np.atleast_1d(mat_field(file, read_mat(file), "file_list"))
    return [(str(path), str(path).split("/")[0]) for path in paths]
