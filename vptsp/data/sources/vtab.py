"""VTAB-1k (Zhai et al. 2019): 19 tasks with 800 training, 200 validation images and the full test sets.

The layout is that of NOAH, SSF and the releases after them: ``<task>/images/``, ``train800.txt``, ``val200.txt``
(or both as ``train800val200.txt``) and ``test.txt`` with lines ``<path> <label>``.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from vptsp.data.image_set import Parts
from vptsp.data.settings import DataConfig
from vptsp.data.sources.listed import Rows, closed
from vptsp.data.sources.text_lists import inner, read_rows
from vptsp.data.sources.vtab_tasks import TASKS
from vptsp.errors import DataError


def vtab(config: DataConfig, root: Path) -> Parts:
    """The task that the data set's name ends in. Classes are the numbers 0..C-1, as some have no training image.

    Images are not mirrored: which way a thing looks may be its class. Where it is may be its class as well, so VTAB's
    protocol does not crop either; ``augment=resize`` says so.
    """
    task = config.dataset.removeprefix("vtab_")
    base = inner(root, f"vtab-1k/{task}", task)
    names = [str(number) for number in range(TASKS[task].classes)]
    if (base / "train800.txt").is_file():
        train, val = (_rows(base / f"{part}.txt", len(names)) for part in ("train800", "val200"))
    else:
        train, val = _rows(base / "train800val200.txt", len(names)), []
    test = _rows(base / "test.txt", len(names))
    parts = closed(config.dataset, base, train, val, test, names, config.val_fraction)
    return replace(parts.map(lambda images: replace(images, mirror_ok=False)), classes_given=True)


def _rows(file: Path, classes: int) -> Rows:
    rows = read_rows(file, "path label:int")
    if wrong := [label for _, label in rows if label >= classes]:
        raise DataError(f"{file}: label {wrong[0]} is none of the {classes} classes 0..{classes - 1}")
    return [(path, str(label)) for path, label in rows]
