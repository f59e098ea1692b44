"""Images that are listed but cannot be had: refused in one sentence, or left out where the configuration says so."""

from __future__ import annotations

from collections.abc import Callable, Container
from typing import TypeVar

from vptsp.data.folder import FileLoader
from vptsp.data.image_set import Chained, ImageSet, LoadImage, Parts
from vptsp.data.splits import some
from vptsp.errors import DataError

Named = TypeVar("Named")


def refuse_missing(name: str, parts: Parts) -> None:
    """Raises DataError naming the files that a list speaks of and the disk does not hold."""
    listed = [load for images in parts.each() for load in _file_loaders(images.load)]
    if missing := [path for load in listed for path in load.missing()]:
        total = sum(len(load.paths) for load in listed)
        raise DataError(
            f"{name}: {len(missing):,} of the {total:,} listed images are not there: {some(missing)}; "
            "put them there, correct the list, or set skip_bad=true to go without them"
        )


def _file_loaders(load: LoadImage) -> list[FileLoader]:
    if isinstance(load, Chained):
        return [loader for part in load.loads for loader in _file_loaders(part)]
    return [load] if isinstance(load, FileLoader) else []


def drop_bad(parts: Parts) -> tuple[Parts, list[str]]:
    """Reads every image once; the parts without the unreadable ones, and their ids."""
    bad = {image_id for images in parts.each() for image_id in unreadable(images)}
    return without(parts, bad), [i for images in parts.each() for i in images.ids if i in bad]


def unreadable(images: ImageSet) -> list[str]:
    """Ids of the images that cannot be read."""
    return [image_id for position, image_id in enumerate(images.ids) if fails(images.load, position)]


def fails(read: Callable[[Named], object], name: Named) -> bool:
    """Whether what reads an image says that this one cannot be read."""
    try:
        read(name)
    except DataError:
        return True
    return False


def without(parts: Parts, bad: Container[str]) -> Parts:
    """The parts without these images, and without classes that this empties, unless the classes are given.

    Raises DataError where nothing is left of a part.
    """

    return parts.map(lambda images: kept(images, bad, parts.classes_given))


def kept(images: ImageSet, bad: Container[str], classes_given: bool = False) -> ImageSet:
    """A set without these images, as :func:`without` leaves it. Raises DataError where nothing is left."""
    good = [position for position, image_id in enumerate(images.ids) if image_id not in bad]
    if len(good) == len(images):
        return images
    if not good:
        raise DataError(f"{images.name}: none of the {len(images)} images can be read")
    rest = images.subset(good)
    return rest if classes_given else rest.relabelled()
