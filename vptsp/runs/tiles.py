"""One tile out of a JPEG page of tiles, cut from its bytes: nothing is decoded, and nothing is lost.

A page with a restart marker after every tile's width of blocks (ITU T.81, B.2.4.4 and E.1.4) is a sequence of segments
that can be decoded each on its own. The segments of a tile, with the page's header and the tile's size in it, are a
JPEG. A set of 60,000 images has 60 pages, and showing two dozen images must not take decoding half of them.
"""

from __future__ import annotations

import numpy as np

BLOCK = 16  # pixels of a coded block, with colours at half the resolution
_SIZE_AT = 5  # height and width in a frame header: after marker, length and precision


def save_options(tile: int) -> dict[str, object]:
    """Options of ``Image.save`` for pages whose tiles, of ``tile`` pixels, can be cut."""
    return {"subsampling": "4:2:0", "restart_marker_blocks": tile // BLOCK}


class TilePage:
    """A page whose tiles of ``tile`` pixels can be cut, ``per_side`` of them in a row.

    Raises ValueError for a page that was not saved for it.
    """

    def __init__(self, page: bytes, tile: int, per_side: int) -> None:
        frame, restart, scan = (_find(page, marker) for marker in (0xC0, 0xDD, 0xDA))
        if frame is None or restart is None or scan is None:
            raise ValueError("this is no JPEG with restart markers")
        if int.from_bytes(page[restart + 4 : restart + 6], "big") != tile // BLOCK:
            raise ValueError("its restart markers are not a tile apart")
        start = scan + 2 + int.from_bytes(page[scan + 2 : scan + 4], "big")
        size = tile.to_bytes(2, "big") * 2
        self._header = page[: frame + _SIZE_AT] + size + page[frame + _SIZE_AT + 4 : start]
        self._coded = page[start:-2]
        self._lines, self._per_side = tile // BLOCK, per_side
        # in coded data 0xFF is followed by 0, or by a restart marker: 0xD0 to 0xD7
        coded = np.frombuffer(self._coded, dtype=np.uint8)
        marks = np.flatnonzero(coded[:-1] == 0xFF)
        marks = marks[coded[marks + 1] & 0xF8 == 0xD0]
        self._starts, self._ends = np.concatenate([[0], marks + 2]), np.concatenate([marks, [len(coded)]])

    def cut(self, left: int, top: int) -> bytes | None:
        """The JPEG of the tile in column ``left`` and row ``top``; none where the page is too short."""
        chosen = [(top * self._lines + line) * self._per_side + left for line in range(self._lines)]
        if chosen[-1] >= len(self._starts):
            return None
        parts = [self._coded[self._starts[segment] : self._ends[segment]] for segment in chosen]
        marked = [part + bytes([0xFF, 0xD0 + number % 8]) for number, part in enumerate(parts[:-1])]
        return self._header + b"".join(marked) + parts[-1] + b"\xff\xd9"


def _find(page: bytes, wanted: int) -> int | None:
    """Where the segment with this marker begins in the header."""
    at = 2
    while at + 4 <= len(page) and page[at] == 0xFF:
        if page[at + 1] == wanted:
            return at
        at += 2 + int.from_bytes(page[at + 2 : at + 4], "big")
    return None
