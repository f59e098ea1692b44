"""WebDataset shards of any origin: read as a list of images, or refused in one sentence."""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import pickle
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as of_hypothesis
from hypothesis import strategies as st
from PIL import Image
from tars import picture, write_set, write_tar

import vptsp.data.shard_index
import vptsp.data.shard_loader
from vptsp.data import load_data
from vptsp.data.check import Findings, check
from vptsp.data.load_splits import read_parts
from vptsp.data.shard_index import NAME, indexed
from vptsp.data.tar_index import TarIndex, read_tar
from vptsp.errors import ConfigError, DataError, DataWarning

Settings = Callable[..., SimpleNamespace]


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("VPTSP_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def shade(image: Image.Image) -> int:
    found = image.getpixel((3, 3))
    assert isinstance(found, tuple)
    return int(found[0])


# --- what is read ---------------------------------------------------------------------------------------
@pytest.mark.parametrize("kind", ["cls", "json", "txt"])
def test_samples_are_images_with_labels(settings: Settings, tmp_path: Path, kind: str) -> None:
    splits = load_data(settings(dataset="shards", data_root=write_set(tmp_path / "birds", kind)))
    assert (splits.train.name, splits.train.class_names) == ("birds/train", ("ant", "bee"))
    assert splits.test.class_names == ("cow", "dog")
    assert splits.train.ids == tuple(f"train/0/{n:04d}" for n in range(4))
    assert splits.test.labels.tolist() == [0, 0, 1, 1]
    assert [shade(splits.test.load(n)) for n in range(4)] == [100, 110, 120, 130]
    assert splits.test.is_query is None


def test_numbers_are_classes_in_their_own_order(settings: Settings, tmp_path: Path) -> None:
    splits = load_data(settings(dataset="shards", data_root=write_set(tmp_path, names=("9\n", "10", "2", "007"))))
    assert (splits.train.class_names, splits.test.class_names) == (("9", "10"), ("2", "007"))
    assert splits.train.labels.tolist() == [0, 0, 1, 1]


def test_parts_are_told_by_folders_or_by_names(settings: Settings, tmp_path: Path) -> None:
    write_set(tmp_path / "source")
    root = tmp_path / "shards"
    root.mkdir()
    for part in ("train", "test"):
        content = (tmp_path / "source" / part / "0.tar").read_bytes()
        (root / f"imagenet1k-{part}-000000.tar").write_bytes(content)
        (root / f"imagenet1k-{part}-000001.tar").write_bytes(content)
    (root / "more-000000.tar").write_bytes(content)
    (root / "README.md").write_text("read me")
    (root / "train" / "deep").mkdir(parents=True)
    (root / "train" / "deep" / "0.tar").write_bytes(content)
    with pytest.warns(DataWarning, match=r"'README.md' \(no tar\).*'more-000000.tar'.*do not say.*train/deep/0"):
        splits = load_data(settings(dataset="shards", data_root=root))
    assert len(splits.train) == 8
    assert splits.train.ids[4] == "train/imagenet1k-train-000001/0000"
    assert [passed.path for passed in splits.passed_over] == ["README.md", "more-000000.tar", "train/deep/0.tar"]


@pytest.mark.parametrize("place", ["valid/0.tar", "birds_validation_0.tar"])
def test_validation_shards_select_or_join_train_or_stand_for_the_test(
    settings: Settings, tmp_path: Path, place: str
) -> None:
    write_set(tmp_path)
    write_tar(tmp_path / place, {f"{n}.{e}": c for n in "abcd" for e, c in (("jpg", picture(9, "jpg")), ("cls", b"x"))})
    write_tar(tmp_path / "val/2.tar", {"z.jpg": picture(9, "jpg"), "z.cls": b"y"})
    apart = load_data(settings(dataset="shards", data_root=tmp_path, val_fraction=0.5))
    assert apart.val is not None
    assert (apart.val.class_names, len(apart.val)) == (("x", "y"), 5)
    joined = load_data(settings(dataset="shards", data_root=tmp_path))
    assert joined.val is None
    assert joined.train.class_names == ("ant", "bee", "x", "y")
    assert joined.train.ids == (*apart.train.ids, *apart.val.ids)
    (tmp_path / "test/0.tar").unlink()
    with pytest.warns(DataWarning, match="no shards of test, so those of validation are the test images"):
        assert load_data(settings(dataset="shards", data_root=tmp_path)).test.class_names == ("x", "y")


def test_keys_end_at_the_first_dot_of_the_name_and_keep_their_folders(settings: Settings, tmp_path: Path) -> None:
    write_set(tmp_path)
    members = [
        ("./v1.5/", b""),
        ("./v1.5/a.PNG", picture(1)),
        ("./v1.5/a.cls", b"ant"),
        ("b.small.jpg", picture(3, "jpg")),  # the only image of its sample
        ("b.cls", b"bee"),
        ("c.mask.png", picture(99)),
        ("c.jpg", picture(4, "jpg")),
        (".hidden.png", picture(99)),
        ("no_ending", b""),
        ("c.cls", b"ant"),  # its neighbours do not cut the sample in two
    ]
    write_tar(tmp_path / "train/0.tar", members)
    train = load_data(settings(dataset="shards", data_root=tmp_path)).train
    assert train.ids == ("train/0/v1.5/a", "train/0/b", "train/0/c")
    assert [train.class_names[label] for label in train.labels] == ["ant", "bee", "ant"]
    assert [round(shade(train.load(n))) for n in range(3)] == pytest.approx([1, 3, 4], abs=2)


def test_which_key_is_the_label_can_be_said(settings: Settings, tmp_path: Path) -> None:
    write_set(tmp_path)
    for part, first in (("train", 0), ("test", 2)):
        members: dict[str, bytes] = {}
        for n in range(4):
            about = {"label": n // 2 + first, "label_name": f"n{n // 2 + first}", "maker": f"m{n % 2 + first}"}
            members |= {f"{n}.png": picture(n), f"{n}.json": json.dumps(about).encode()}
        write_tar(tmp_path / part / "0.tar", members)
    config = settings(dataset="shards", data_root=tmp_path)
    assert load_data(config).train.class_names == ("n0", "n1")  # names before numbers
    config.label_column = "maker"
    splits = load_data(config)
    assert (splits.train.class_names, splits.test.class_names) == (("m0", "m1"), ("m2", "m3"))
    config.label_column = "colour"
    with pytest.raises(ConfigError, match=r"label_column='colour' is no key .* they have label, label_name, maker"):
        load_data(config)


def test_queries_and_gallery_are_read_with_the_test_images(settings: Settings, tmp_path: Path) -> None:
    write_set(tmp_path, "json")
    members: dict[str, bytes] = {}
    for n in range(4):
        about = {"label": f"{n // 2}", "is_query": n % 2, "is_gallery": n % 2 == 0}
        members |= {f"{n}.png": picture(n), f"{n}.json": json.dumps(about).encode()}
    write_tar(tmp_path / "test/0.tar", members)
    test = load_data(settings(dataset="shards", data_root=tmp_path)).test
    assert test.is_query is not None
    assert test.is_gallery is not None
    assert (test.is_query.tolist(), test.is_gallery.tolist()) == ([False, True] * 2, [True, False] * 2)
    members["2.json"] = b'{"label": "1"}'
    write_tar(tmp_path / "test/0.tar", members)
    with pytest.raises(DataError, match=r"is_query of a test sample must be 0 or 1, not None; give is_query and is_g"):
        load_data(settings(dataset="shards", data_root=tmp_path))


def test_images_are_turned_upright_and_counted(settings: Settings, tmp_path: Path) -> None:
    write_set(tmp_path)
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (20, 10)).save(tmp_path / "turned.jpg", exif=exif)
    content = (tmp_path / "turned.jpg").read_bytes()
    write_tar(tmp_path / "train/1.tar", {"t.jpg": content, "t.cls": b"ant"})
    parts = read_parts(settings(dataset="shards", data_root=tmp_path))
    assert parts.train.load(4).size == (10, 20)
    *_, found = check(parts)
    assert isinstance(found, Findings)
    assert (found.turned, found.unreadable) == (1, {})


def test_samples_without_an_image_are_passed_over(settings: Settings, tmp_path: Path) -> None:
    write_set(tmp_path)
    write_tar(
        tmp_path / "train/1.tar", {"a.cls": b"ant", "b.cr2": b"raw", "b.cls": b"bee", "c.jpg": b"", "c.cls": b"x"}
    )
    with pytest.warns(DataWarning, match=r"'train/1.tar: a' \(a sample without an im.*'train/1.tar: b' \(a camera"):
        splits = load_data(settings(dataset="shards", data_root=tmp_path, skip_bad=True))
    assert splits.skipped == ["train/1/c"]
    assert splits.train.class_names == ("ant", "bee")


# --- what is refused ------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("members", "sentence"),
    [
        (
            {"a.png": picture(1), "b.png": picture(2), "b.cls": b"x"},
            r"1 of 2 samples have no label \(.cls\), the firs",
        ),
        ({"a.png": picture(1), "a.cls": b" \n"}, r"1 of 1 samples have no label \(.cls\), the first is a; write the"),
        ([("a.png", b""), ("a.png", b""), ("a.cls", b"x")], r"holds a.png twice; a sample has one file of each ending"),
        ([("a.png", b""), ("a.PNG", b"")], r"holds a.png twice"),
        ({"a.png": b"", "a.jpg": b"", "a.cls": b"x"}, r"the sample a has several images \(a.png, a.jpg\), and which"),
        ({"a.png": picture(1), "a.json": b"{"}, r"0.tar: a.json is no JSON \(.*\); write the shard again"),
        ({"a.cls": b"x"}, r"the shards of train hold no images; legal endings: jpg, png"),
        ({}, r"the shards of train hold no images"),
    ],
)
def test_samples_that_cannot_be_used_are_refused(
    settings: Settings, tmp_path: Path, members: Any, sentence: str
) -> None:
    write_set(tmp_path)
    write_tar(tmp_path / "train/0.tar", members)
    with pytest.raises(DataError, match=sentence):
        load_data(settings(dataset="shards", data_root=tmp_path))


