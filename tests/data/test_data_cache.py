"""Caches of decoded images: equal scores, resumed after a stop, and refused where they do not fit."""

from __future__ import annotations

import json
import os
import pickle
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

import vptsp.data.prepare
from vptsp.data import eval_transform, load_data, train_loader, train_transform
from vptsp.data.image_set import Parts
from vptsp.data.load_splits import read_parts
from vptsp.data.prepare import Prepared, prepare
from vptsp.errors import DataError

Settings = Callable[..., SimpleNamespace]
HALF = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """train/{a,b} and test/{c,d}, three JPEG files each, of different shapes; shards of five images."""
    monkeypatch.setattr(vptsp.data.prepare, "SHARD_IMAGES", 5)
    rng = np.random.default_rng(0)
    for split, name in (("train", "a"), ("train", "b"), ("test", "c"), ("test", "d")):
        folder = tmp_path / "photos" / split / name
        folder.mkdir(parents=True)
        for n, (width, height) in enumerate(((90, 61), (47, 83), (12, 30))):  # the last is smaller than a cached one
            pixels = rng.integers(0, 256, (height, width, 3)).astype(np.uint8)
            Image.fromarray(pixels).save(folder / f"{n}.jpg")
    return tmp_path / "photos"


@pytest.fixture
def config(settings: Settings, photos: Path) -> SimpleNamespace:
    return settings(dataset="folder", data_root=photos, image_size=28)


def fill(config: SimpleNamespace, folder: Path, size: int = 32, **options: object) -> Prepared:
    *_, done = prepare(read_parts(config), folder, config.dataset, size, **options)  # type: ignore[arg-type]
    assert isinstance(done, Prepared)
    return done


@pytest.mark.parametrize("num_workers", [0, 2])
def test_tests_see_the_same_pixels_from_the_cache(config: SimpleNamespace, tmp_path: Path, num_workers: int) -> None:
    done = fill(config, tmp_path / "cache", num_workers=num_workers)
    assert (done.made, done.reused, done.unreadable) == (12, 0, [])
    plain = load_data(config)
    config.data_cache = tmp_path / "cache"
    cached = load_data(config)
    see = eval_transform(28, *HALF)
    for before, after in ((plain.train, cached.train), (plain.test, cached.test)):
        assert before.ids == after.ids
        after = pickle.loads(pickle.dumps(after))
        for position in range(len(before)):
            assert torch.equal(see(before.load(position)), see(after.load(position)))
            assert min(after.load(position).size) == min(32, min(before.load(position).size))


@pytest.mark.parametrize("num_workers", [0, 2])
def test_training_batches_come_from_the_cache(config: SimpleNamespace, tmp_path: Path, num_workers: int) -> None:
    fill(config, tmp_path / "cache")
    config.data_cache = tmp_path / "cache"
    train = load_data(config).train
    for file in config.data_root.rglob("*.jpg"):
        file.unlink()
    loader = train_loader(
        train, train_transform(28, *HALF), batch_size=4, images_per_class=2, seed=0, num_workers=num_workers
    )
    images, labels, _ = next(iter(loader))
    assert images.shape == (4, 3, 28, 28)
    assert sorted(labels.tolist()) == [0, 0, 1, 1]


class Stopping:
    """A loader that is interrupted at its n-th image, and counts the ones it reads."""

    def __init__(self, load: Callable, stop: int) -> None:
        self.load, self.stop, self.read = load, stop, 0

    def __call__(self, position: int) -> Image.Image:
        if self.read == self.stop:
            raise KeyboardInterrupt
        self.read += 1
        return self.load(position)

    def fingerprint(self, position: int) -> str:
        return self.load.fingerprint(position)  # type: ignore[attr-defined]


