"""The file of an image as it is, where its loader has one: for copies that are not encoded again."""

from __future__ import annotations

import io
from typing import NamedTuple, Protocol, runtime_checkable

from vptsp.data.image_set import Chained, LoadImage, Picked


class RawFile(NamedTuple):
    """The bytes of an image file, and the ending of its name with the dot."""

    content: bytes
    ending: str


@runtime_checkable
class OfFiles(Protocol):
    """A loader whose images are files, or parts of some."""

    def raw(self, position: int) -> tuple[bytes, str]:
        """Content and ending of an image. Raises DataError where it cannot be read."""


def raw_file(load: LoadImage, position: int) -> RawFile | None:
    """The file of image ``position``; none of drawn images. Raises DataError where it cannot be read."""
    if isinstance(load, Picked):
        return raw_file(load.load, int(load.positions[position]))
    if isinstance(load, Chained):
        return raw_file(*load.of(position))
    return RawFile(*load.raw(position)) if isinstance(load, OfFiles) else None


def as_png(load: LoadImage, position: int) -> RawFile:
    """An image without a file as one, without loss."""
    buffer = io.BytesIO()
    load(position).save(buffer, "PNG")
    return RawFile(buffer.getvalue(), ".png")