@pytest.mark.parametrize(
    ("label", "sentence"),
    [
        (b"{}", r"4 of 4 samples have no label \(label in its .json\)"),
        (b'{"label": ["a", "b"]}', r"the label of 0000 cannot be used: a label is \[.*an image has one class"),
    ],
)
def test_labels_that_are_none_are_refused(settings: Settings, tmp_path: Path, label: bytes, sentence: str) -> None:
    write_set(tmp_path, "json")
    members = {f"000{n}.{e}": c for n in range(4) for e, c in (("png", picture(n)), ("json", label))}
    write_tar(tmp_path / "train/0.tar", members)
    with pytest.raises(DataError, match=sentence):
        load_data(settings(dataset="shards", data_root=tmp_path))


def test_no_labels_at_all_are_refused(settings: Settings, tmp_path: Path) -> None:
    for part in ("train", "test"):
        write_tar(tmp_path / part / "0.tar", {"a.png": picture(1), "a.json": b'{"width": 3}', "b.png": picture(2)})
    with pytest.raises(DataError, match=r"have no labels; legal: a file KEY.cls, KEY.txt, or KEY.json with one of la"):
        load_data(settings(dataset="shards", data_root=tmp_path))


def spoilt(content: bytes, how: str) -> bytes:
    return {
        "gzip": gzip.compress(content),
        "empty": b"",
        "text": b"no tar " * 200,
        "pointer": b"version https://git-lfs.github.com/spec/v1\noid sha256:1\n",
        "in a header": content[:700],
        "in an image": content[:800],
        "between samples": content[: content.index(b"0002.png")],
        "no end": content.rstrip(b"\0") + bytes(-len(content.rstrip(b"\0")) % 512),
        "garbage": content[: content.index(b"0002.png")] + b"x" * 5000,
    }[how]


