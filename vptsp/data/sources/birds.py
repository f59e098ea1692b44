"""CUB-200-2011 (Wah et al. 2011) and NABirds (Van Horn et al., CVPR 2015): the lists of one laboratory.

``images.txt`` (image id, path below ``images/``), ``image_class_labels.txt`` (image id, class id), ``classes.txt``
(class id, name) and ``train_test_split.txt`` (image id, 1 where it trains).
"""

from __future__ import annotations

from pathlib import Path

from vptsp.data.image_set import Parts
from vptsp.data.settings import DataConfig
from vptsp.data.sources.listed import closed, halves
from vptsp.data.sources.text_lists import inner, read_table, same_keys
from vptsp.data.sources.vpt_lists import vpt_lists
from vptsp.errors import DataError

CUB, NABIRDS = "CUB_200_2011", "nabirds"


def cub(config: DataConfig, root: Path) -> Parts:
    """Zero-shot retrieval: classes 1-100 train, 101-200 are searched."""
    root = inner(root, CUB)
    paths, classes, names = _read(root)
    return halves("cub", root / "images", [(paths[i], classes[i]) for i in paths], names)


def fgvc_cub(config: DataConfig, root: Path) -> Parts:
    """Recognition of 200 species by the published train and test images."""
    return _recognition("fgvc_cub", inner(root, CUB), config)


def fgvc_nabirds(config: DataConfig, root: Path) -> Parts:
    """Recognition of 555 visual categories; of the 1,011 classes in the hierarchy, those that have images."""
    return _recognition("fgvc_nabirds", inner(root, NABIRDS), config)


def _recognition(name: str, root: Path, config: DataConfig) -> Parts:
    if lists := vpt_lists(name, root, root / "images", config):
        return lists
    paths, classes, names = _read(root)
    images, file = root / "images.txt", root / "train_test_split.txt"
    trains = read_table(file, "image_id trains:int")
    same_keys(images, paths, file, trains)
    if wrong := set(trains.values()) - {0, 1}:
        raise DataError(f"{file}: expected 1 (train) or 0 (test) for each image, found {min(wrong)}")
    train, test = ([(paths[i], classes[i]) for i in paths if trains[i] == part] for part in (1, 0))
    return closed(name, root / "images", train, [], test, names, config.val_fraction)


def _read(root: Path) -> tuple[dict[str, str], dict[str, str], list[str]]:
    """Paths and class names by image id, and the names of classes that have images, by class number."""
    images, labels, classes = (root / f for f in ("images.txt", "image_class_labels.txt", "classes.txt"))
    paths = read_table(images, "image_id path")
    numbers = read_table(labels, "image_id class_id:int")
    titles = read_table(classes, "class_id:int name")
    same_keys(images, paths, labels, numbers)
    if unknown := set(numbers.values()) - titles.keys():
        raise DataError(f"{labels} uses class {min(unknown)}, which {classes.name} does not name")
    used = sorted(set(numbers.values()))
    if len({titles[n] for n in used}) < len(used):  # NABirds may name a class as its parent
        titles = {n: f"{n:04d}.{title}" for n, title in titles.items()}
    return paths, {i: titles[n] for i, n in numbers.items()}, [titles[n] for n in used]
