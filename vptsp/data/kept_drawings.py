"""Drawn images on disk: what one process has drawn, every later one reads.

Drawing a flower takes milliseconds, and each run of a sweep, notebook and process that loads images would draw the same
ones again. A set's images are kept in one file of records of equal length, each with a checksum before its pixels: a
record that nobody wrote, or not to its end, is drawn again. Processes write the same bytes at the same places, so that
they need not agree on anything.

The files lie in ``drawn/`` of the folder that ``VPTSP_CACHE`` names, else of ``vptsp/`` in the user's cache folder
(:func:`vptsp.home.cache_folder`), and may be deleted at any time. Where nothing can be written, nothing is kept.
"""

from __future__ import annotations

import hashlib
import os
import sys
import zlib
from collections.abc import Iterable
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from vptsp.home import cache_folder, make_room

MOST_OF_A_SET, MOST_OF_ALL = 1 << 29, 1 << 31  # bytes: of one file, and of the folder
_SUM = 4  # bytes of a checksum


def folder() -> Path:
    """Where drawings are kept; it may not be there yet. Raises RuntimeError where there is no home directory."""
    return cache_folder() / "drawn"


class KeptDrawings:
    """``count`` images (side, side, 3) of a set that ``name`` tells apart, as the modules ``drawn_by`` draw them.

    The name of the file says what they were drawn with: these modules' source, numpy and Pillow.
    """

    def __init__(self, name: str, count: int, side: int, drawn_by: Iterable[str]) -> None:
        self.name, self.count, self.side, self.drawn_by = name, count, side, tuple(drawn_by)
        self._file: int | None = None
        self._tried = count * self._record > MOST_OF_A_SET or not hasattr(os, "pread")

    @property
    def _record(self) -> int:
        return _SUM + 3 * self.side * self.side

    def __getstate__(self) -> dict[str, object]:
        """As another process may have it, which opens the file for itself."""
        return self.__dict__ | {"_file": None, "_tried": self._tried and self._file is None}

    def __del__(self) -> None:
        if self._file is not None:
            with suppress(OSError):
                os.close(self._file)

    def get(self, number: int) -> UInt8[np.ndarray, "S S 3"] | None:
        """An image that is kept, else none."""
        file = self._opened()
        if file is None:
            return None
        try:
            found = os.pread(file, self._record, number * self._record)
        except OSError:
            return None
        if len(found) < self._record or zlib.crc32(found[_SUM:]) != int.from_bytes(found[:_SUM], "little"):
            return None
        return np.frombuffer(found, np.uint8, offset=_SUM).reshape(self.side, self.side, 3)

    def keep(self, number: int, pixels: UInt8[np.ndarray, "S S 3"]) -> None:
        """Write an image, if it can be written; after a failure, as of a full disk, no more is tried."""
        file = self._opened()
        if file is None:
            return
        data = pixels.tobytes()
        try:
            os.pwrite(file, zlib.crc32(data).to_bytes(_SUM, "little") + data, number * self._record)
        except OSError:
            os.close(file)
            self._file = None

    def _opened(self) -> int | None:
        if not self._tried:
            self._tried = True
            with suppress(OSError, RuntimeError):
                self._file = self._open()
        return self._file

    def _open(self) -> int:
        home, path = folder(), folder() / f"{self.name}-{self._drawn_with()}.bin"
        if not path.exists():
            home.mkdir(parents=True, exist_ok=True)
            make_room(home.glob("*.bin"), self.count * self._record, MOST_OF_ALL)
        return os.open(path, os.O_RDWR | os.O_CREAT, 0o600)

    def _drawn_with(self) -> str:
        content = hashlib.sha256(f"{version('numpy')} {version('pillow')} {self.count} {self.side}".encode())
        for module in self.drawn_by:
            content.update(Path(sys.modules[module].__file__ or "").read_bytes())
        return content.hexdigest()[:16]