@pytest.mark.parametrize(
    ("how", "sentence"),
    [
        ("gzip", r"0.tar is compressed \(gzip\), so that images in it cannot be read one by one; decompress it"),
        ("empty", r"0.tar is no tar \(.*\); replace it by a shard, or remove it"),
        ("text", r"0.tar is no tar"),
        ("pointer", r"is a Git LFS pointer and not the file itself; fetch it with git lfs pull"),
        ("in a header", r"0.tar is cut off or damaged: the end of a tar is missing; copy or write it again"),
        ("in an image", r"0.tar is cut off or damaged"),
        ("between samples", r"0.tar is cut off or damaged"),
        ("no end", r"0.tar is cut off or damaged"),
        ("garbage", r"0.tar is cut off or damaged"),
    ],
)
def test_tars_that_are_none_or_not_whole_are_refused(
    settings: Settings, tmp_path: Path, how: str, sentence: str
) -> None:
    file = write_set(tmp_path) / "train/0.tar"
    file.write_bytes(spoilt(file.read_bytes(), how))
    with pytest.raises(DataError, match=sentence):
        load_data(settings(dataset="shards", data_root=tmp_path))


def test_folders_that_hold_no_shards_are_refused(settings: Settings, tmp_path: Path) -> None:
    config = settings(dataset="shards", data_root=tmp_path)
    with pytest.raises(
        DataError, match=r"has no shards \(.tar\) of 'test', 'train'; for dataset=shards data_root must hold train/"
    ):
        load_data(config)
    write_set(tmp_path)
    (tmp_path / "test/0.tar").unlink()
    with pytest.raises(DataError, match=r"has no shards \(.tar\) of 'test'"):
        load_data(config)
    (tmp_path / "test/0.tar.gz").write_bytes(b"")
    with pytest.raises(DataError, match=r"0.tar.gz is compressed, so that .* decompress it"):
        load_data(config)


