"""The one shape in which every data set reaches the rest of the package."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from vptsp.data.passed_over import Passed
from vptsp.errors import DataError

if TYPE_CHECKING:
    import pandas as pd  # not for each process that loads images

LoadImage = Callable[[int], Image.Image]
ImageSize = int | tuple[int, int]  # the side of a square, or height and width, in pixels
DRAWN_SIZE = 64  # pixels of drawn images when a configuration leaves the size to the backbone
_STRIP = 16  # times as long as wide


def drawn_side(size: ImageSize | None) -> int:
    """Side in pixels of images that are drawn as squares, for inputs of a size (none: left to the backbone)."""
    if size is None:
        return DRAWN_SIZE
    return size if isinstance(size, int) else max(size)


def with_margin(size: int) -> int:
    """Pixels of the shorter side before the central square of ``size`` is cut out."""
    return round(size * 256 / 224)


def shortened(image: Image.Image) -> Image.Image:
    """The middle of an image more than 16 times as long as wide, and any other as it is.

    Of a picture of 8,000 x 1 pixels a square is used in the end, but 2,048,000 x 256 would be made first.
    """
    width, height = image.size
    most = _STRIP * min(width, height)
    if max(width, height) <= most:
        return image
    left, top = max(0, width - most) // 2, max(0, height - most) // 2
    return image.crop((left, top, left + min(width, most), top + min(height, most)))


@dataclass(frozen=True)
class Picked:
    """Loads image ``positions[p]`` of another loader; a class and not a closure so that workers can
    receive it by pickle."""

    load: LoadImage
    positions: np.ndarray

    def __call__(self, position: int) -> Image.Image:
        return self.load(int(self.positions[position]))


@dataclass(frozen=True)
class Chained:
    """Loads from the first of several loaders of ``counts`` images, then from the next, as one list."""

    loads: tuple[LoadImage, ...]
    counts: tuple[int, ...]

    def of(self, position: int) -> tuple[LoadImage, int]:
        """The loader of an image of the whole list, and its position there."""
        for load, count in zip(self.loads, self.counts, strict=True):
            if position < count:
                return load, position
            position -= count
        raise IndexError(position)

    def __call__(self, position: int) -> Image.Image:
        load, place = self.of(position)
        return load(place)


@dataclass(frozen=True, eq=False)
class ImageSet:
    """N labelled images, loaded one at a time.

    ``ids`` are unique and stay with an image in every subset (``"test/rose/0003.jpg"``); ``labels``
    is int64 (N,) and indexes ``class_names``. ``is_query`` and ``is_gallery``, bool (N,), are given
    together or not at all; without them every image is searched among all the others.
    ``mirror_ok`` says whether a mirrored image still belongs to its class (a glyph's does not).
    ``attributes`` describes each class of a procedural set, one row per class name.

    Raises DataError when the parts do not fit together; ``load`` raises it, naming the file, for an
    image that cannot be read.
    """

    name: str
    ids: Sequence[str]
    labels: np.ndarray
    class_names: Sequence[str]
    load: LoadImage
    is_query: np.ndarray | None = None
    is_gallery: np.ndarray | None = None
    attributes: pd.DataFrame | None = None
    mirror_ok: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "ids", tuple(self.ids))
        object.__setattr__(self, "class_names", tuple(self.class_names))
        object.__setattr__(self, "labels", np.asarray(self.labels, dtype=np.int64))
        count, classes = len(self.ids), len(self.class_names)
        if self.labels.shape != (count,):
            raise DataError(f"{self.name}: {count} images but labels of shape {self.labels.shape}")
        if count and (self.labels.min() < 0 or self.labels.max() >= classes):
            raise DataError(f"{self.name}: labels must lie in 0..{classes - 1}, the number of class names")
        if len(set(self.ids)) != count:
            raise DataError(f"{self.name}: image ids are not unique")
        if len(set(self.class_names)) != classes:
            raise DataError(f"{self.name}: class names are not unique")
        if (self.is_query is None) != (self.is_gallery is None):
            raise DataError(f"{self.name}: give both is_query and is_gallery, or neither")
        for role in ("is_query", "is_gallery"):
            mask = getattr(self, role)
            if mask is not None and (mask.shape != (count,) or mask.dtype != np.bool_):
                raise DataError(f"{self.name}: {role} must be {count} booleans")

    def __len__(self) -> int:
        return len(self.ids)

    def class_counts(self) -> np.ndarray:
        """Images per class, int64 (C,)."""
        return np.bincount(self.labels, minlength=len(self.class_names))

    def subset(self, positions: Iterable[int] | np.ndarray, name: str | None = None) -> ImageSet:
        """The images at these positions (or where this boolean mask is true); labels are kept."""
        chosen = np.asarray(positions if isinstance(positions, np.ndarray) else list(positions))
        chosen = np.flatnonzero(chosen) if chosen.dtype == np.bool_ else chosen.astype(np.int64)
        # A subset of a subset points straight at the original loader.
        inner = self.load.positions if isinstance(self.load, Picked) else None
        load = self.load.load if isinstance(self.load, Picked) else self.load
        return replace(
            self,
            name=name or self.name,
            ids=[self.ids[p] for p in chosen.tolist()],
            labels=self.labels[chosen],
            load=Picked(load, chosen if inner is None else inner[chosen]),
            is_query=None if self.is_query is None else self.is_query[chosen],
            is_gallery=None if self.is_gallery is None else self.is_gallery[chosen],
        )

    def only_classes(self, classes: Iterable[str], name: str | None = None) -> ImageSet:
        """The images of these classes, labels renumbered 0..C-1 in the order of ``class_names``."""
        wanted = set(classes)
        if unknown := wanted - set(self.class_names):
            raise DataError(f"{self.name} has no class {sorted(unknown)[0]!r}")
        kept = [label for label, c in enumerate(self.class_names) if c in wanted]
        renumber = np.full(len(self.class_names), -1)
        renumber[kept] = np.arange(len(kept))
        part = self.subset(renumber[self.labels] >= 0, name)
        names = [self.class_names[label] for label in kept]
        return replace(
            part,
            labels=renumber[part.labels],
            class_names=names,
            attributes=None if self.attributes is None else self.attributes.loc[names],
        )

    def joined(self, other: ImageSet) -> ImageSet:
        """These images and then those of another set, without roles; classes of one name are one class."""
        names = list(dict.fromkeys((*self.class_names, *other.class_names)))
        place = {name: label for label, name in enumerate(names)}
        renumber = np.array([place[name] for name in other.class_names], dtype=np.int64)
        return replace(
            self,
            ids=(*self.ids, *other.ids),
            labels=np.concatenate([self.labels, renumber[other.labels]]),
            class_names=names,
            load=Chained((self.load, other.load), (len(self), len(other))),
            is_query=None,
            is_gallery=None,
            attributes=None,
        )

    def relabelled(self) -> ImageSet:
        """Without the classes that have no images; labels renumbered 0..C-1."""
        counts = self.class_counts()
        return self.only_classes(c for label, c in enumerate(self.class_names) if counts[label])


@dataclass(frozen=True)
class Parts:
    """What a data set brings. ``val`` is there only where the set publishes validation images of its own and the
    configuration asks for validation. ``classes_given``: the classes are published numbers, of which some may
    have no training image. ``passed_over`` is what lies there and is in no part, ``notes`` are sentences for whoever
    loads the set."""

    train: ImageSet
    test: ImageSet
    val: ImageSet | None = None
    classes_given: bool = False
    passed_over: tuple[Passed, ...] = ()
    notes: tuple[str, ...] = ()

    def each(self) -> list[ImageSet]:
        return [self.train, self.test] + ([] if self.val is None else [self.val])

    def map(self, change: Callable[[ImageSet], ImageSet]) -> Parts:
        """With ``change`` applied to each part."""
        return replace(
            self,
            train=change(self.train),
            test=change(self.test),
            val=None if self.val is None else change(self.val),
        )


@dataclass(frozen=True)
class DataSplits:
    """What a run trains on, selects by and is scored on; class names of the three are disjoint
    (retrieval) or equal (recognition).

    ``skipped`` names the unreadable images that were left out (empty unless ``skip_bad``), ``passed_over`` what the
    loader saw and did not take.
    """

    train: ImageSet
    val: ImageSet | None
    test: ImageSet
    skipped: list[str]
    passed_over: tuple[Passed, ...] = ()
