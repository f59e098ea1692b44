"""Oxford Flowers 102 (Nilsback and Zisserman, ICVGIP 2008): ``jpg/``, ``imagelabels.mat``, ``setid.mat``.

torchvision's folder ``flowers-102`` holds the same files.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from vptsp.data.image_set import Parts
from vptsp.data.settings import DataConfig
from vptsp.data.sources.listed import Rows, closed
from vptsp.data.sources.text_lists import inner, mat_field, read_mat
from vptsp.data.sources.vpt_lists import vpt_lists
from vptsp.errors import DataError


def fgvc_flowers(config: DataConfig, root: Path) -> Parts:
    """Recognition of 102 flowers by the published train, validation and test images."""
    from torchvision.datasets import Flowers102

    root = inner(root, "flowers-102", "oxford_flowers102")
    if lists := vpt_lists("fgvc_flowers", root, root, config):
        return lists
    file, sets = root / "imagelabels.mat", root / "setid.mat"
    labels = np.atleast_1d(mat_field(file, read_mat(file), "labels"))
    names = Flowers102.classes
    if labels.min() < 1 or labels.max() > len(names):
        raise DataError(f"{file}: labels must lie in 1..{len(names)}; restore the original file")
    content = read_mat(sets)

    def rows(field: str) -> Rows:
        numbers = np.atleast_1d(mat_field(sets, content, field))
        if numbers.min() < 1 or numbers.max() > len(labels):
            raise DataError(f"{sets}: {field} names an image that {file.name} does not label")
        return [(f"jpg/image_{n:05d}.jpg", names[labels[n - 1] - 1]) for n in numbers.tolist()]

    used = [name for number, name in enumerate(names, start=1) if number in set(labels.tolist())]
    return closed("fgvc_flowers", root, rows("trnid"), rows("valid"), rows("tstid"), used, config.val_fraction)
