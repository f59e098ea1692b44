"""Data sets of the Hugging Face hub, or saved by ``datasets`` in a folder."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from PIL import Image, ImageOps

from vptsp.data.folder import to_rgb
from vptsp.data.image_set import ImageSet, Parts
from vptsp.data.passed_over import Passed
from vptsp.data.rules import LABELS as LABELS
from vptsp.data.rules import in_order, label_column, label_text
from vptsp.data.settings import DataConfig
from vptsp.data.splits import some
from vptsp.errors import ConfigError, DataError

VALIDATION = ("validation", "val", "valid")


@dataclass(frozen=True)
class HubLoader:
    """Reads image ``position`` of one split, which ``datasets`` keeps memory-mapped."""

    split: Any
    column: str

    def __call__(self, position: int) -> Image.Image:
        try:
            return _upright(self.split[position][self.column])
        except Exception as error:  # whatever the decoder or the file system raises
            raise _unreadable(self.split, position, error) from error

    def raw(self, position: int) -> tuple[bytes, str]:
        """The file as it was when the set was made, and the ending that it had or none."""
        try:
            cell = self._stored[position][self.column]
            content = cell["bytes"] if cell["bytes"] is not None else Path(cell["path"]).read_bytes()
        except Exception as error:  # as above
            raise _unreadable(self.split, position, error) from error
        return content, PurePosixPath(cell["path"] or "").suffix.lower()

    @cached_property
    def _stored(self) -> Any:
        """The split with images as they are stored."""
        import datasets

        return self.split.cast_column(self.column, datasets.Image(decode=False))

    def fingerprint(self, position: int) -> str:
        return f"{self.split._fingerprint}-{position}"


def _unreadable(split: Any, position: int, error: Exception) -> DataError:
    return DataError(
        f"image {position} of {split.info.dataset_name or 'the data set'} cannot be read ({error}); "
        "set skip_bad=true to leave such images out"
    )


def _upright(image: Image.Image) -> Image.Image:
    if image is None:
        raise ValueError("its cell is empty")
    return to_rgb(ImageOps.exif_transpose(image), image.format)


def hub(config: DataConfig, root: Path) -> Parts:
    """The splits train and test (or the validation images in its place) by the image and label columns.

    For retrieval, a set whose splits share their classes is divided as CUB and Cars are: all images together, the
    first half of the classes trains, the rest is searched. ``data_root`` may be none, so it is read and not ``root``.
    """
    name, splits = _load(config.hub_name, config.data_root)
    held = next((split for split in VALIDATION if split in splits), None)
    tested = "test" if "test" in splits and _labelled(splits["test"], config.label_column) else held
    if "train" not in splits or (tested is None and config.task == "recognition"):
        raise DataError(f"{name} has the splits {', '.join(splits)}; train and test (or validation) are needed")
    used = {split: splits[split] for split in ("train", held, tested) if split}
    whole, origin = _joined(name, used, config.label_column)
    unlabelled, other = "images without labels", "a split that is none of train, validation and test"
    passed = tuple(Passed(s, unlabelled if s == "test" else other) for s in splits if s not in used)

    def part(title: str, *chosen: str | None) -> ImageSet:
        # Only classes with images: a zero-shot set may name all of its classes in every split.
        return whole.subset(np.isin(origin, [split for split in chosen if split]), f"{name}/{title}").relabelled()

    train, test = part("train", "train"), part("test", tested)
    if config.task == "retrieval" and (tested is None or set(train.class_names) & set(test.class_names)):
        middle = len(whole.class_names) // 2
        first, second = whole.class_names[:middle], whole.class_names[middle:]
        train, test = whole.only_classes(first, f"{name}/train"), whole.only_classes(second, f"{name}/test")
        return Parts(train, test, passed_over=passed)
    if held is None or held == tested:
        return Parts(train, test, passed_over=passed)
    if config.val_fraction == 0:
        return Parts(part("train", "train", held), test, passed_over=passed)
    return Parts(train, test, part("val", held), passed_over=passed)


def _load(name: str | None, root: Path | None) -> tuple[str, dict[str, Any]]:
    """A title, and the splits by name."""
    if name is None and root is None:
        raise ConfigError(
            "dataset=hub needs hub_name=OWNER/NAME (or OWNER/NAME:CONFIGURATION), or data_root=FOLDER of a saved one"
        )
    try:
        import datasets
    except ImportError:
        raise DataError("dataset=hub needs the package datasets: pip install 'vptsp-workbench[hub]'") from None
    place, _, configuration = (name or "").partition(":")
    title = root.name if root is not None else place.rsplit("/", 1)[-1]
    try:
        if root is not None and ((root / "dataset_dict.json").is_file() or (root / "state.json").is_file()):
            found = datasets.load_from_disk(str(root))
        else:
            found = datasets.load_dataset(str(root) if root is not None else place, configuration or None)
    except Exception as error:  # of datasets, of the hub's client, of the network, of the file system
        raise DataError(
            f"the data set {str(root) if root is not None else name!r} cannot be loaded "
            f"({type(error).__name__}: {str(error).splitlines()[0] if str(error) else 'no reason given'}); without a "
            "network pass data_root=FOLDER of a copy that save_to_disk made elsewhere"
        ) from None
    return title, dict(found) if isinstance(found, dict) else {"train": found}


def _joined(name: str, splits: dict[str, Any], asked: str | None) -> tuple[ImageSet, np.ndarray]:
    """All images of these splits as one set, with ids ``<split>/<class>/<number>``, and the split of each, str (N,)."""
    import datasets

    try:
        data = datasets.concatenate_datasets(list(splits.values()))
    except ValueError as error:
        raise DataError(f"{name}: the splits {', '.join(splits)} have different columns ({error})") from None
    image, label = _image_column(name, data), _label_column(name, data, asked)
    feature, values = data.features[label], data.with_format(None)[label][:]
    coded = hasattr(feature, "int2str")
    if coded:
        words = [feature.names[value] if value is not None and value >= 0 else "" for value in values]
        names = list(feature.names)
    else:
        words = list(map(label_text, values))
        names = in_order(words)
    if missing := words.count(""):
        raise DataError(
            f"{name}: {missing:,} of {len(words):,} images have no {label}, the first is number {words.index('')} "
            f"of the splits {', '.join(splits)}; drop them (dataset.filter) and save the set again"
        )
    place = {word: number for number, word in enumerate(names)}
    labels = np.array([place[word] for word in words], dtype=np.int64)
    sizes = [len(split) for split in splits.values()]
    origin = np.repeat(list(splits), sizes)
    numbers = np.concatenate([np.arange(size) for size in sizes])
    ids = [f"{split}/{names[n]}/{number:06d}" for split, n, number in zip(origin, labels, numbers, strict=True)]
    return ImageSet(name, ids, labels, names, HubLoader(data, image)).relabelled(), origin


def _labelled(data: Any, asked: str | None) -> bool:
    """Whether the images of a split have labels; published test sets often hide them as -1."""
    label = asked or next((c for c in data.features if hasattr(data.features[c], "int2str")), None)
    if label not in data.features or not hasattr(data.features[label], "int2str") or not len(data):
        return True
    first = data.with_format(None)[0][label]
    return first is not None and first >= 0


def _image_column(name: str, data: Any) -> str:
    found = [c for c, feature in data.features.items() if type(feature).__name__ == "Image"]
    if not found:
        raise DataError(f"{name} has no column of images, only {some(data.features, 9)}")
    return str(found[0])


def _label_column(name: str, data: Any, asked: str | None) -> str:
    classes = [c for c, feature in data.features.items() if hasattr(feature, "int2str")]
    return label_column(name, list(data.features), asked, classes)
