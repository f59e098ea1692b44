"""A model with an image side and a text side, such as CLIP: both embed into one space, so words can search images.

>>> from vptsp.evaluation.image_text import ImageTextModel
>>> clip = ImageTextModel.load("ViT-B-32", "weights.safetensors")  # doctest: +SKIP
>>> RetrievalGallery.of_arrays(clip.images(paths), labels, images=paths, text_encoder=clip.text)  # doctest: +SKIP

The embeddings of a run lie in a space of their own, in which there are no words: its head was trained.
"""

from __future__ import annotations

import re
import warnings
from bisect import bisect_left
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from jaxtyping import Float32

from vptsp.data.folder import read_image
from vptsp.errors import ConfigError, DataError, DataWarning, UsageError
from vptsp.evaluation.ranking import unit_rows
from vptsp.machine import make_fabric
from vptsp.text import meant, plain

if TYPE_CHECKING:
    from types import ModuleType

_SHOWN = 30  # signs of the end of what is read, by which one finds it


class ImageTextModel:
    """Both sides of a model of open_clip (CLIP, arXiv 2103.00020; SigLIP and others), in evaluation mode.

    ``size`` is E, of the space that they share. ``tokenizer`` is one of open_clip's, or any function from texts to
    tokens (N, T); of another than open_clip's it cannot be told what it cuts off.
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
        DataError for a file that is not there, cannot be read or holds other weights.
        """
        library = _open_clip()
        if name not in (known := library.list_models()):
            raise ConfigError(
                f"open_clip has no model {name!r}{meant(name, known)}; open_clip.list_models() has its names"
            )
        tags = library.list_pretrained_tags_by_model(name)
        is_tag = str(weights) in tags and not Path(weights).is_file()
        if not is_tag and (why := _unreadable(Path(weights))):
            legal = f", or one of its tags, which are downloaded: {', '.join(tags)}" if tags else ""
            raise DataError(f"{weights} {why}; pass the path of weights of {name} that open_clip has saved{legal}")
        try:
            model, _, transform = library.create_model_and_transforms(name, pretrained=str(weights))
        except OSError as error:
            why = "downloaded" if is_tag else "read"
            said = error.strerror or type(error).__name__
            raise DataError(
                f"the weights {weights} of {name} cannot be {why} ({said}); pass a file of them that can be read"
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
        """The unit embedding of a description, as it is: no template is put around it.

        The model reads so many tokens and no more; a DataWarning says where it stops in a description that is longer.
        """
        if note := self._left_out(words):
            warnings.warn(note, DataWarning, stacklevel=2)
        with torch.inference_mode():
            embedded = self._model.encode_text(self._tokenizer([words]).to(self._device))
        return unit_rows(embedded.float().cpu().numpy())[0]

    def _left_out(self, words: str) -> str:
        """In a sentence, what the model reads of a description and what it does not; nothing if it reads all."""
        length = getattr(self._tokenizer, "context_length", None)
        if not length or not self._holds("a", length) or self._holds(words, length):
            return ""
        reads = f"the model reads {length} tokens of a description"
        if getattr(self._tokenizer, "reduction_fn", None):  # of CLIPA
            return f"{reads}, so it leaves out some of these words by a rule of its own"
        # where words end, or signs of a text without spaces
        ends = [word.end() for word in re.finditer(r"\S+", words)]
        kept, unit = bisect_left(ends, True, key=lambda end: not self._holds(words[:end], length)), "words"
        if not kept:
            ends, unit = list(range(1, len(words) + 1)), "signs"
            kept = bisect_left(ends, True, key=lambda end: not self._holds(words[:end], length))
        last = plain(words[: ends[max(kept, 1) - 1]][::-1], _SHOWN)[::-1]  # cut at its beginning
        return f"{reads}: the first {kept} of {len(ends)} {unit}, up to {last!r}; the rest plays no part"

    def _holds(self, words: str, length: int) -> bool:
        """Whether all of ``words`` fits into ``length`` tokens: with room for more they are the same, then padding."""
        longer = self._tokenizer([words], context_length=2 * length)[0]
        return torch.equal(longer[:length], self._tokenizer([words])[0]) and longer[length:].unique().numel() == 1


def _unreadable(path: Path) -> str:
    """Why a file cannot be read, or nothing."""
    try:
        with path.open("rb"):
            return ""
    except FileNotFoundError:
        return "is not a file"
    except IsADirectoryError:
        return "is a folder and not a file"
    except OSError as error:
        return f"cannot be read ({error.strerror or error})"


def _open_clip() -> ModuleType:
    try:
        import open_clip
    except ImportError:
        raise UsageError("text queries need open_clip: pip install 'vptsp-workbench[text]'") from None
    return open_clip
