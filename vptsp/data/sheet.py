"""A contact sheet: some images of some classes on one page."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw, ImageOps

from vptsp.data.images import ImageSet, Parts
from vptsp.errors import DataError

TILE, CAPTION, GAP = 96, 14, 4  # pixels
BROKEN = (200, 60, 60)


def contact_sheet(parts: Parts, classes: int = 8, images: int = 8, seed: int = 0) -> Image.Image:
    """A row for each of ``classes`` classes of train and then of test, chosen by ``seed``, as an RGB image.

    Images are cut to their middle square; an unreadable one is a red tile.
    """
    rng = np.random.default_rng(seed)
    rows = [
        (part, int(label))
        for part in (parts.train, parts.test)
        for label in np.sort(rng.permutation(np.flatnonzero(part.class_counts()))[:classes])
    ]
    height = TILE + CAPTION + GAP
    page = Image.new("RGB", (images * (TILE + GAP) + GAP, len(rows) * height + GAP), "white")
    pen = ImageDraw.Draw(page)
    for row, (part, label) in enumerate(rows):
        top = GAP + row * height
        pen.text((GAP, top), _plain(f"{part.name.rsplit('/', 1)[-1]}: {part.class_names[label]}"), fill="black")
        for column, position in enumerate(np.flatnonzero(part.labels == label)[:images].tolist()):
            page.paste(_tile(part, position), (GAP + column * (TILE + GAP), top + CAPTION))
    return page


def _tile(part: ImageSet, position: int) -> Image.Image:
    try:
        return ImageOps.fit(part.load(position), (TILE, TILE))
    except DataError:
        return Image.new("RGB", (TILE, TILE), BROKEN)


def _plain(text: str) -> str:
    """Characters that Pillow's own font has."""
    return text.encode("latin-1", "replace").decode("latin-1")
