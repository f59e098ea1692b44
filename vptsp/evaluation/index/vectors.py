"""Unit vectors in one file, row after row, that grows at its end and is never changed before it.

So whoever reads the first rows may go on while more are written. Scans read blocks into memory of a fixed size; single
rows come through a memory map. Dimensions: M rows, E embedding size.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np
from jaxtyping import Float32, Int64

from vptsp.errors import RunError, explained

Dtype: TypeAlias = Literal["float32", "float16"]
DTYPES: tuple[Dtype, ...] = ("float32", "float16")
BLOCK_NUMBERS = 2**23  # numbers read at once: 32 MiB in fp32


class Vectors:
    """The first ``count`` rows (M, E) of a file of little-endian fp32 or fp16 numbers.

    Raises RunError for a file that is missing or shorter than that.
    """

    def __init__(self, path: Path, size: int, dtype: Dtype, count: int) -> None:
        self.path, self.size, self.count = path, size, count
        self.dtype = np.dtype(dtype).newbyteorder("<")
        self.row_bytes = size * self.dtype.itemsize
        try:
            there = path.stat().st_size
        except OSError as error:
            raise RunError(f"{path} cannot be read ({error.strerror}); build the index again") from None
        if there < count * self.row_bytes:
            raise RunError(
                f"{path} is cut off: it holds {there:,} bytes, {count:,} images of {size} numbers take "
                f"{count * self.row_bytes:,}; build the index again"
            )
        self._map = np.memmap(path, self.dtype, "r", shape=(count, size)) if count else np.empty((0, size), self.dtype)

    def take(self, rows: Int64[np.ndarray, " m"]) -> Float32[np.ndarray, "m E"]:
        """Chosen rows as fp32."""
        return np.asarray(self._map[rows], dtype=np.float32)

    def blocks(
        self, start: int = 0, stop: int | None = None, numbers: int = BLOCK_NUMBERS
    ) -> Iterator[tuple[int, Float32[np.ndarray, "b E"]]]:
        """Rows ``start`` to ``stop`` as fp32, some ``numbers`` at a time, each block with its first row's number."""
        stop, step = self.count if stop is None else stop, max(1, numbers // self.size)
        with open(self.path, "rb") as file:
            file.seek(start * self.row_bytes)
            for first in range(start, stop, step):
                rows = min(step, stop - first)
                block = np.fromfile(file, self.dtype, rows * self.size)
                if len(block) < rows * self.size:
                    raise RunError(f"{self.path} was cut off while it was read; build the index again")
                yield first, block.reshape(rows, self.size).astype(np.float32, copy=False)

    def checksum(self) -> int:
        """CRC-32 of the rows."""
        value, left = 0, self.count * self.row_bytes
        with open(self.path, "rb") as file:
            while left and (data := file.read(min(left, 2**22))):
                value, left = zlib.crc32(data, value), left - len(data)
        return value


def append(vectors: Vectors, new: Float32[np.ndarray, "n E"], checksum: int) -> int:
    """Write rows behind the ones that count, over what a crash may have left there; the checksum of all of them.

    They do not count before somebody writes down that they do.
    """
    data = np.ascontiguousarray(new, dtype=vectors.dtype).tobytes()
    with explained(vectors.path), open(vectors.path, "r+b") as file:
        file.truncate(vectors.count * vectors.row_bytes)
        file.seek(0, os.SEEK_END)
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    return zlib.crc32(data, checksum)
