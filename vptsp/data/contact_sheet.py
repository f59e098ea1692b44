"""A contact sheet: some images of some classes on one page."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageOps

from vptsp.data.image_set import ImageSet, Parts
from vptsp.errors import DataError

TILE, CAPTION, GAP = 96, 14, 4  # pixels
BROKEN = (200, 60, 60)


def contact_sheet(parts: Parts, classes: int = 8, images: int = 8, seed: int = 0) -> Image.Image:
    """A row for each of ``classes`` classes of train and then of test, chosen by ``seed``, as an RGB image."""
    rng = np.random.default_rng(seed)
    rows = [
        (part, np.flatnonzero(part.labels == label)[:images].tolist())
        for part in (parts.train, parts.test)
        for label in np.sort(rng.permutation(np.flatnonzero(part.class_counts()))[:classes])
    ]
    return tiles(rows, TILE, named=True)


def tiles(
    rows: Sequence[tuple[ImageSet, Sequence[int]]], size: int, paper: str = "white", named: bool = False
) -> Image.Image:
    """Images of a set by position, a row of tiles of ``size`` pixels each; ``named``: their class stands above a row.

    Images are cut to their middle square; an unreadable one is a red tile.
    """
    caption = CAPTION if named else 0
    height = size + caption + GAP
    width = max(len(positions) for _, positions in rows) * (size + GAP) + GAP
    page = Image.new("RGB", (width, len(rows) * height + GAP), paper)
    pen = ImageDraw.Draw(page)
    for row, (part, positions) in enumerate(rows):
        top = GAP + row * height
        if named:
            name = part.class_names[part.labels[positions[0]]]
            pen.text((GAP, top), _plain(f"{part.name.rsplit('/', 1)[-1]}: {name}"), fill="black")
        for column, position in enumerate(positions):
            page.paste(_tile(part, position, size), (GAP + column * (size + GAP), top + caption))
    return page


def _tile(part: ImageSet, position: int, size: int) -> Image.Image:
    try:
        return ImageOps.fit(part.load(position).convert("RGB"), (size, size))
    except DataError:
        return Image.new("RGB", (size, size), BROKEN)


def _plain(text: str) -> str:
    """Characters that Pillow's own font has."""
    return text.encode("latin-1", "replace").decode("latin-1")
