"""The train, validation and test lists that VPT (Jia et al., ECCV 2022) publishes for its five FGVC sets.

``train.json``, ``val.json``, ``test.json`` beside the images: a dictionary from path to class number. They divide
the published training images into train and validation; where they are present they are used.
"""

from __future__ import annotations

import json
from pathlib import Path

from vptsp.data.image_set import Parts
from vptsp.data.settings import DataConfig
from vptsp.data.sources.listed import Rows, closed
from vptsp.errors import DataError


def vpt_lists(name: str, root: Path, images: Path, config: DataConfig) -> Parts | None:
    """The parts by VPT's lists in ``root``, paths below ``images``; none where the three lists are not there."""
    files = [root / f"{part}.json" for part in ("train", "val", "test")]
    if not all(file.is_file() for file in files):
        return None
    train, val, test = (_read(file) for file in files)
    names = sorted({label for rows in (train, val, test) for _, label in rows}, key=int)
    return closed(name, images, train, val, test, names, config.val_fraction)


def _read(file: Path) -> Rows:
    try:
        content = json.loads(file.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError) as error:
        raise DataError(f"{file} cannot be read as JSON ({error}); restore the original file") from None
    if not isinstance(content, dict) or not all(isinstance(label, int) for label in content.values()):
        raise DataError(f"{file}: expected a dictionary from image path to class number")
    return [(path, str(label)) for path, label in content.items()]
