"""Any data set as shards: what comes back, what other readers see, and what a stop, a bad image or a stranger does."""

from __future__ import annotations

import json
import pickle
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import filelock
import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from vptsp.cli import main
from vptsp.data import load_data
from vptsp.data.image_set import ImageSet, Parts
from vptsp.data.load_splits import read_parts
from vptsp.data.prepare import prepare
from vptsp.data.raw_files import raw_file
from vptsp.data.write_shards import ShardsWritten, write_shards
from vptsp.errors import DataError

Settings = Callable[..., SimpleNamespace]


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VPTSP_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """train/{a,b}, test/{c,d} and val/{e,f}: three files each, of several formats, 0.2 MB on average."""
    rng = np.random.default_rng(0)
    for split, name in (("train", "a"), ("train", "b"), ("test", "c"), ("test", "d"), ("val", "e"), ("val", "f")):
        folder = tmp_path / "photos" / split / name
        folder.mkdir(parents=True)
        for ending, kind in ((".JPG", "JPEG"), (".png", "PNG"), (".bmp", "BMP")):
            pixels = rng.integers(0, 256, (300, 310, 3)).astype(np.uint8)
            Image.fromarray(pixels).save(folder / f"é {kind}{ending}", kind, quality=90, compress_level=0)
    return tmp_path / "photos"


def write(parts: Parts, folder: Path, dataset: str = "folder", **options: Any) -> ShardsWritten:
    *_, done = write_shards(parts, folder, dataset, **options)
    assert isinstance(done, ShardsWritten)
    return done


def assert_same(parts: Parts, others: Parts) -> None:
    assert len(parts.each()) == len(others.each())
    assert parts.classes_given == others.classes_given
    for ours, theirs in zip(parts.each(), others.each(), strict=True):
        assert (ours.name, ours.ids, ours.class_names) == (theirs.name, theirs.ids, theirs.class_names)
        assert np.array_equal(ours.labels, theirs.labels)
        assert ours.mirror_ok == theirs.mirror_ok
        for one, other in ((ours.is_query, theirs.is_query), (ours.is_gallery, theirs.is_gallery)):
            assert (one is None) == (other is None)
            assert one is None or np.array_equal(one, other)  # type: ignore[arg-type]
        for position in range(len(ours)):
            assert ours.load(position).tobytes() == theirs.load(position).tobytes()


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*.tar"))}


# --- what comes back ------------------------------------------------------------------------------------
@pytest.mark.parametrize("val_fraction", [0.0, 0.2])
def test_a_folder_comes_back_byte_by_byte(
    settings: Settings, photos: Path, tmp_path: Path, val_fraction: float
) -> None:
    apart = read_parts(settings(dataset="folder", data_root=photos, val_fraction=0.2))
    done = write(apart, tmp_path / "shards", megabytes=1)
    assert (done.made, done.reused, done.unreadable) == (18, 0, [])
    assert done.shards == len(files(tmp_path / "shards")) >= 5
    assert done.bytes == sum(map(len, files(tmp_path / "shards").values()))
    given = {"val_fraction": val_fraction}
    found = read_parts(settings(dataset="shards", data_root=tmp_path / "shards", **given))
    assert_same(read_parts(settings(dataset="folder", data_root=photos, **given)), found)
    for part, images in (("train", found.train), ("test", found.test)):
        for position, image_id in enumerate(images.ids):
            if image_id.startswith(part):
                file = raw_file(images.load, position)
                assert file is not None
                assert file.content == (photos / image_id).read_bytes()
                assert file.ending == Path(image_id).suffix.lower()


def test_roles_and_classes_come_back(settings: Settings, image_folder: Path, tmp_path: Path) -> None:
    lines = ["path,label,split,is_query,is_gallery"]
    for file in sorted(image_folder.rglob("*.png")):
        split, label, name = file.relative_to(image_folder).parts
        lines.append(f"{split}/{label}/{name},{label},{split},{int(name[0] == 'q')},{int(name[0] == 'g')}")
    (image_folder / "table.csv").write_text("\n".join(lines))
    parts = read_parts(settings(dataset="table", data_root=image_folder / "table.csv"))
    assert parts.test.is_query is not None
    write(parts, tmp_path / "shards", "table")
    assert_same(parts, read_parts(settings(dataset="shards", data_root=tmp_path / "shards")))


def test_drawn_images_become_png(settings: Settings, tmp_path: Path) -> None:
    drawn = read_parts(settings(dataset="blossoms"))
    parts = drawn.map(lambda images: replace(images.subset(range(3)).relabelled(), mirror_ok=False))
    write(parts, tmp_path / "shards", "blossoms")
    found = read_parts(settings(dataset="shards", data_root=tmp_path / "shards"))
    assert_same(parts, found)
    assert found.train.load.members[0] == "00000000.png"  # type: ignore[attr-defined]


