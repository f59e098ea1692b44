"""Single images by id: as the model sees them, the same square large enough to look at, and the whole image."""

from __future__ import annotations

import io
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

from vptsp.data.folder import any_folder
from vptsp.data.image_set import ImageSet, shortened
from vptsp.errors import DataError, RunError
from vptsp.runs.embeddings import SavedEmbeddings
from vptsp.runs.run import Run
from vptsp.runs.thumbnails import placeholder
from vptsp.text import plain

if TYPE_CHECKING:
    from torch import Tensor

    from vptsp.core.backbones import Backbone

SIDE = 320  # pixels of a picture for people
WHOLE = 1024  # pixels of the longer side of a whole image, at most; drawn images are drawn so large


class Pictures:
    """Images of an :class:`ImageSet`, loaded one at a time; thumbnails, or names on grey, stand in for missing ones.

    ``load`` gives the set whose drawn images have the given side (none: the side the model was trained with);
    sets of files disregard it.
    """

    def __init__(self, load: Callable[[int | None], ImageSet] | None, saved: SavedEmbeddings) -> None:
        self._load = cache(load) if load else None
        self._places: dict[str, int] | None = None
        self._saved = saved
        self._notes: dict[str, str] = {}

    @classmethod
    def of_run(cls, run: Run, split: str, saved: SavedEmbeddings) -> Pictures:
        """The images a run was trained (``train``) or scored on (``test``), found again when first needed."""

        def load(side: int | None) -> ImageSet:
            from vptsp.data import load_data  # who looks at thumbnails need not wait for it

            config = run.config if side is None else run.config.changed(image_size=side, data_cache=None)
            splits = load_data(config)
            return splits.train if split == "train" else splits.test

        return cls(load, saved)

    @classmethod
    def of(cls, images: ImageSet | Pictures | str | Path | None, saved: SavedEmbeddings) -> Pictures:
        """Those of a set of images, or of a folder; none: the files that ``saved`` knows, else thumbnails for all."""
        if isinstance(images, Pictures):
            return images
        if images is None:
            files = saved.image_set()
            return cls((lambda side: files) if files is not None else None, saved)
        found = images if isinstance(images, ImageSet) else any_folder(Path(images))
        return cls(lambda side: found, saved)

    def input(self, image_id: str, backbone: Backbone) -> Tensor:
        """What the model gets, (3, S, S)."""
        from vptsp.data.transforms import eval_transform

        transform = eval_transform(backbone.image_size, backbone.mean, backbone.std)
        return transform(self._image(image_id, None))

    def jpeg(self, image_id: str) -> bytes:
        """The central square that the model sees, ``SIDE`` pixels wide."""
        image = shortened(self._image(image_id, SIDE))
        scale = SIDE * 256 / 224 / min(image.size)
        size = [max(SIDE, round(scale * length)) for length in image.size]
        image = image.resize((size[0], size[1]), Image.Resampling.BICUBIC)
        left, top = (size[0] - SIDE) // 2, (size[1] - SIDE) // 2
        buffer = io.BytesIO()
        image.crop((left, top, left + SIDE, top + SIDE)).save(buffer, "JPEG", quality=88)
        return buffer.getvalue()

    def whole(self, image_id: str) -> bytes:
        """All of the image, as a JPEG of at most ``WHOLE`` pixels a side."""
        image, buffer = self._image(image_id, WHOLE), io.BytesIO()
        image.thumbnail((WHOLE, WHOLE), Image.Resampling.LANCZOS)
        image.save(buffer, "JPEG", quality=90)
        return buffer.getvalue()

    def note(self, image_id: str) -> str:
        """What is to be said of an image whose thumbnail stands in for it; empty for all others."""
        return self._notes.get(image_id, "")

    def _image(self, image_id: str, side: int | None) -> Image.Image:
        try:
            if self._load is None:
                raise DataError("no folder of images was given")
            images = self._load(side)
            if self._places is None:
                self._places = {name: place for place, name in enumerate(images.ids)}
            # ids of photos began with the folder's name in earlier versions
            place = self._places.get(image_id, self._places.get(f"photos/{image_id.partition('/')[2]}"))
            if place is None:
                raise DataError(f"it is not among the {len(images):,} images of {images.name}")
            return images.load(place).convert("RGB")
        except DataError as error:
            name = plain(image_id, 120)
            try:
                (file,) = self._saved.thumbnails.jpegs([image_id])  # decodes no page of a thousand
                image, what = Image.open(io.BytesIO(file)).convert("RGB"), "The thumbnail"
            except RunError:
                image, what = placeholder(image_id, SIDE), "A grey square"
            self._notes[image_id] = f"{what} stands in for {name}: {plain(error, 200)}."
            return image
