"""Images of the user's own, decoded with care and embedded as a model embeds test images."""

from __future__ import annotations

import hashlib
import io
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float32
from PIL import Image, ImageOps

from vptsp.data.folder import to_rgb
from vptsp.data.image_set import ImageSet
from vptsp.errors import ConfigError, DataError
from vptsp.runs.embeddings import SavedEmbeddings
from vptsp.runs.run import Run
from vptsp.text import plain

if TYPE_CHECKING:
    from vptsp.settings.build import ConfiguredModel

LARGEST = 8 * 2**20  # bytes: Jupyter's connection breaks at messages of 10 MB
_MOST_PIXELS = 64_000_000
_KEPT = 20
_PREVIEW = 320  # pixels


class Uploads:
    """Embeddings and previews of the last files, by a key of their content.

    ``source`` is a run, an inference checkpoint or a model, loaded when first needed; ``saved`` are the embeddings that
    the files are compared with, whose size E it must have; of the run that keeps them it is the model of their epoch.
    """

    def __init__(self, source: Run | str | Path | ConfiguredModel | None, saved: SavedEmbeddings) -> None:
        self.source, self.saved, self.size = source, saved, saved.embeddings.shape[1]
        self._kept: dict[str, tuple[np.ndarray, bytes]] = {}

    def keep(self, data: bytes, name: str) -> str:
        """Embed a file; returns its key. Raises DataError for what cannot be embedded, ConfigError without a model."""
        key = hashlib.sha256(data).hexdigest()[:16]
        if key not in self._kept:
            image = decode(data, name)
            self._kept[key] = self._embed(image), _jpeg(image)
            while len(self._kept) > _KEPT:
                del self._kept[next(iter(self._kept))]
        return key

    def embedding(self, key: str) -> Float32[np.ndarray, " E"]:
        """The unit embedding of a kept file. Raises DataError when it is no longer kept."""
        return self._get(key)[0]

    def preview(self, key: str) -> bytes:
        """A kept file as a small JPEG."""
        return self._get(key)[1]

    def _get(self, key: str) -> tuple[np.ndarray, bytes]:
        if key not in self._kept:
            raise DataError(f"this file is no longer kept (the last {_KEPT} are); open it again")
        return self._kept[key]

    def _embed(self, image: Image.Image) -> Float32[np.ndarray, " E"]:
        from vptsp.evaluation.evaluate import embed
        from vptsp.machine import make_fabric

        model = self._model
        config = model.config.changed(num_workers=0)
        fabric = make_fabric(config.device, config.precision)
        alone = ImageSet("upload", ["upload"], np.zeros(1, dtype=np.int64), ["unknown"], lambda _: image)
        vector = embed(model.to(fabric.device), alone, config, fabric)[0].numpy()
        if len(vector) != self.size:
            raise DataError(f"the model embeds into {len(vector)} numbers, these images have {self.size}")
        return vector

    @cached_property
    def _model(self) -> ConfiguredModel:
        source = self.source
        if source is None:
            raise ConfigError("this gallery has no model to embed files with; make it with model=RUN")
        if not isinstance(source, (Run, str, Path)):
            return source
        from vptsp.runs.checkpoints import load_beside

        return load_beside(source, self.saved)


def decode(data: bytes, name: str) -> Image.Image:
    """An image file as upright RGB. Raises DataError, naming the file, if it is too large or no image."""
    name = plain(name)
    if len(data) > LARGEST:
        most = LARGEST // 2**20
        raise DataError(f"{name} has {len(data) / 2**20:.1f} MB; save it with at most {most} MB to search with it")
    try:
        with Image.open(io.BytesIO(data)) as file:
            if file.width * file.height > _MOST_PIXELS:
                raise DataError(f"{name} has {file.width} x {file.height} pixels; save it smaller to search with it")
            return to_rgb(ImageOps.exif_transpose(file))
    except DataError:
        raise
    except Exception as error:  # decoders raise OSError, SyntaxError, ValueError, struct.error, ...
        kind = type(error).__name__
        raise DataError(f"{name} is not an image that can be read ({kind}); use a PNG, JPEG or WebP file") from error


def _jpeg(image: Image.Image) -> bytes:
    small, buffer = image.copy(), io.BytesIO()
    small.thumbnail((_PREVIEW, _PREVIEW))
    small.save(buffer, "JPEG", quality=88)
    return buffer.getvalue()