def test_classes_without_images_and_in_an_order_of_their_own_come_back(
    settings: Settings, tmp_path: Path, numbered: Callable[..., ImageSet]
) -> None:
    train = replace(numbered([2, 0, 2], 4), class_names=["z", "", "b " * 400, "c"])
    parts = Parts(
        train,
        replace(train, name="numbered/test", ids=["x", "y\udcff".encode("utf-8", "backslashreplace").decode(), "z"]),
        classes_given=True,
    )
    write(parts, tmp_path / "shards", "numbered")
    assert_same(parts, read_parts(settings(dataset="shards", data_root=tmp_path / "shards")))


def test_hub_images_are_copied_as_they_are(settings: Settings, photos: Path, tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    found = {split: sorted((photos / split).rglob("*.*")) for split in ("train", "test")}
    features = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=list("abcd"))})
    splits = datasets.DatasetDict(
        {
            split: datasets.Dataset.from_dict(
                {"image": list(map(str, files)), "label": [file.parent.name for file in files]}, features
            )
            for split, files in found.items()
        }
    )
    splits.save_to_disk(tmp_path / "saved")
    parts = read_parts(settings(dataset="hub", data_root=tmp_path / "saved"))
    write(parts, tmp_path / "shards", "hub")
    again = read_parts(settings(dataset="shards", data_root=tmp_path / "shards"))
    assert_same(parts, again)
    stored = {raw_file(images.load, n).content for images in again.each() for n in range(len(images))}  # type: ignore[union-attr]
    assert stored == {file.read_bytes() for files in found.values() for file in files}


def test_others_read_what_is_written(settings: Settings, photos: Path, tmp_path: Path) -> None:
    webdataset = pytest.importorskip("webdataset")
    parts = read_parts(settings(dataset="folder", data_root=photos))
    write(parts, tmp_path / "shards", megabytes=1)
    paths = sorted(map(str, (tmp_path / "shards" / "train").glob("*.tar")))
    read = list(webdataset.WebDataset(paths, shardshuffle=False).decode("rgb8"))
    assert [sample["json"]["id"] for sample in read] == list(parts.train.ids)
    assert [sample["json"]["label"] for sample in read] == [parts.train.class_names[n] for n in parts.train.labels]
    assert [sample["__key__"] for sample in read] == [f"{n:08d}" for n in range(len(read))]
    for position, sample in enumerate(read):
        pixels = next(sample[ending] for ending in ("jpg", "png", "bmp") if ending in sample)
        assert np.array_equal(pixels, np.asarray(parts.train.load(position)))


def test_a_cache_can_be_made_of_shards(settings: Settings, photos: Path, tmp_path: Path) -> None:
    write(read_parts(settings(dataset="folder", data_root=photos)), tmp_path / "shards")
    config = settings(dataset="shards", data_root=tmp_path / "shards")
    list(prepare(read_parts(config), tmp_path / "decoded", "shards", 400))
    plain, config.data_cache = load_data(config), tmp_path / "decoded"
    cached = load_data(config)
    assert cached.train.load(1).tobytes() == plain.train.load(1).tobytes() != b""


# --- stopped and changed --------------------------------------------------------------------------------
@pytest.mark.parametrize("stop", [0, 1, 5, 11, 17])
@pytest.mark.parametrize("num_workers", [0, 2])
def test_stopped_anywhere_the_same_bytes_come_out(
    settings: Settings, photos: Path, tmp_path: Path, stop: int, num_workers: int
) -> None:
    if num_workers and stop not in (0, 11):
        pytest.skip("two are enough with processes")
    parts = read_parts(settings(dataset="folder", data_root=photos, val_fraction=0.2))
    write(parts, tmp_path / "whole", megabytes=1)
    folder = tmp_path / "stopped"
    for count in write_shards(parts, folder, "folder", megabytes=1):
        if count == stop:
            break
    with pytest.raises(DataError, match=r"not finished; run vptsp data prepare folder --shards --out .* again"):
        read_parts(settings(dataset="shards", data_root=folder))
    before = files(folder)
    (folder / "train" / ".shard-000007.tar.part").write_bytes(b"left by a kill")
    done = write(parts, folder, megabytes=1, num_workers=num_workers)
    assert (done.made + done.reused, bool(before)) == (18, done.reused > 0)
    assert files(folder) == files(tmp_path / "whole")
    assert list(before.items()) == [item for item in files(folder).items() if item[0] in before]
    assert not list(folder.rglob("*.part"))
    assert (folder / "shards.json").read_bytes() == (tmp_path / "whole" / "shards.json").read_bytes()
    assert write(parts, folder, megabytes=1).made == 0


def test_unreadable_images_stop_or_are_left_out(settings: Settings, photos: Path, tmp_path: Path) -> None:
    bad = next((photos / "train" / "b").glob("*.png"))
    bad.write_bytes(b"no image")
    config = settings(dataset="folder", data_root=photos)
    parts, folder = read_parts(config), tmp_path / "shards"
    with pytest.raises(DataError, match=r"cannot read the image .*PNG.png \(cannot identify"):
        write(parts, folder, megabytes=1)
    for made in (17, 0):
        done = write(parts, folder, megabytes=1, skip_bad=True)
        assert (done.made + done.reused, done.unreadable) == (17, [f"train/b/{bad.name}"])
        assert made == 0 or done.made > 0
    assert len(read_parts(settings(dataset="shards", data_root=folder)).train) == len(parts.train) - 1
    with pytest.raises(DataError, match=r"cannot read the image .*PNG.png"):
        write(parts, folder, megabytes=1)
    shutil.copy(photos / "train" / "b" / "é JPEG.JPG", bad)
    with pytest.raises(
        DataError, match=r"were written without 'train/b/.*', which can be read now; write them into an"
    ):
        write(parts, folder, megabytes=1)


