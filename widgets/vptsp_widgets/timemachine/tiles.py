"""Thumbnails of a run's probe images on one small page, whichever split they are of."""

from __future__ import annotations

import io
from collections.abc import Sequence

from PIL import Image

from vptsp.errors import RunError
from vptsp.runs.run import Run
from vptsp.runs.thumbnails import Thumbnails

TILE, SIDE = 48, 32  # pixels of a tile, tiles in a row


def tiles_of(run: Run, ids: Sequence[str]) -> tuple[bytes, list[int]]:
    """A JPEG of the thumbnails that the run's ``embeddings/`` holds, and the place of each image on it, -1 for none.

    Empty while the run has none: they are written when it is scored.
    """
    found: dict[str, Image.Image] = {}
    for split in ("train", "test"):
        try:
            thumbnails = Thumbnails(run.path / "embeddings" / split)
        except RunError:
            continue
        found |= {name: thumbnails.image(name) for name in ids if name in thumbnails.place}
    if not found:
        return b"", []
    order = {name: place for place, name in enumerate(found)}
    sheet = Image.new("RGB", (SIDE * TILE, -(-len(order) // SIDE) * TILE), "white")
    for place, tile in enumerate(found.values()):
        small = tile.resize((TILE, TILE), Image.Resampling.LANCZOS)
        sheet.paste(small, (place % SIDE * TILE, place // SIDE * TILE))
    buffer = io.BytesIO()
    sheet.save(buffer, "JPEG", quality=82)
    return buffer.getvalue(), [order.get(name, -1) for name in ids]
