"""A model with an image side and a text side, such as CLIP: both embed into one space, so words can search images.

>>> from vptsp.evaluation.image_text import ImageTextModel
>>> clip = ImageTextModel.load("ViT-B-32", "weights.safetensors")  # doctest: +SKIP
>>> RetrievalGallery.of_arrays(clip.images(paths), labels, images=paths, text_encoder=clip.text)  # doctest: +SKIP

The embeddings of a run lie in a space of their own, in which there are no words: its head was trained.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from jaxtyping import Float32

from vptsp.data.folder import read_image
from vptsp.errors import ConfigError, DataError, UsageError
from vptsp.evaluation.ranking import unit_rows
from vptsp.machine import make_fabric

if TYPE_CHECKING:
    from types import ModuleType


class ImageTextModel:
    """Both sides of a model of open_clip (CLIP, arXiv 2103.00020; SigLIP and others), in evaluation mode.

    ``size`` is E, of the space that they share.
    """

    def __init__(self, model: Any, transform: Any, tokenizer: Any, device: str = "auto") -> None:
        self._device = make_fabric(device, "fp32").device
        self._model = model.to(self._device).eval()
        self._transform, self._tokenizer = transform, tokenizer
        self.size = len(self.text("a"))

    @classmethod
    def load(cls, name: str, weights: str | Path, device: str = "auto") -> ImageTextModel:
        """An architecture by open_clip's name, with weights from a file of its format, or by a tag that it downloads.

        Raises UsageError where open_clip is not installed, ConfigError for a name or tag that it does not have, and
        DataError for a file that is not there or holds other weights.
        """
        library = _open_clip()
        if name not in library.list_models():
            near = difflib.get_close_matches(name, library.list_models(), n=3, cutoff=0.4)
            raise ConfigError(
                f"open_clip has no model {name!r}; near: {', '.join(near) or 'see open_clip.list_models()'}"
            )
        tags = library.list_pretrained_tags_by_model(name)
        if not Path(weights).is_file() and str(weights) not in tags:
            legal = f", or one of its tags, which are downloaded: {', '.join(tags)}" if tags else ""
            raise DataError(
                f"{weights} is not a file; pass the path of weights of {name} that open_clip has saved{legal}"
            )
        try:
            model, _, transform = library.create_model_and_transforms(name, pretrained=str(weights))
        except OSError as error:
            raise DataError(
                f"the weights {weights} of {name} cannot be downloaded ({type(error).__name__}); pass a file of them"
            ) from None
        except Exception as error:  # of torch, of safetensors, of pickle, of open_clip itself
            said = str(error).partition("\n")[0]
            raise DataError(f"{weights} holds no weights of {name} ({type(error).__name__}: {said})") from error
        return cls(model, transform, library.get_tokenizer(name), device)

    def images(self, paths: Sequence[str | Path], batch_size: int = 32) -> Float32[np.ndarray, "N E"]:
        """Unit embeddings of image files. Raises DataError for one that cannot be read."""
        found = [np.empty((0, self.size), dtype=np.float32)]
        for start in range(0, len(paths), batch_size):
            pixels = [self._transform(read_image(Path(path))) for path in paths[start : start + batch_size]]
            with torch.inference_mode():
                found.append(self._model.encode_image(torch.stack(pixels).to(self._device)).float().cpu().numpy())
        return unit_rows(np.concatenate(found))

    def text(self, words: str) -> Float32[np.ndarray, " E"]:
        """The unit embedding of a description, as it is: no template is put around it."""
        with torch.inference_mode():
            embedded = self._model.encode_text(self._tokenizer([words]).to(self._device))
        return unit_rows(embedded.float().cpu().numpy())[0]


def _open_clip() -> ModuleType:
    try:
        import open_clip
    except ImportError:
        raise UsageError("text queries need open_clip: pip install 'vptsp-workbench[text]'") from None
    return open_clip