def test_shards_of_other_images_are_refused(settings: Settings, photos: Path, tmp_path: Path) -> None:
    parts, folder = read_parts(settings(dataset="folder", data_root=photos)), tmp_path / "shards"
    write(parts, folder, megabytes=1)
    with pytest.raises(DataError, match=r"holds shards of folder, not of table; choose another folder"):
        write(parts, folder, "table")
    turned = replace(parts, train=parts.train.subset(range(len(parts.train))[::-1]))
    with pytest.raises(
        DataError, match=r"shard-000000.tar holds 'train/a/.*', which is not what follows .* now; write"
    ):
        write(turned, folder)
    relabelled = replace(parts, train=replace(parts.train, class_names=["b", "a", "e", "f"]))
    with pytest.raises(DataError, match=r"which is not what follows in the data set now"):
        write(relabelled, folder)
    fewer = replace(parts, test=parts.test.subset(range(2)))
    with pytest.raises(DataError, match=r"which is not what follows in the data set now"):
        write(fewer, folder)
    with pytest.raises(DataError, match="holds other files and no shards of this program; choose an empty or new"):
        write(parts, photos)
    with filelock.FileLock(folder / ".lock"), pytest.raises(DataError, match="another process is writing shards"):
        write(parts, folder)
    (tmp_path / "a.tar").write_text("")
    with pytest.raises(DataError, match=r"cannot write shards into .*a.tar \(.*; what is finished stays: free"):
        write(parts, tmp_path / "a.tar")


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (lambda f: (f / "train/shard-000001.tar").unlink(), r"lacks 1 of the \d shards of train: 'train/shard-000001"),
        (
            lambda f: shutil.copy(f / "test/shard-000000.tar", f / "train/more.tar"),
            r"shards.json speaks of \d shards of train, but there are others: 'train/more.tar'; move them",
        ),
        (
            lambda f: shutil.copy(f / "train/shard-000000.tar", f / "train/shard-000001.tar"),
            r"image ids are not unique|images of train, but \d+ were written",
        ),
        (lambda f: (f / "shards.json").write_text("{"), r"shards.json is damaged; copy it again, or remove it"),
        (lambda f: (f / "shards.json").write_text('{"format": 9}'), r"shards.json is of format 9, not 1; write the"),
    ],
)
def test_folders_of_shards_that_are_not_whole_are_refused(
    settings: Settings, photos: Path, tmp_path: Path, spoil: Callable[[Path], Any], sentence: str
) -> None:
    folder = tmp_path / "shards"
    write(read_parts(settings(dataset="folder", data_root=photos)), folder, megabytes=1)
    spoil(folder)
    with pytest.raises(DataError, match=sentence):
        read_parts(settings(dataset="shards", data_root=folder))


def test_without_its_manifest_a_folder_reads_like_any_other(settings: Settings, photos: Path, tmp_path: Path) -> None:
    parts, folder = read_parts(settings(dataset="folder", data_root=photos)), tmp_path / "shards"
    write(parts, folder)
    (folder / "shards.json").unlink()
    found = read_parts(settings(dataset="shards", data_root=folder))
    assert found.train.ids[0] == "train/shard-000000/00000000"
    assert found.train.class_names == parts.train.class_names
    assert pickle.loads(pickle.dumps(found.train)).load(3).tobytes() == parts.train.load(3).tobytes()


# --- the command ----------------------------------------------------------------------------------------
def test_the_command_writes_shards_and_says_how_to_train(photos: Path, tmp_path: Path) -> None:
    words = ["data", "prepare", "folder", "--root", str(photos), "--out", str(tmp_path / "out")]
    result = CliRunner().invoke(main, [*words, "--shards", "--shard-mb", "1"])
    assert result.exit_code == 0, result.output
    assert "18 images written, 0 were there, 0 cannot be read" in result.output
    assert f"train with: dataset=shards data_root={tmp_path / 'out'}" in result.output
    parts = json.loads((tmp_path / "out" / "shards.json").read_text())["parts"]
    assert {name: part["images"] for name, part in parts.items()} == {"train": 6, "test": 6, "val": 6}
    checked = CliRunner().invoke(main, ["data", "check", "shards", "--root", str(tmp_path / "out")])
    assert checked.exit_code == 0, checked.output
    assert "12 images of 4 classes to train on and 6 of 2 to test on" in checked.output
    for more, sentence in (
        (["--shards", "--size", "64"], "--size is of a cache of decoded images"),
        (["--shard-mb", "5"], "--shard-mb is of shards; add --shards"),
    ):
        result = CliRunner().invoke(main, [*words, *more])
        assert (result.exit_code, sentence in result.output) == (1, True), result.output
