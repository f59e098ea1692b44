"""Hugging Face data sets, saved in a folder: no network is asked."""

from __future__ import annotations

import pickle
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from vptsp.data import load_data
from vptsp.data.load_splits import read_parts
from vptsp.data.prepare import prepare
from vptsp.errors import ConfigError, DataError, DataWarning

datasets = pytest.importorskip("datasets")
Settings = Callable[..., SimpleNamespace]


def save(folder: Path, splits: dict[str, list[int]], names: list[str] | None = None) -> Path:
    """Splits of these labels, images 9 x 8 of shade 10 * (number in all)."""
    shade, parts = 0, {}
    label = datasets.ClassLabel(names=names) if names else datasets.Value("string")
    features = datasets.Features({"image": datasets.Image(), "label": label})
    for split, labels in splits.items():
        images = [np.full((8, 9, 3), 10 * (shade + n), np.uint8) for n in range(len(labels))]
        shade += len(labels)
        values: list[Any] = labels if names else [f"class {n}" for n in labels]
        parts[split] = datasets.Dataset.from_dict({"image": images, "label": values}, features=features)
    datasets.DatasetDict(parts).save_to_disk(folder)
    return folder


@pytest.mark.parametrize("names", [None, ["ant", "bee", "cow", "dog"]])
def test_disjoint_classes_are_kept_as_train_and_test(
    settings: Settings, tmp_path: Path, names: list[str] | None
) -> None:
    root = save(tmp_path / "zoo", {"train": [0, 1, 1], "test": [3, 2, 3, 2]}, names)
    splits = load_data(settings(dataset="hub", data_root=root))
    named = names or [f"class {n}" for n in range(4)]
    assert [*splits.train.class_names, *splits.test.class_names] == named
    assert splits.test.ids[0] == f"test/{named[3]}/000000"
    again = pickle.loads(pickle.dumps(splits.test))
    assert [again.load(p).getpixel((0, 0)) for p in range(4)] == [(s, s, s) for s in (30, 40, 50, 60)]


def test_shared_classes_are_divided_for_retrieval_and_kept_for_recognition(settings: Settings, tmp_path: Path) -> None:
    root = save(
        tmp_path / "zoo", {"train": [0, 1, 2, 3], "validation": [0, 1, 2, 3], "test": [3, 2, 1, 0]}, list("abcd")
    )
    retrieval = load_data(settings(dataset="hub", data_root=root))
    assert (retrieval.train.class_names, retrieval.test.class_names) == (("a", "b"), ("c", "d"))
    assert len(retrieval.train) == len(retrieval.test) == 6
    closed = load_data(settings(dataset="hub", data_root=root, task="recognition", val_fraction=0.2))
    assert closed.val is not None
    assert [len(closed.train), len(closed.val), len(closed.test)] == [4, 4, 4]
    assert closed.test.labels.tolist() == [3, 2, 1, 0]
    assert len(load_data(settings(dataset="hub", data_root=root, task="recognition")).train) == 8


def test_other_columns_numbers_and_splits(settings: Settings, tmp_path: Path) -> None:
    images = [np.full((8, 9, 3), n, np.uint8) for n in range(12)]
    features = datasets.Features({"image": datasets.Image(), "kind": datasets.Value("int64")})
    part = datasets.Dataset.from_dict({"image": images, "kind": list(range(12))}, features=features)
    datasets.DatasetDict(train=part, spare=part).save_to_disk(tmp_path / "zoo")
    config = settings(dataset="hub", data_root=tmp_path / "zoo")
    with pytest.raises(DataError, match="zoo has no column 'label', only image, kind; say with label_column=NAME"):
        load_data(config)
    config.label_column = "kind"
    with pytest.warns(DataWarning, match=r"1 was passed over: 'spare' \(a split that is none of train"):
        splits = load_data(config)
    assert [*splits.train.class_names, *splits.test.class_names] == list(map(str, range(12)))
    config.label_column = "image"
    with pytest.raises(DataError, match="an image has one class"):
        load_data(config)


@pytest.mark.parametrize("kind", ["int64", "string", "class"])
def test_images_without_a_label_are_no_class_of_their_own(settings: Settings, tmp_path: Path, kind: str) -> None:
    label = datasets.ClassLabel(names=["a", "b"]) if kind == "class" else datasets.Value(kind)
    values = ["a", None, "b"] if kind == "string" else [0, None, 1]
    features = datasets.Features({"image": datasets.Image(), "label": label})
    images = [np.zeros((8, 9, 3), np.uint8)] * 3
    part = datasets.Dataset.from_dict({"image": images, "label": values}, features=features)
    datasets.DatasetDict(train=part).save_to_disk(tmp_path / "zoo")
    with pytest.raises(DataError, match=r"zoo: 1 of 3 images have no label, the first is number 1 of the splits train"):
        load_data(settings(dataset="hub", data_root=tmp_path / "zoo"))


def test_a_cache_of_a_saved_set(settings: Settings, tmp_path: Path) -> None:
    root = save(tmp_path / "zoo", {"train": [0, 1, 1], "test": [3, 2, 3]}, list("abcd"))
    config = settings(dataset="hub", data_root=root, image_size=None)
    list(prepare(read_parts(config), tmp_path / "cache", "hub", 256))
    config.data_cache = tmp_path / "cache"
    assert load_data(config).test.load(1).getpixel((0, 0)) == (40, 40, 40)


def test_what_cannot_be_used_is_told(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match=r"dataset=hub needs hub_name=OWNER/NAME .*or data_root=FOLDER"):
        load_data(settings(dataset="hub"))
    only = save(tmp_path / "only", {"train": [0, 1]}, ["a", "b"])
    with pytest.raises(DataError, match=r"only has the splits train; train and test"):
        load_data(settings(dataset="hub", data_root=only, task="recognition"))
    datasets.DatasetDict(train=datasets.Dataset.from_dict({"text": ["x"]})).save_to_disk(tmp_path / "text")
    with pytest.raises(DataError, match="text has no column of images, only 'text'"):
        load_data(settings(dataset="hub", data_root=tmp_path / "text"))

    def offline(*_: object, **__: object) -> None:
        raise ConnectionError("Couldn't reach the hub")

    monkeypatch.setattr(datasets, "load_dataset", offline)
    with pytest.raises(
        DataError, match=r"'me/zoo' cannot be loaded \(ConnectionError: Couldn't reach.*pass data_root=FOLDER of a copy"
    ):
        load_data(settings(dataset="hub", hub_name="me/zoo"))
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(DataError, match=r"needs the package datasets: pip install 'vptsp-workbench\[hub\]'"):
        load_data(settings(dataset="hub", hub_name="me/zoo"))
