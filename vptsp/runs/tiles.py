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


def cut(page: bytes, tile: int, per_side: int, left: int, top: int) -> bytes | None:
    """The JPEG of the tile in column ``left`` and row ``top``; none for a page that was not saved for it."""
    frame, restart, scan = (_find(page, marker) for marker in (0xC0, 0xDD, 0xDA))
    if frame is None or restart is None or scan is None:
        return None
    if int.from_bytes(page[restart + 4 : restart + 6], "big") != tile // BLOCK:
        return None
    start = scan + 2 + int.from_bytes(page[scan + 2 : scan + 4], "big")
    coded = np.frombuffer(page, dtype=np.uint8)[start:-2]
    # in coded data 0xFF is followed by 0, or by a restart marker: 0xD0 to 0xD7
    marks = np.flatnonzero((coded[:-1] == 0xFF) & (coded[1:] & 0xF8 == 0xD0))
    starts, ends = np.concatenate([[0], marks + 2]), np.concatenate([marks, [len(coded)]])
    lines = tile // BLOCK
    chosen = [(top * lines + line) * per_side + left for line in range(lines)]
    if chosen[-1] >= len(starts):
        return None
    size = tile.to_bytes(2, "big") * 2
    header = page[: frame + _SIZE_AT] + size + page[frame + _SIZE_AT + 4 : start]
    parts = [coded[starts[segment] : ends[segment]].tobytes() for segment in chosen]
    marked = [part + bytes([0xFF, 0xD0 + number % 8]) for number, part in enumerate(parts[:-1])]
    return header + b"".join(marked) + parts[-1] + b"\xff\xd9"


def _find(page: bytes, wanted: int) -> int | None:
    """Where the segment with this marker begins in the header."""
    at = 2
    while at + 4 <= len(page) and page[at] == 0xFF:
        if page[at + 1] == wanted:
            return at
        at += 2 + int.from_bytes(page[at + 2 : at + 4], "big")
    return None