@pytest.mark.parametrize("stop", [0, 3, 5, 7, 11])
def test_an_interrupted_cache_goes_on_with_the_next_shard(config: SimpleNamespace, tmp_path: Path, stop: int) -> None:
    folder = tmp_path / "cache"
    parts = read_parts(config)
    whole = replace(parts.train, load=Stopping(parts.train.load, stop))
    test = replace(parts.test, load=Stopping(parts.test.load, stop - len(whole) if stop >= len(whole) else -1))
    with pytest.raises(KeyboardInterrupt):
        list(prepare(Parts(whole, test), folder, "folder", 32))
    config.data_cache = folder
    with pytest.raises(
        DataError, match=rf"lacks {12 - stop // 5 * 5} of the 12 images .*run vptsp data prepare folder"
    ):
        load_data(config)
    (folder / ".00000.json.part").write_text("left by a kill")
    (folder / "00009.bin").write_bytes(b"pixels without a list")
    done = fill(config, folder)
    assert (done.made, done.reused) == (12 - stop // 5 * 5, stop // 5 * 5)
    assert not list(folder.glob(".*.part"))
    assert not (folder / "00009.bin").exists()
    load_data(config)
    assert fill(config, folder).made == 0


def test_changed_images_are_noticed_and_alone_made_again(config: SimpleNamespace, tmp_path: Path) -> None:
    folder = tmp_path / "cache"
    fill(config, folder)
    config.data_cache = folder
    changed = config.data_root / "train/b/1.jpg"
    Image.new("RGB", (50, 60), (255, 0, 0)).save(changed)
    os.utime(changed, (1, 1))
    with pytest.raises(
        DataError, match=r"1 images of folder changed since it was made: 'train/b/1.jpg'; run vptsp data"
    ):
        load_data(config)
    done = fill(config, folder)
    assert (done.made, done.reused) == (1, 11)
    train = load_data(config).train
    red = train.load(train.ids.index("train/b/1.jpg")).getpixel((9, 9))
    assert isinstance(red, tuple)
    assert red[0] > 250


def test_a_new_image_is_missed_and_a_moved_folder_is_not(config: SimpleNamespace, tmp_path: Path) -> None:
    fill(config, tmp_path / "cache")
    (tmp_path / "cache").rename(tmp_path / "elsewhere")
    config.data_root = config.data_root.rename(tmp_path / "moved")
    config.data_cache = tmp_path / "elsewhere"
    load_data(config)
    Image.new("RGB", (50, 60)).save(config.data_root / "train/b/new.jpg")
    with pytest.raises(DataError, match=r"lacks 1 of the 13 images of folder: 'train/b/new.jpg'"):
        load_data(config)


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (lambda c: (c / "cache.json").unlink(), r"is no cache of images; vptsp data prepare makes one"),
        (lambda c: (c / "cache.json").write_text("{"), r"is no cache of images"),
        (lambda c: (c / "cache.json").write_text('{"format": 99, "dataset": "folder", "size": 32}'), r"format 99, not"),
        (
            lambda c: (c / "cache.json").write_text('{"format": 1, "dataset": "cub", "size": 32}'),
            r"dataset=cub, not folder",
        ),
        (lambda c: (c / "00001.bin").write_bytes(b"short"), r"00001.bin is damaged or cut off; run vptsp data prepare"),
        (lambda c: (c / "00001.json").write_text("[]"), r"00001.bin is damaged or cut off"),
    ],
)
def test_a_damaged_cache_is_refused(
    config: SimpleNamespace, tmp_path: Path, spoil: Callable[[Path], object], sentence: str
) -> None:
    fill(config, tmp_path / "cache")
    spoil(tmp_path / "cache")
    config.data_cache = tmp_path / "cache"
    with pytest.raises(DataError, match=sentence):
        load_data(config)


def test_a_damaged_shard_is_made_again(config: SimpleNamespace, tmp_path: Path) -> None:
    fill(config, tmp_path / "cache")
    (tmp_path / "cache/00001.bin").write_bytes(b"short")
    done = fill(config, tmp_path / "cache")
    assert (done.made, done.reused) == (5, 7)
    config.data_cache = tmp_path / "cache"
    load_data(config)


def test_a_small_cache_is_refused_for_large_inputs(config: SimpleNamespace, tmp_path: Path) -> None:
    fill(config, tmp_path / "cache", size=31)
    config.data_cache = tmp_path / "cache"
    with pytest.raises(DataError, match=r"holds images of 31 pixels, but image_size=28 needs 32; .*--size 32"):
        load_data(config)
    config.image_size = 27
    load_data(config)


def test_a_folder_is_one_cache_only(config: SimpleNamespace, tmp_path: Path) -> None:
    fill(config, tmp_path / "cache")
    with pytest.raises(
        DataError, match="is a cache of folder at 32 pixels, not of folder at 40; choose another folder"
    ):
        fill(config, tmp_path / "cache", size=40)
    with pytest.raises(DataError, match="holds other files and no cache"):
        fill(config, config.data_root)


def test_unreadable_images_stop_or_are_noted(config: SimpleNamespace, tmp_path: Path) -> None:
    (config.data_root / "test/c/0.jpg").write_bytes(b"no image")
    with pytest.raises(DataError, match=r"cannot read the image .*0.jpg"):
        fill(config, tmp_path / "cache")
    for made, reused in ((6, 5), (0, 11)):  # five were made before the bad one
        done = fill(config, tmp_path / "cache", skip_bad=True)
        assert (done.made, done.reused, done.unreadable) == (made, reused, ["test/c/0.jpg"])
    config.data_cache = tmp_path / "cache"
    with pytest.raises(
        DataError, match=r"1 images could not be read when it was made: 'test/c/0.jpg'; set skip_bad=true"
    ):
        load_data(config)
    config.skip_bad = True
    splits = load_data(config)
    assert (splits.skipped, len(splits.test)) == (["test/c/0.jpg"], 5)


def test_drawn_images_need_no_cache(settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="a cache is for images in files"):
        fill(settings(dataset="blossoms"), tmp_path / "cache")


def test_lists_of_a_cache_tell_every_image_once(config: SimpleNamespace, tmp_path: Path) -> None:
    fill(config, tmp_path / "cache")
    rows = [
        row
        for f in (tmp_path / "cache").glob("*.json")
        if f.stem != "cache"
        for row in json.loads(f.read_text())["images"]
    ]
    parts = read_parts(config)
    assert sorted(row[0] for row in rows) == sorted([*parts.train.ids, *parts.test.ids])
