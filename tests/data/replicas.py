"""Miniatures of published data sets in exactly their layouts: a folder that each function fills.

Images are 24 x 20 pixels and tell their number by their colour. A replica has as few classes as its split allows;
``COUNTS`` says how many, for the registry of a test.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.io import savemat

from vptsp.data.published_counts import Counts

_numbers = itertools.count()


def picture(path: Path) -> None:
    """A small JPEG unlike every other one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(next(_numbers)).integers(0, 256, (5, 6, 3)).astype(np.uint8)
    Image.fromarray(pixels).resize((24, 20), Image.Resampling.NEAREST).save(path, quality=95)


def write(path: Path, *lines: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def birds(root: Path, classes: dict[int, str], folders: dict[int, str], images: int, ids: Callable[[int], str]) -> None:
    """The four lists of CUB and NABirds; every second image trains. ``classes`` may name more than have images."""
    rows = [(c, f"{folder}/Bird {n}.jpg") for c, folder in folders.items() for n in range(images)]
    for _, path in rows:
        picture(root / "images" / path)
    numbered = [(ids(number), c, path) for number, (c, path) in enumerate(rows, start=1)]
    write(root / "images.txt", *(f"{i} {path}" for i, _, path in numbered))
    write(root / "image_class_labels.txt", *(f"{i} {c}" for i, c, _ in numbered))
    write(root / "train_test_split.txt", *(f"{i} {n % 2}" for n, (i, _, _) in enumerate(numbered, start=1)))
    write(root / "classes.txt", *(f"{c} {name}" for c, name in classes.items()))


def cub(root: Path, classes: int = 4, images: int = 4) -> Path:
    names = {c: f"{c:03d}.Bird_{c}" for c in range(1, classes + 1)}
    birds(root / "CUB_200_2011", names, names, images, str)
    return root


def nabirds(root: Path) -> Path:
    # Numbers leave gaps, a parent has no images of its own, and two classes are called alike.
    names = {0: "Birds", 5: "Ducks", 295: "Common Eider (Adult, male)", 817: "Heron", 1010: "Heron"}
    folders = {c: f"{c:04d}" for c in (295, 817, 1010)}
    birds(root / "nabirds", names, folders, 4, lambda n: f"0000139e-21dc-4d0c-bfe1-4cae3c85c{n:03x}")
    return root


def annotations(rows: list[dict[str, object]]) -> np.ndarray:
    """A MATLAB struct array with the fields of the rows."""
    table = np.zeros(len(rows), dtype=[(field, object) for field in rows[0]])
    for number, row in enumerate(rows):
        table[number] = tuple(row.values())
    return table


CAR_NAMES = [
    "AM General Hummer SUV 2000",
    "Ram C/V Cargo Van Minivan 2012",
    "Volvo C30 Hatchback 2012",
    "smart fortwo Convertible 2012",
]


def cars_one_file(root: Path, images: int = 4) -> Path:
    rows: list[dict[str, object]] = []
    for number, (c, n) in enumerate(itertools.product(range(1, 5), range(images)), start=1):
        picture(root / f"car_ims/{number:06d}.jpg")
        box = dict.fromkeys(("bbox_x1", "bbox_y1", "bbox_x2", "bbox_y2"), 1)
        rows.append({"relative_im_path": f"car_ims/{number:06d}.jpg", **box, "class": c, "test": n % 2})
    content = {"annotations": annotations(rows), "class_names": np.array(CAR_NAMES, dtype=object)}
    savemat(root / "cars_annos.mat", content)
    return root


def cars_devkit(root: Path, images: int = 4) -> Path:
    (root / "devkit").mkdir(parents=True)
    savemat(root / "devkit/cars_meta.mat", {"class_names": np.array(CAR_NAMES, dtype=object)})
    for part, file in (("train", "devkit/cars_train_annos.mat"), ("test", "cars_test_annos_withlabels.mat")):
        rows: list[dict[str, object]] = []
        for number, c in enumerate([c for c in range(1, 5) for _ in range(images // 2)], start=1):
            picture(root / f"cars_{part}/{number:05d}.jpg")
            rows.append(
                {"bbox_x1": 1, "bbox_y1": 1, "bbox_x2": 9, "bbox_y2": 9, "class": c, "fname": f"{number:05d}.jpg"}
            )
        savemat(root / file, {"annotations": annotations(rows)})
    return root


def cars_folders(root: Path, split: bool = False) -> Path:
    for c, n in itertools.product(CAR_NAMES, range(4)):
        part = ("train/" if n % 2 else "test/") if split else ""
        picture(root / "car_data" / f"{part}{c.replace('/', '-')}/{n:05d}.jpg")
    return root


def cars_folders_split(root: Path) -> Path:
    return cars_folders(root, split=True)


def sop(root: Path) -> Path:
    root = root / "Stanford_Online_Products"
    number = 0
    for part, classes in (("train", (1, 2, 3)), ("test", (4, 5))):
        rows = []
        for c, n in itertools.product(classes, range(3)):
            number += 1
            path = f"{'bicycle' if c % 2 else 'coffee_maker'}_final/1110851228{number:02d}_{n}.JPG"
            picture(root / path)
            rows.append(f"{number} {c} {1 + c % 2} {path}")
        write(root / f"Ebay_{part}.txt", "image_id class_id super_class_id path", *rows)
    return root.parent


IN_SHOP = {"id_00000001": "train", "id_00000004": "train", "id_00000002": "test", "id_00000003": "test"}


def inshop(root: Path) -> Path:
    """Two items of two query and one gallery image, and four train images each, columns as wide as in the original."""
    rows = []
    for item, part in IN_SHOP.items():
        statuses = ["train"] * 4 if part == "train" else ["query", "gallery", "query"]
        for n, status in enumerate(statuses):
            path = f"img/WOMEN/Blouses_Shirts/{item}/02_{n}_front.jpg"
            picture(root / path)
            rows.append(f"{path:<70}{item:<14}{status}")
    write(root / "Eval/list_eval_partition.txt", str(len(rows)), "image_name item_id evaluation_status", *rows)
    return root


def inaturalist(root: Path) -> Path:
    for part, classes in (("train", ("Aves/2761", "Fungi/7")), ("test", ("Aves/3", "Plantae/6544"))):
        paths = [f"train_val2018/{c}/{n:032x}.jpg" for c, n in itertools.product(classes, range(3))]
        for path in paths:
            picture(root / path)
        write(root / f"Inat_dataset_splits/Inaturalist_{part}_set1.txt", *paths)
    return root


def flowers(root: Path) -> Path:
    root = root / "flowers-102"
    labels = [1, 2, 102] * 5
    for number in range(1, len(labels) + 1):
        picture(root / f"jpg/image_{number:05d}.jpg")
    savemat(root / "imagelabels.mat", {"labels": np.array([labels], dtype=np.uint8)})
    numbers = np.arange(1, len(labels) + 1, dtype=np.uint16)[None]
    savemat(root / "setid.mat", {"trnid": numbers[:, :3], "valid": numbers[:, 3:6], "tstid": numbers[:, 6:]})
    return root.parent


def dogs(root: Path) -> Path:
    folders = ["n02085620-Chihuahua", "n02086240-Shih-Tzu"]
    for part, places in (("train", range(3)), ("test", range(3, 5))):
        files = [f"{folder}/{folder.split('-')[0]}_{n}.jpg" for folder in folders for n in places]
        for file in files:
            picture(root / "Images" / file)
        labels = np.array([[1 + folders.index(file.split("/")[0])] for file in files], dtype=np.uint8)
        column = np.array(files, dtype=object)[:, None]
        (root / "lists").mkdir(exist_ok=True)
        savemat(root / f"lists/{part}_list.mat", {"file_list": column, "annotation_list": column, "labels": labels})
    return root


def vtab(root: Path, task: str = "kitti", classes: int = 4) -> Path:
    """The last class has no training image, as happens where a task has hundreds of classes."""
    rows: dict[str, list[str]] = {}
    for part, labels in (("train800", [0, 1, 2, 0, 1, 2]), ("val200", [0, 1, 2]), ("test", list(range(classes)))):
        folder = "test" if part == "test" else "train"
        rows[part] = [f"images/{folder}/{part} {n:05d}.png {label}" for n, label in enumerate(labels)]
        for row in rows[part]:
            picture(root / task / row.rsplit(" ", 1)[0])
        write(root / task / f"{part}.txt", *rows[part])
    write(root / task / "train800val200.txt", *rows["train800"], *rows["val200"])
    return root


def vpt_lists(root: Path, images: str, train: int = 2, val: int = 1) -> Path:
    """VPT's three lists for a folder of images that is there."""
    files = sorted(p for p in (root / images).rglob("*.jpg"))
    names = sorted({file.parent.name for file in files})
    parts: dict[str, dict[str, int]] = {"train": {}, "val": {}, "test": {}}
    for name in names:
        own = [file for file in files if file.parent.name == name]
        for n, file in enumerate(own):
            part = "train" if n < train else "val" if n < train + val else "test"
            parts[part][str(file.relative_to(root / images))] = names.index(name) + 1
    for part, rows in parts.items():
        (root / f"{part}.json").write_text(json.dumps(rows))
    return root


REPLICAS: dict[str, tuple[str, Callable[[Path], Path], Counts]] = {
    "cub": ("cub", cub, Counts((8, 2), (8, 2))),
    "cars one file": ("cars", cars_one_file, Counts((8, 2), (8, 2))),
    "cars devkit": ("cars", cars_devkit, Counts((8, 2), (8, 2))),
    "cars folders": ("cars", cars_folders, Counts((8, 2), (8, 2))),
    "cars folders split": ("cars", cars_folders_split, Counts((8, 2), (8, 2))),
    "sop": ("sop", sop, Counts((9, 3), (6, 2))),
    "inshop": ("inshop", inshop, Counts((8, 2), (6, 2), query=4, gallery=2)),
    "inaturalist": ("inaturalist", inaturalist, Counts((6, 2), (6, 2))),
    "fgvc_cub": ("fgvc_cub", cub, Counts((8, 4), (8, 4))),
    "fgvc_nabirds": ("fgvc_nabirds", nabirds, Counts((6, 3), (6, 3))),
    "fgvc_flowers": ("fgvc_flowers", flowers, Counts((6, 3), (9, 3))),
    "fgvc_dogs": ("fgvc_dogs", dogs, Counts((6, 2), (4, 2))),
    "fgvc_cars one file": ("fgvc_cars", cars_one_file, Counts((8, 4), (8, 4))),
    "fgvc_cars devkit": ("fgvc_cars", cars_devkit, Counts((8, 4), (8, 4))),
    "fgvc_cars folders": ("fgvc_cars", cars_folders_split, Counts((8, 4), (8, 4))),
    "vtab": ("vtab_kitti", vtab, Counts((9, 4), (4, 4))),
}
"""Layout -> (data set, function that makes it in a folder and returns data_root, its counts)."""
