"""Stanford Cars, called Cars196 in retrieval (Krause et al., 3DRR 2013), in the layouts that it is found in.

``cars_annos.mat`` with ``car_ims/``; the devkit's ``cars_train_annos.mat`` and ``cars_test_annos_withlabels.mat``
with ``cars_train/`` and ``cars_test/``; or a folder for each class, alone or below ``train/`` and ``test/``.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from vptsp.data.folder import FolderScan
from vptsp.data.image_set import Parts
from vptsp.data.rules import in_order
from vptsp.data.settings import DataConfig
from vptsp.data.sources.listed import closed, halves
from vptsp.data.sources.text_lists import LayoutError, first_file, inner, mat_field, read_mat
from vptsp.data.sources.vpt_lists import vpt_lists
from vptsp.errors import DataError

FOLDERS = ("stanford_cars", "cars196", "CARS_196", "car_data")


class Car(NamedTuple):
    path: str
    name: str  # of the class
    trains: bool | None  # in the recognition split; none: the layout does not say


def cars(config: DataConfig, root: Path) -> Parts:
    """Zero-shot retrieval: classes 1-98 train, 99-196 are searched, whatever the recognition split says."""
    root = inner(root, *FOLDERS)
    look = FolderScan(root)
    images, names = _read(root, look)
    parts = halves("cars", root, [(car.path, car.name) for car in images], names)
    return replace(parts, passed_over=tuple(look.passed))


def fgvc_cars(config: DataConfig, root: Path) -> Parts:
    """Recognition of 196 models by the published train and test images."""
    root = inner(root, *FOLDERS)
    if lists := vpt_lists("fgvc_cars", root, root, config):
        return lists
    look = FolderScan(root)
    images, names = _read(root, look)
    if any(car.trains is None for car in images):
        raise LayoutError(f"{root} has class folders, which do not say what is train and test")
    train, test = ([(car.path, car.name) for car in images if car.trains is part] for part in (True, False))
    parts = closed("fgvc_cars", root, train, [], test, names, config.val_fraction)
    return replace(parts, passed_over=tuple(look.passed))


def _read(root: Path, look: FolderScan) -> tuple[list[Car], list[str]]:
    """All images, and the class names in the order of their numbers."""
    if (root / "cars_annos.mat").is_file():
        return _one_file(root, root / "cars_annos.mat")
    if (root / "devkit").is_dir():
        return _devkit(root)
    return _class_folders(root, look)


def _one_file(root: Path, file: Path) -> tuple[list[Car], list[str]]:
    content = read_mat(file)
    rows, names = mat_field(file, content, "annotations"), _names(file, content)
    paths = _column(file, rows, "relative_im_path")
    classes, test = _column(file, rows, "class"), _column(file, rows, "test")
    return [
        Car(str(path), _name(file, names, number), not flag)
        for path, number, flag in zip(paths, classes, test, strict=True)
    ], names


def _devkit(root: Path) -> tuple[list[Car], list[str]]:
    meta = root / "devkit" / "cars_meta.mat"
    names = _names(meta, read_mat(meta))
    images = []
    for part, places in (
        ("train", [root / "devkit" / "cars_train_annos.mat"]),
        ("test", [folder / "cars_test_annos_withlabels.mat" for folder in (root, root / "devkit")]),
    ):
        file = first_file(*places)
        rows = mat_field(file, read_mat(file), "annotations")
        for path, number in zip(_column(file, rows, "fname"), _column(file, rows, "class"), strict=True):
            images.append(Car(f"cars_{part}/{path}", _name(file, names, number), part == "train"))
    return images, names


def _class_folders(root: Path, look: FolderScan) -> tuple[list[Car], list[str]]:
    base = inner(root, "images", "car_data")
    split = (base / "train").is_dir() and (base / "test").is_dir()
    images = []
    for folder, trains in ((base / "train", True), (base / "test", False)) if split else ((base, None),):
        for name, place in look.class_folders(folder).items():
            images += [Car(str(file.relative_to(root)), name, trains) for file in look.image_files(place)]
    if not images:
        raise LayoutError(f"{root / 'cars_annos.mat'} is not there")
    return images, in_order(car.name for car in images)


def _names(file: Path, content: Any) -> list[str]:
    return [str(name) for name in np.atleast_1d(mat_field(file, content, "class_names"))]


def _column(file: Path, rows: Any, name: str) -> np.ndarray:
    return np.atleast_1d(mat_field(file, rows, name))


def _name(file: Path, names: list[str], number: Any) -> str:
    if not (isinstance(number, int | np.integer) and 1 <= number <= len(names)):
        raise DataError(f"{file}: class {number!r} is none of the {len(names)} classes; restore the original file")
    return names[int(number) - 1]
