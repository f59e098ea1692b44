from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vptsp.data.folder import read_image, split_folders
from vptsp.data.image_set import Parts
from vptsp.data.unreadable import drop_bad
from vptsp.errors import DataError


def test_images_are_found_sorted_with_stable_ids(image_folder: Path) -> None:
    (image_folder / "train" / ".hidden").mkdir()
    (image_folder / "train" / "ant" / ".q_9.png").write_bytes(b"")
    (image_folder / "train" / "ant" / "notes.txt").write_text("not an image")
    train, test = split_folders("zoo", image_folder)
    assert (train.name, test.name) == ("zoo/train", "zoo/test")
    assert train.ids == tuple(f"train/{c}/{f}" for c in ("ant", "bee") for f in ("g_1.png", "g_2.png", "q_0.png"))
    assert train.labels.tolist() == [0, 0, 0, 1, 1, 1]
    assert train.class_names == ("ant", "bee")
    assert train.load(2).getpixel((0, 0)) == (20, 235, 7)


def test_odd_names_single_images_upper_case_and_links(tmp_path: Path) -> None:
    red = Image.new("RGB", (6, 5), (250, 0, 0))
    for folder in ("train/école d'été #1", "train/花", "train/a.b", "test/x y", "test/ß"):
        (tmp_path / folder).mkdir(parents=True)
        red.save(tmp_path / folder / "Ünïcode %20.PNG")
    (tmp_path / "elsewhere").mkdir()
    red.save(tmp_path / "elsewhere" / "one.png")
    (tmp_path / "train" / "linked").symlink_to(tmp_path / "elsewhere")
    train, _ = split_folders("odd", tmp_path)
    assert set(train.class_names) == {"école d'été #1", "花", "a.b", "linked"}
    assert all(train.load(p).size == (6, 5) for p in range(len(train)))


def test_file_names_that_are_no_utf8_can_be_written_out(tmp_path: Path) -> None:
    for split in ("train", "test"):
        folder = tmp_path / split / split
        folder.mkdir(parents=True)
        try:
            Image.new("L", (3, 3)).save(folder / "plain.png")
            (folder / "plain.png").rename(folder / "odd\udcff.png")
        except OSError:
            pytest.skip("this file system takes UTF-8 names only")
    train, _ = split_folders("odd", tmp_path)
    assert train.ids[0].encode("utf-8") == rb"train/train/odd\udcff.png"
    assert train.load(0).size == (3, 3)


def image_of_mode(mode: str, path: Path) -> tuple[Path, tuple[int, int, int]]:
    """A file of a uniform image in ``mode``, and its colour as 8-bit RGB."""
    if mode == "16 bit":
        path = path.with_suffix(".png")
        Image.fromarray(np.full((4, 4), 200 * 257, np.uint16)).save(path)
        return path, (200, 200, 200)
    if mode == "P transparent":
        path = path.with_suffix(".png")
        Image.new("P", (4, 4), 0).save(path, transparency=0)
        return path, (255, 255, 255)
    colours: dict[str, tuple] = {
        "1": (1, "png", (255, 255, 255)),
        "L": (200, "png", (200, 200, 200)),
        "LA": ((10, 0), "png", (255, 255, 255)),
        "RGBA": ((10, 20, 30, 0), "png", (255, 255, 255)),
        "CMYK": ((0, 0, 0, 255), "tiff", (0, 0, 0)),
        "P": (0, "png", (0, 0, 0)),
    }
    value, kind, expected = colours[mode]
    image = Image.new(mode, (4, 4), value)
    if mode == "P":
        image.putpalette([0, 0, 0, 9, 9, 9])
    path = path.with_suffix(f".{kind}")
    image.save(path)
    return path, expected


@pytest.mark.parametrize("mode", ["1", "L", "LA", "RGBA", "CMYK", "P", "P transparent", "16 bit"])
def test_every_pillow_mode_becomes_rgb(tmp_path: Path, mode: str) -> None:
    path, expected = image_of_mode(mode, tmp_path / "image")
    image = read_image(path)
    assert image.mode == "RGB"
    assert image.getpixel((1, 1)) == expected


def test_photographs_are_turned_upright(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned by 90 degrees
    Image.new("RGB", (8, 4)).save(tmp_path / "turned.jpg", exif=exif)
    assert read_image(tmp_path / "turned.jpg").size == (4, 8)


def spoil(folder: Path) -> list[str]:
    """Three unreadable images: empty, cut off, and a link to nothing; their ids."""
    (folder / "train/ant/g_1.png").write_bytes(b"")
    noise = np.random.default_rng(0).integers(0, 256, (32, 32, 3)).astype(np.uint8)
    Image.fromarray(noise).save(folder / "train/bee/cut.jpg")
    cut = folder / "train/bee/cut.jpg"
    cut.write_bytes(cut.read_bytes()[:-300])
    (folder / "train/bee/gone.png").symlink_to(folder / "nowhere.png")
    return ["train/ant/g_1.png", "train/bee/cut.jpg", "train/bee/gone.png"]


def test_unreadable_images_are_named_or_dropped(image_folder: Path) -> None:
    bad = spoil(image_folder)
    train, test = split_folders("zoo", image_folder)
    for image_id in bad:
        with pytest.raises(DataError, match=rf"cannot read the image .*{image_id}.*skip_bad=true"):
            train.load(train.ids.index(image_id))
    parts, dropped = drop_bad(Parts(train, test))
    kept = parts.train
    assert dropped == bad
    assert parts.test.ids == test.ids
    assert set(kept.ids) == set(train.ids) - set(bad)
    assert [kept.load(p).size for p in range(len(kept))] == [(20, 24)] * len(kept)


def test_a_class_of_bad_images_only_disappears(image_folder: Path) -> None:
    for path in (image_folder / "train" / "ant").iterdir():
        path.write_bytes(b"not a picture")
    parts = Parts(*split_folders("zoo", image_folder))
    rest, dropped = drop_bad(parts)
    kept = rest.train
    assert (kept.class_names, kept.labels.tolist(), len(dropped)) == (("bee",), [0, 0, 0], 3)
    for path in (image_folder / "train" / "bee").iterdir():
        path.write_bytes(b"not a picture")
    with pytest.raises(DataError, match="none of the 6 images"):
        drop_bad(parts)


def test_missing_folders_and_empty_classes_are_named(image_folder: Path) -> None:
    (image_folder / "train" / "empty one").mkdir()
    with pytest.raises(DataError, match=r"no images in the class folder .*empty one"):
        split_folders("zoo", image_folder)
    (image_folder / "test").rename(image_folder / "tests")
    with pytest.raises(DataError, match="no folder 'test'"):
        split_folders("zoo", image_folder)
    (image_folder / "test").mkdir()
    (image_folder / "train" / "empty one").rmdir()
    with pytest.raises(DataError, match="no class folders"):
        split_folders("zoo", image_folder)


def test_class_folders_without_a_split_are_sent_to_photos(image_folder: Path) -> None:
    with pytest.raises(DataError, match=r"no folder 'test', 'train'; .* use dataset=photos$"):
        split_folders("zoo", image_folder / "train")
    with pytest.raises(DataError, match=r"<class>/<image>$"):  # no folders in it at all
        split_folders("zoo", image_folder / "train" / "ant")
