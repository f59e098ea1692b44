"""A folder of class folders: what is kept back, and from whom."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vptsp.data import load_data
from vptsp.data.sample_photos import sample_photos
from vptsp.errors import DataError
from vptsp.settings.config import make_config


def folders(root: Path, classes: int, images: int = 4) -> Path:
    for label in range(classes):
        (root / f"c{label}").mkdir(parents=True)
        for image in range(images):
            Image.new("RGB", (8, 8), (label, image, 0)).save(root / f"c{label}" / f"{image}.png")
    return root


@pytest.mark.parametrize(("classes", "fraction", "kept_back"), [(10, 0.3, 3), (4, 0.1, 2), (5, 0.9, 3)])
def test_classes_are_kept_back_for_retrieval(tmp_path: Path, classes: int, fraction: float, kept_back: int) -> None:
    root = folders(tmp_path / "mine", classes)
    settings = {"dataset": "photos", "data_root": root, "test_fraction": fraction, "val_fraction": 0.0}
    splits = load_data(make_config(settings))
    assert len(splits.test.class_names) == kept_back
    assert sorted([*splits.train.class_names, *splits.test.class_names]) == [f"c{n}" for n in range(classes)]
    again = load_data(make_config(settings))
    assert again.test.ids == splits.test.ids
    others = {tuple(load_data(make_config(settings | {"seed": seed})).test.class_names) for seed in range(8)}
    assert len(others) > 1


def test_images_of_every_class_are_kept_back_for_recognition(tmp_path: Path) -> None:
    root = folders(tmp_path / "mine", 3, images=10)
    settings = {"dataset": "photos", "data_root": root, "task": "recognition", "val_fraction": 0.0}
    splits = load_data(make_config(settings))
    assert splits.train.class_names == splits.test.class_names == ("c0", "c1", "c2")
    np.testing.assert_array_equal(splits.test.class_counts(), [3, 3, 3])
    assert not set(splits.train.ids) & set(splits.test.ids)


def test_too_few_classes(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="has 3 class folders; retrieval needs at least 4"):
        load_data(make_config({"dataset": "photos", "data_root": folders(tmp_path / "mine", 3)}))


def test_sample_photos_are_such_a_folder(tmp_path: Path) -> None:
    folder = sample_photos(tmp_path / "runs" / "sample", classes=6, images=3, size=32)
    splits = load_data(make_config({"dataset": "photos", "data_root": folder}))
    assert len(splits.train) + len(splits.test) + (len(splits.val) if splits.val else 0) == 18
    assert sample_photos(folder) == folder
    assert [item.name for item in folder.parent.iterdir()] == ["sample"]
