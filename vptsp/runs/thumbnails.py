"""Thumbnails of a set of images as pages of tiles, addressed by stable image id."""

from __future__ import annotations

import base64
import io
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw, ImageOps

from vptsp.data.image_set import ImageSet
from vptsp.errors import RunError
from vptsp.files import read_json, write_bytes, write_json
from vptsp.runs.tiles import TilePage, save_options
from vptsp.text import plain

TILE = 64
_PAGES_KEPT = 16  # decoded ones, of 12 MB each
PER_SIDE = 32  # 32 tiles of 64 px: pages of 2048 px, which every browser can decode and draw


def write_thumbnails(folder: Path, images: ImageSet) -> None:
    """Write ``page_0.jpg, page_1.jpg, ...`` and ``tiles.json`` (tile size, tiles per side, ids in order)."""
    per_page = PER_SIDE**2
    for page in range(-(-len(images) // per_page)):
        first = page * per_page
        count = min(per_page, len(images) - first)
        rows = -(-count // PER_SIDE)
        sheet = Image.new("RGB", (PER_SIDE * TILE, rows * TILE), "white")
        for place in range(count):
            # its middle square, as the model sees it; tiny ones are enlarged
            tile = ImageOps.fit(images.load(first + place).convert("RGB"), (TILE, TILE))
            sheet.paste(tile, ((place % PER_SIDE) * TILE, (place // PER_SIDE) * TILE))
        buffer = io.BytesIO()
        sheet.save(buffer, "JPEG", quality=80, **save_options(TILE))
        write_bytes(folder / f"page_{page}.jpg", buffer.getvalue())
    write_json(folder / "tiles.json", {"tile": TILE, "per_side": PER_SIDE, "ids": list(images.ids)})


def placeholder(name: str, side: int = TILE) -> Image.Image:
    """A grey square with a name on it, in place of an image that cannot be shown."""
    tile = Image.new("RGB", (side, side), "#bbbbbb")
    text = "\n".join(textwrap.wrap(plain(name, 200), 11)[-5:])  # the end of a path tells files apart
    ImageDraw.Draw(tile).text((side / 2, side / 2), text, "#1f2328", anchor="mm", align="center", font_size=side / 7)
    return tile


class Thumbnails:
    """Reads what :func:`write_thumbnails` wrote; pages are decoded when first needed, and the last of them kept.

    An image without a tile, or whose page cannot be read, has a :func:`placeholder` with its id.
    """

    def __init__(self, folder: Path) -> None:
        index = read_json(folder / "tiles.json", "vptsp evaluate RUN writes it")
        self.folder, self.tile, self.per_side = folder, index["tile"], index["per_side"]
        self.place = {name: place for place, name in enumerate(index["ids"])}
        self._pages: dict[int, Image.Image] = {}

    def layout(self, ids: Sequence[str]) -> dict[str, Any]:
        """Where the tiles of these images are, for a front end: tile size, tiles per side, place of each row.

        ``places`` is none where the rows are the tiles in order; a place is -1 for an image without a tile.
        """
        places = [self.place.get(name, -1) for name in ids]
        plain = places == list(range(len(places)))
        return {"tile": self.tile, "side": self.per_side, "places": None if plain else places}

    def page_path(self, page: int) -> Path:
        """The file of a page."""
        return self.folder / f"page_{page}.jpg"

    def page_bytes(self, page: int) -> bytes:
        """A page as JPEG. Raises RunError, naming the file, when it is missing."""
        try:
            return self.page_path(page).read_bytes()
        except OSError as error:
            raise RunError(f"the thumbnails {self.page_path(page)} cannot be read ({error.strerror})") from None

    def jpegs(self, image_ids: Sequence[str]) -> list[bytes]:
        """Thumbnails as JPEG files, cut from the pages where they allow it."""
        pages: dict[int, TilePage | None] = {}
        files = []
        for image_id in image_ids:
            file = None
            if image_id in self.place:
                number, place = divmod(self.place[image_id], self.per_side**2)
                if number not in pages:
                    pages[number] = self._page_to_cut(number)
                if page := pages[number]:
                    file = page.cut(place % self.per_side, place // self.per_side)
            files.append(file or self._encoded(image_id))
        return files

    def _page_to_cut(self, page: int) -> TilePage | None:
        try:
            return TilePage(self.page_bytes(page), self.tile, self.per_side)
        except (RunError, ValueError):  # missing, or saved by an earlier version
            return None

    def image(self, image_id: str) -> Image.Image:
        """The thumbnail of an image."""
        if image_id not in self.place:
            return placeholder(image_id, self.tile)
        page, place = divmod(self.place[image_id], self.per_side**2)
        try:
            if page not in self._pages:
                self._pages[page] = Image.open(io.BytesIO(self.page_bytes(page))).convert("RGB")
                for oldest in list(self._pages)[:-_PAGES_KEPT]:
                    del self._pages[oldest]
        except (RunError, OSError):  # a page that is gone, or no image
            return placeholder(image_id, self.tile)
        left, top = (place % self.per_side) * self.tile, (place // self.per_side) * self.tile
        return self._pages[page].crop((left, top, left + self.tile, top + self.tile))

    def data_uris(self, image_ids: Sequence[str]) -> list[str]:
        """Thumbnails as ``data:`` URIs that need no file and no network."""
        return ["data:image/jpeg;base64," + base64.b64encode(file).decode() for file in self.jpegs(image_ids)]

    def _encoded(self, image_id: str) -> bytes:
        buffer = io.BytesIO()
        self.image(image_id).save(buffer, "JPEG", quality=80)
        return buffer.getvalue()