# --- the index ------------------------------------------------------------------------------------------
@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the tars that were read through."""
    found: list[str] = []

    def read(path: Path, wanted: Any) -> TarIndex:
        found.append(f"{path.parent.name}/{path.name}")
        return read_tar(path, wanted)

    monkeypatch.setattr(vptsp.data.shard_index, "read_tar", read)
    return found


def test_a_tar_is_read_through_once_and_again_when_it_changes(
    settings: Settings, tmp_path: Path, reads: list[str]
) -> None:
    config = settings(dataset="shards", data_root=write_set(tmp_path / "shards"))
    first = load_data(config)
    assert sorted(reads) == ["test/0.tar", "train/0.tar"]
    assert load_data(config).train.ids == first.train.ids
    assert len(reads) == 2
    write_tar(tmp_path / "shards/train/0.tar", {"n.png": picture(77), "n.cls": b"a", "o.png": b"", "o.cls": b"b"})
    later = load_data(config)
    assert reads[2:] == ["train/0.tar"]
    assert later.train.ids == ("train/0/n", "train/0/o")
    assert shade(later.train.load(0)) == 77
    (tmp_path / "shards").rename(tmp_path / "moved")
    config.data_root = tmp_path / "moved"
    assert shade(load_data(config).train.load(0)) == 77
    assert len(reads) == 3
    config.label_column = "x"  # of which the index knows nothing
    with pytest.raises(ConfigError, match=r"label_column='x' .* they have no keys"):
        load_data(config)
    assert len(reads) == 5


@pytest.mark.parametrize("damage", ["", "{}\n", '{"format": 1, "wanted": ', "\x00\n"])
def test_a_damaged_index_is_made_again(settings: Settings, tmp_path: Path, reads: list[str], damage: str) -> None:
    config = settings(dataset="shards", data_root=write_set(tmp_path))
    before = load_data(config).train.ids
    whole = (tmp_path / NAME).read_text()
    for text in (damage, whole[: len(whole) // 2]):
        (tmp_path / NAME).write_text(text)
        assert load_data(config).train.ids == before
        assert (tmp_path / NAME).read_text() == whole
    assert len(reads) > 4


def test_where_nothing_can_be_written_the_index_is_kept_elsewhere(
    settings: Settings, tmp_path: Path, own_cache: Path, reads: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    config = settings(dataset="shards", data_root=write_set(tmp_path / "shards"))
    (tmp_path / "shards" / NAME).mkdir()  # nobody can write a file of this name, not even root
    for _ in range(2):
        assert len(load_data(config).train) == 4
    assert len(reads) == 2
    assert len(list((own_cache / "shards").iterdir())) == 1
    blocked = tmp_path / "file"
    blocked.write_text("")
    monkeypatch.setenv("VPTSP_CACHE", str(blocked))
    for _ in range(2):
        assert len(load_data(config).train) == 4
    assert len(reads) == 6  # nothing is kept, and nothing is wrong


# --- the loader -----------------------------------------------------------------------------------------
def many(root: Path, count: int) -> Path:
    for n in range(count):
        write_tar(root / f"train/{n:03d}.tar", {"a.png": picture(n), "a.cls": str(n % 2).encode()})
    write_tar(root / "test/0.tar", {f"{n}.{e}": c for n in "23" for e, c in (("png", picture(1)), ("cls", n.encode()))})
    return root


def test_more_tars_than_may_be_open_are_read_from_several_threads(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vptsp.data.shard_loader, "_OPEN", 3)
    train = load_data(settings(dataset="shards", data_root=many(tmp_path, 12))).train
    before = len(os.listdir("/proc/self/fd")) if Path("/proc/self/fd").exists() else 0
    wrong: list[int] = []

    def read(seed: int) -> None:
        for n in np.random.default_rng(seed).integers(0, 12, 100).tolist():
            wrong.extend([n] if shade(train.load(n)) != n else [])

    threads = [threading.Thread(target=read, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    if before:
        assert len(os.listdir("/proc/self/fd")) <= before + 4
    again = pickle.loads(pickle.dumps(train))
    assert again.load.opened == {}
    assert [shade(again.load(n)) for n in range(12)] == list(range(12))


def test_a_tar_that_is_lost_or_cut_off_later_is_named(settings: Settings, tmp_path: Path) -> None:
    write_set(tmp_path)
    pointer = b"version https://git-lfs.github.com/spec/v1"
    write_tar(tmp_path / "train/1.tar", {"b.png": b"no image", "b.cls": b"ant", "p.png": pointer, "p.cls": b"bee"})
    train = load_data(settings(dataset="shards", data_root=tmp_path)).train
    with pytest.raises(DataError, match=r"cannot read the image b.png of .*/1.tar \(cannot identify image file\); rep"):
        train.load(4)
    with pytest.raises(DataError, match=r"p.png of .*1.tar \(it is a Git LFS pointer"):
        train.load(5)
    os.truncate(tmp_path / "train/0.tar", 800)
    with pytest.raises(DataError, match=r"0.tar ends before its image 0003.png: it was cut off after its index was"):
        train.load(3)
    (tmp_path / "train/0.tar").unlink()
    with pytest.raises(DataError, match=r"cannot read the shard .*0.tar \(No such file"):
        pickle.loads(pickle.dumps(train)).load(0)


# --- against the package webdataset ---------------------------------------------------------------------
names = st.sampled_from(("a", "b", "é", "x y", "0001", "d/a", "v1.0/a", "e/é", "A"))
endings = st.sampled_from(("jpg", "png", "cls", "txt", "json", "seg.png", "JPG", "bin", "mp4"))


@st.composite
def samples(draw: st.DrawFn) -> list[tuple[str, bytes]]:
    """Members of a tar, the files of a key side by side, as webdataset wants them."""
    found: list[tuple[str, bytes]] = []
    for key in draw(st.lists(names, unique=True, max_size=6)):
        for ending in draw(st.lists(endings, unique_by=str.lower, max_size=4)):
            text = draw(st.sampled_from(("1", " 2 ", "ä", "")))
            content = json.dumps({"label": text, "other": 3}) if ending == "json" else text
            found.append((f"{key}.{ending}", content.encode()))
    return found


@of_hypothesis(max_examples=60, deadline=None)
@given(samples())
def test_an_index_says_what_webdataset_reads(tmp_path_factory: pytest.TempPathFactory, members: list[Any]) -> None:
    file = write_tar(tmp_path_factory.mktemp("any") / "0.tar", members)
    expected = list(webdataset_samples(file))
    tar = read_tar(file, ("label",))
    assert tar.keys == [sample["__key__"] for sample in expected]
    content = file.read_bytes()
    for number, sample in enumerate(expected):
        for ending in ("jpg", "png", "seg.png"):
            numbers, offsets, sizes = tar.images.get(ending, ([], [], []))
            assert (number in numbers) == (ending in sample)
            if number in numbers:
                at = numbers.index(number)
                assert content[offsets[at] : offsets[at] + sizes[at]] == sample[ending]
        for kind in ("cls", "txt"):
            found = tar.texts.get(kind, [None] * len(expected))[number]
            assert found == (sample[kind].decode().strip() if kind in sample else None)
        label = tar.texts.get("json:label", [None] * len(expected))[number]
        assert label == (json.loads(sample["json"])["label"] if "json" in sample else None)


def webdataset_samples(file: Path) -> Iterator[dict[str, Any]]:
    """As the package of that name reads a tar, undecoded."""
    webdataset = pytest.importorskip("webdataset")
    found = webdataset.WebDataset(str(file), shardshuffle=False, empty_check=False)
    yield from found


def test_what_webdataset_writes_is_read(settings: Settings, tmp_path: Path) -> None:
    webdataset = pytest.importorskip("webdataset")
    pixels = np.random.default_rng(0).integers(0, 256, (8, 20, 24, 3)).astype(np.uint8)
    for part, first in (("train", 0), ("test", 4)):
        (tmp_path / part).mkdir()
        with webdataset.ShardWriter(str(tmp_path / part / "%04d.tar"), maxcount=3, verbose=0) as writer:
            for n in range(first, first + 4):
                writer.write({"__key__": f"k{n}", "png": pixels[n], "cls": n // 2, "json": {"caption": "a bird"}})
    splits = load_data(settings(dataset="shards", data_root=tmp_path))
    assert splits.train.ids == ("train/0000/k0", "train/0000/k1", "train/0000/k2", "train/0001/k3")
    assert (splits.train.class_names, splits.test.class_names) == (("0", "1"), ("2", "3"))
    for n in range(8):
        images = splits.train if n < 4 else splits.test
        assert np.array_equal(np.asarray(images.load(n % 4)), pixels[n])


# --- anything at all ------------------------------------------------------------------------------------
@of_hypothesis(max_examples=60, deadline=None)
@given(st.binary(max_size=1500), st.integers(0, 8000), st.booleans())
def test_any_bytes_are_an_index_or_a_sentence(
    tmp_path_factory: pytest.TempPathFactory, noise: bytes, at: int, alone: bool
) -> None:
    """Bytes of a good tar overwritten: never anything but the samples or one sentence."""
    folder = tmp_path_factory.mktemp("noise")
    content = write_tar(folder / "0.tar", {"a.png": picture(1), "a.cls": b"x", "b.json": b"{}"}).read_bytes()
    at %= len(content)
    (folder / "0.tar").write_bytes(noise if alone else content[:at] + noise + content[at + len(noise) :])
    with contextlib.suppress(DataError):
        found = indexed(folder, ["0.tar"], ())["0.tar"]
        size = (folder / "0.tar").stat().st_size
        for _, offsets, sizes in found.images.values():
            assert all(at >= 0 and at + length <= size for at, length in zip(offsets, sizes, strict=True))
