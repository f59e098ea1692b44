"""Images out of tars by their place: any one at any time, as from a folder."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from PIL import Image

from vptsp.data.folder import decode
from vptsp.errors import DataError

_OPEN = 128  # tars that a process has open at once, of the 1,024 files that systems usually allow


class _Opened:
    """A file, closed when nobody uses it any more: another thread may still read what this one has put away."""

    def __init__(self, path: str) -> None:
        self.number = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))

    def __del__(self) -> None:
        if hasattr(self, "number"):
            with suppress(OSError):
                os.close(self.number)

    def read(self, offset: int, size: int) -> bytes:
        """``size`` bytes from ``offset``; fewer where the file ends before that."""
        if not hasattr(os, "pread"):
            with os.fdopen(os.dup(self.number), "rb") as file:
                file.seek(offset)
                return file.read(size)
        found = os.pread(self.number, size, offset)
        while len(found) < size and (more := os.pread(self.number, size - len(found), offset + len(found))):
            found += more  # network disks may give less than was asked for
        return found


@dataclass
class ShardLoader:
    """Loads image ``position`` from its place in a tar, which each process opens for itself.

    ``places`` is int64 (N, 3): number of the tar, offset and size in bytes. ``members`` are the images' names there,
    for whoever has to mend one. ``times`` are those of the tars' last change, in nanoseconds.
    """

    tars: tuple[str, ...]
    times: tuple[int, ...]
    places: np.ndarray
    members: Sequence[str]
    opened: dict[int, _Opened] = field(default_factory=dict, repr=False)

    def __call__(self, position: int) -> Image.Image:
        return decode(self._bytes(position), f"{self.members[position]} of {self._tar(position)}")

    def raw(self, position: int) -> tuple[bytes, str]:
        """The image as it is stored, and the ending of its name with the dot."""
        return self._bytes(position), f".{self.members[position].rpartition('.')[2]}"

    def fingerprint(self, position: int) -> str:
        """Changes when the tar does; survives a move of the folder."""
        tar, offset, size = self.places[position].tolist()
        return f"{self.times[tar]}-{offset}-{size}"

    def _tar(self, position: int) -> str:
        return self.tars[int(self.places[position, 0])]

    def _bytes(self, position: int) -> bytes:
        tar, offset, size = self.places[position].tolist()
        try:
            file = self.opened.get(tar)
            if file is None:
                while len(self.opened) >= _OPEN:
                    with suppress(StopIteration, KeyError, RuntimeError):  # of threads that do the same
                        del self.opened[next(iter(self.opened))]
                file = self.opened[tar] = _Opened(self.tars[tar])
            found = file.read(offset, size)
        except OSError as error:
            raise DataError(
                f"cannot read the shard {self.tars[tar]} ({error.strerror or error}); put it back, or mend the disk"
            ) from None
        if len(found) < size:
            raise DataError(
                f"{self.tars[tar]} ends before its image {self.members[position]}: it was cut off after its index was "
                "read; copy it again"
            )
        return found

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"opened": {}}
