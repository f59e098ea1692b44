from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from torchvision.datasets import Omniglot

from vptsp.data import DATASETS, load_data
from vptsp.errors import ConfigError, DataError

Settings = Callable[..., SimpleNamespace]


@pytest.mark.parametrize("name", ["blossoms", "digits"])
def test_sets_that_need_no_files(settings: Settings, name: str) -> None:
    splits = load_data(settings(dataset=name, val_fraction=0.4))
    assert splits.val is not None
    names = [c for part in (splits.train, splits.val, splits.test) for c in part.class_names]
    assert len(set(names)) == len(names)
    for part in (splits.train, splits.val, splits.test):
        assert part.load(0).size == (16, 16)
        assert part.load(0).mode == "RGB"
        assert pickle.loads(pickle.dumps(part)).ids == part.ids  # worker processes receive it so
    assert splits.train.mirror_ok == (name == "blossoms")


def test_digits_are_split_between_four_and_five(settings: Settings) -> None:
    splits = load_data(settings())
    assert (splits.train.class_names, splits.test.class_names) == (tuple("01234"), tuple("56789"))
    assert len(splits.train) + len(splits.test) == 1797
    assert all(
        i.split("/")[1] == splits.test.class_names[n] for i, n in zip(splits.test.ids, splits.test.labels, strict=True)
    )


def test_a_folder_with_queries_and_bad_images(settings: Settings, image_folder: Path) -> None:
    (image_folder / "test" / "cow" / "g_1.png").write_bytes(b"")
    config = settings(dataset="folder", data_root=image_folder, query_pattern="q_*", skip_bad=True)
    splits = load_data(config)
    assert splits.skipped == ["test/cow/g_1.png"]
    assert splits.test.is_query is not None
    assert splits.test.is_query.sum() == 2
    assert len(splits.test) == 5
    assert splits.val is None


@pytest.mark.parametrize(
    ("changed", "error", "sentence"),
    [
        ({"dataset": "roses"}, ConfigError, "'roses' is unknown; choose one of blossoms, digits, omniglot, folder"),
        ({"dataset": "folder"}, ConfigError, "needs data_root"),
        ({"dataset": "folder", "data_root": Path("not/there")}, DataError, "not a folder"),
        ({"query_pattern": "a", "query_csv": Path("b")}, ConfigError, "only one"),
    ],
)
def test_wrong_settings_are_refused(settings: Settings, changed: dict, error: type[Exception], sentence: str) -> None:
    with pytest.raises(error, match=sentence):
        load_data(settings(**changed))


def test_overlapping_and_single_classes_are_refused(settings: Settings, image_folder: Path) -> None:
    config = settings(dataset="folder", data_root=image_folder)
    (image_folder / "test" / "cow").rename(image_folder / "test" / "ant")
    with pytest.raises(DataError, match="1 of the classes are in both train and test: 'ant'"):
        load_data(config)
    (image_folder / "test" / "ant").rename(image_folder / "ant")
    with pytest.raises(DataError, match="has 1 class; retrieval needs at least 2"):
        load_data(config)


def test_omniglot_in_torchvisions_layout_and_absent(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for part, alphabet in (("images_background", "Greek"), ("images_evaluation", "Tagalog")):
        for character in ("character01", "character02"):
            folder = tmp_path / Omniglot.folder / part / alphabet / character
            folder.mkdir(parents=True)
            Image.fromarray(np.eye(9, dtype=bool)).save(folder / "0001_01.png")
    splits = load_data(settings(dataset="omniglot", data_root=tmp_path))
    assert splits.train.class_names == ("Greek/character01", "Greek/character02")
    assert splits.test.ids[0] == "test/Tagalog/character01/0001_01.png"
    assert not splits.train.mirror_ok
    assert splits.train.load(1).getpixel((0, 0)) == (255, 255, 255)

    def refused(*_: object, **__: object) -> None:
        raise OSError("the network is unreachable")

    monkeypatch.setattr("vptsp.data.omniglot.Omniglot.__init__", refused)
    with pytest.raises(DataError, match=r"cannot be downloaded .*network is unreachable.*data_root=FOLDER"):
        load_data(settings(dataset="omniglot", data_root=tmp_path / "empty"))


@pytest.mark.parametrize(
    ("name", "classes", "query_pattern", "roles"),
    [("omniglot", (136, 106), None, None), ("grocery", (41, 40), "test_*", (1266, 1473))],
)
def test_real_images(
    settings: Settings,
    name: str,
    classes: tuple[int, int],
    query_pattern: str | None,
    roles: tuple[int, int] | None,
) -> None:
    root = os.environ.get("VPTSP_DATA_DIR")
    if root is None or not (Path(root) / name).is_dir():
        pytest.skip(f"VPTSP_DATA_DIR does not name a folder that holds {name}/")
    dataset = name if name in DATASETS else "folder"
    splits = load_data(settings(dataset=dataset, data_root=Path(root) / name, query_pattern=query_pattern))
    assert (len(splits.train.class_names), len(splits.test.class_names)) == classes
    assert splits.test.load(len(splits.test) - 1).mode == "RGB"
    if roles is not None:
        assert splits.test.is_query is not None
        assert splits.test.is_gallery is not None
        assert (splits.test.is_query.sum(), splits.test.is_gallery.sum()) == roles
