"""Damaged copies of published data sets: every one is refused in one sentence that says where and what."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import replicas
from PIL import Image
from replicas import REPLICAS
from scipy.io import savemat

from vptsp.data import DATASETS, load_data
from vptsp.data.published_counts import Counts
from vptsp.errors import DataError

Settings = Callable[..., SimpleNamespace]
Expect = Callable[[str, Counts], None]


def edit(file: str, change: Callable[[str], str]) -> Callable[[Path], None]:
    def damage(root: Path) -> None:
        text = (root / file).read_text(encoding="utf-8")
        changed = change(text)
        assert changed != text
        (root / file).write_text(changed, encoding="utf-8")

    return damage


def drop_line(number: int) -> Callable[[str], str]:
    return lambda text: "".join(line for n, line in enumerate(text.splitlines(True), 1) if n != number)


def swap(first: int, second: int) -> Callable[[str], str]:
    def change(text: str) -> str:
        rows = [line.split() for line in text.splitlines()]
        for row in rows:
            row[first], row[second] = row[second], row[first]
        return "\n".join(" ".join(row) for row in rows)

    return change


def remove(file: str) -> Callable[[Path], None]:
    return lambda root: (root / file).unlink()


def mat(file: str, **content: object) -> Callable[[Path], None]:
    return lambda root: savemat(root / file, content)


CUB, LISTS, EBAY = "CUB_200_2011", "Inat_dataset_splits", "Stanford_Online_Products/Ebay_train.txt"
IN_SHOP = "Eval/list_eval_partition.txt"
DAMAGE = {
    "missing list": (
        "cub",
        remove(f"{CUB}/images.txt"),
        r"images.txt is not there; for dataset=cub data_root must hold",
    ),
    "missing line": (
        "cub",
        edit(f"{CUB}/image_class_labels.txt", drop_line(5)),
        r"images.txt and image_class_labels.txt in .* do not list the same images: 1 are in only one .* '5'",
    ),
    "missing lines": (
        "cub",
        lambda root: [edit(f"{CUB}/{f}.txt", drop_line(5))(root) for f in ("images", "image_class_labels")],
        r"cub: expected 8 images of 2 classes .* found 7 images of 2 classes",
    ),
    "swapped columns": (
        "cub",
        edit(f"{CUB}/image_class_labels.txt", lambda t: "\n".join(" ".join(x.split()[::-1]) for x in t.splitlines())),
        r"two lines for '1'|do not list the same images",
    ),
    "swapped path": (
        "cub",
        edit(f"{CUB}/classes.txt", swap(0, 1)),
        r"classes.txt, line 1: expected 'class_id name', found '001.Bird_1 1'",
    ),
    "line twice": (
        "cub",
        edit(f"{CUB}/images.txt", lambda t: t + t.splitlines()[0]),
        r"images.txt has two lines for '1'; restore",
    ),
    "unknown class": (
        "cub",
        edit(f"{CUB}/classes.txt", drop_line(4)),
        r"image_class_labels.txt uses class 4, which classes.txt does not name",
    ),
    "missing image": (
        "cub",
        lambda root: next((root / CUB / "images").rglob("*.jpg")).unlink(),
        r"cub: 1 of the 16 listed images are not there: .*Bird \d.jpg'; put them there, .* or set skip_bad=true",
    ),
    "no UTF-8": (
        "cub",
        lambda root: (root / CUB / "images.txt").write_bytes(b"1 caf\xe9.jpg\n"),
        r"images.txt is not text in UTF-8",
    ),
    "split flag": (
        "fgvc_cub",
        edit(f"{CUB}/train_test_split.txt", lambda t: t.replace("1 1\n", "1 7\n", 1)),
        r"train_test_split.txt: expected 1 \(train\) or 0 \(test\) for each image, found 7",
    ),
    "header": (
        "sop",
        edit(EBAY, lambda t: t.replace("image_id class_id", "class_id image_id")),
        r"Ebay_train.txt, line 1: expected the column names 'image_id class_id super_class_id path', found 'class_id",
    ),
    "no header": ("sop", edit(EBAY, drop_line(1)), r"Ebay_train.txt, line 1: expected the column names"),
    "path first": (
        "sop",
        edit(EBAY, lambda t: t.replace("1 1 2 ", "bicycle_final/x.JPG 1 2 ", 1)),
        r"Ebay_train.txt, line 2: expected 'image_id class_id super_class_id path', found 'bicycle_final/x.JPG 1 2",
    ),
    "short line": ("sop", edit(EBAY, lambda t: t + "99 3\n"), r"Ebay_train.txt, line 11: expected .* found '99 3'"),
    "class on both sides": (
        "sop",
        edit("Stanford_Online_Products/Ebay_test.txt", lambda t: t.replace(" 5 2 bicycle", " 1 2 bicycle")),
        r"1 of the classes are in both train and test: 'bicycle/1'",
    ),
    "announced number": ("inshop", edit(IN_SHOP, drop_line(7)), r"partition.txt announces 14 images, but lists 13"),
    "no number": ("inshop", edit(IN_SHOP, drop_line(1)), r"line 1: expected the number of images, found 'image_name"),
    "status": (
        "inshop",
        edit(IN_SHOP, lambda t: t.replace("gallery", "galery", 1)),
        r"status of train.* found 'galery'",
    ),
    "query alone": (
        "inshop",
        edit(IN_SHOP, lambda t: t.replace("gallery", "query  ", 1)),
        r"1 items have query images and no gallery image: 'id_00000002'",
    ),
    "in-shop columns": (
        "inshop",
        edit(IN_SHOP, lambda t: t.replace("image_name item_id", "item_id image_name")),
        r"line 2: expected the column names",
    ),
    "no folders": (
        "inaturalist",
        edit(f"{LISTS}/Inaturalist_train_set1.txt", lambda t: "image.jpg\n" + t),
        r"expected lines 'train_val2018/<group>/<species>/<image>', found 'image.jpg'",
    ),
    "listed twice": (
        "inaturalist",
        edit(f"{LISTS}/Inaturalist_train_set1.txt", lambda t: t + t.splitlines()[0]),
        r"inaturalist/train: 'train_val2018/Aves/2761/0+.jpg' is listed twice",
    ),
    "no annotations": (
        "cars one file",
        mat("cars_annos.mat", class_names=[]),
        r"cars_annos.mat has no field 'annotations'",
    ),
    "not MATLAB": (
        "cars one file",
        lambda root: (root / "cars_annos.mat").write_bytes(b"MATLAB 5.0 but cut off"),
        r"cars_annos.mat cannot be read as a MATLAB file \(.*restore",
    ),
    "test without labels": (
        "cars devkit",
        mat(
            "cars_test_annos_withlabels.mat", annotations=replicas.annotations([{"fname": "1.jpg"}, {"fname": "2.jpg"}])
        ),
        r"cars_test_annos_withlabels.mat has no field 'class'",
    ),
    "labels not there": (
        "cars devkit",
        remove("cars_test_annos_withlabels.mat"),
        r"cars_test_annos_withlabels.mat is not there; for dataset=cars data_root must hold cars_annos.mat",
    ),
    "class out of range": (
        "cars one file",
        mat(
            "cars_annos.mat",
            class_names=np.array(["a", "b"], dtype=object),
            annotations=replicas.annotations([{"relative_im_path": "x.jpg", "class": c, "test": 0} for c in (1, 5)]),
        ),
        r"class 5 is none of the 2 classes",
    ),
    "stray class folder": (
        "cars folders",
        lambda root: replicas.picture(root / "car_data/0 my photos/x.jpg"),
        r"cars: expected 8 images of 2 classes .* found",
    ),
    "no folder of classes": (
        "fgvc_cars folders",
        lambda root: (root / "car_data").rename(root / ".hidden"),
        r"has no class folders|cars_annos.mat is not there",
    ),
    "flower labels": (
        "fgvc_flowers",
        mat("flowers-102/imagelabels.mat", labels=[[1, 200]]),
        r"labels must lie in 1..102",
    ),
    "flower images": (
        "fgvc_flowers",
        mat("flowers-102/setid.mat", trnid=[[99]], valid=[[1]], tstid=[[2]]),
        r"trnid names an image that imagelabels.mat does not label",
    ),
    "dog list": ("fgvc_dogs", remove("lists/train_list.mat"), r"train_list.mat is not there; for dataset=fgvc_dogs"),
    "vtab label": (
        "vtab",
        edit("kitti/test.txt", lambda t: t.replace(" 3\n", " 4\n")),
        r"test.txt: label 4 is none of the 4 classes 0..3",
    ),
    "vtab columns": (
        "vtab",
        edit("kitti/val200.txt", swap(0, -1)),
        r"val200.txt, line 1: expected 'path label', found",
    ),
}


@pytest.mark.parametrize("case", DAMAGE)
def test_damage_is_told_in_one_sentence(settings: Settings, expect: Expect, tmp_path: Path, case: str) -> None:
    layout, damage, sentence = DAMAGE[case]
    name, build, counts = REPLICAS[layout]
    expect(name, counts)
    task = "recognition" if DATASETS[name].task == "recognition" else "retrieval"
    # With validation images asked for, so that the lists that hold them are read as such.
    val_fraction = 0.1 if task == "recognition" else 0.0
    config = settings(dataset=name, task=task, data_root=build(tmp_path), val_fraction=val_fraction)
    load_data(config)
    damage(tmp_path)
    with pytest.raises(DataError) as caught:
        load_data(config)
    assert re.search(sentence, str(caught.value)), caught.value
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", [n for n, source in DATASETS.items() if source.root == "folder"])
def test_a_folder_of_something_else_is_told_what_belongs_there(settings: Settings, tmp_path: Path, name: str) -> None:
    task = "recognition" if DATASETS[name].task == "recognition" else "retrieval"
    with pytest.raises(DataError) as caught:
        load_data(settings(dataset=name, task=task, data_root=tmp_path))
    assert name == "folder" or DATASETS[name].layout in str(caught.value) or "class folders" in str(caught.value)


def test_windows_lines_byte_order_marks_blanks_and_unicode_are_fine(
    settings: Settings, expect: Expect, tmp_path: Path
) -> None:
    root = replicas.sop(tmp_path)
    expect("sop", REPLICAS["sop"][2])
    config = settings(dataset="sop", data_root=root)
    before = load_data(config)
    file = tmp_path / EBAY
    text = file.read_text().replace("bicycle_final/", "bicycle_final/Fahrrad Übersicht  2\u2028 ", 1)
    moved = next(line.split(None, 3)[3] for line in text.split("\n") if "Übersicht" in line)
    old = next(line.split(None, 3)[3] for line in file.read_text().splitlines() if "bicycle" in line)
    (file.parent / moved).parent.mkdir(exist_ok=True)
    (file.parent / old).rename(file.parent / moved)
    file.write_bytes(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode() + b"\r\n\r\n")
    after = load_data(config)
    assert after.train.class_names == before.train.class_names
    assert "\u2028" in after.train.ids[0]
    assert after.train.load(0).size == (24, 20)


def test_missing_and_unreadable_images_are_left_out_on_request(
    settings: Settings, expect: Expect, tmp_path: Path
) -> None:
    root = replicas.cub(tmp_path)
    expect("cub", REPLICAS["cub"][2])
    files = sorted((root / CUB / "images").rglob("*.jpg"))
    files[0].unlink()
    files[-1].write_bytes(files[-1].read_bytes()[:-200])  # cut off
    splits = load_data(settings(dataset="cub", data_root=root, skip_bad=True))
    assert splits.skipped == ["train/001.Bird_1/Bird 0.jpg", "test/004.Bird_4/Bird 3.jpg"]
    assert (len(splits.train), len(splits.test)) == (7, 7)
    with pytest.raises(DataError, match="1 of the 16 listed images are not there"):
        load_data(settings(dataset="cub", data_root=root))


def test_pictures_of_every_kind_load_upright_in_colour(settings: Settings, expect: Expect, tmp_path: Path) -> None:
    root = replicas.cub(tmp_path)
    expect("cub", REPLICAS["cub"][2])
    files = sorted((root / CUB / "images").rglob("*.jpg"))
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("L", (24, 20), 100).save(files[0])
    Image.new("CMYK", (24, 20), (0, 0, 0, 255)).save(files[1])
    Image.new("P", (24, 20)).save(files[2], "GIF")  # a GIF that is called .jpg, as CUB's neighbours have some
    Image.new("RGB", (24, 20), (9, 9, 9)).save(files[3], exif=exif)
    train = load_data(settings(dataset="cub", data_root=root)).train
    images = [train.load(position) for position in range(4)]
    assert [image.mode for image in images] == ["RGB"] * 4
    assert [image.size for image in images] == [(24, 20)] * 3 + [(20, 24)]
    assert images[0].getpixel((5, 5)) == (100, 100, 100)
