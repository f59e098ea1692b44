"""Weight files: read without unpickling objects, unwrapped, and fitted to a model.

People's files nest the tensors (``model``, ``state_dict``, ``teacher``, ...) and prefix their names (``module.``,
``backbone.``, ``teacher.backbone.``, ...). Both are found from the names of the model itself. Heads are left out,
position embeddings of other sizes are resampled, and original layouts (DINOv3's, SigLIP 2's, ...) renamed, as timm
does for its own downloads.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import io
from collections.abc import Iterable, Mapping
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor

from vptsp.core.backbones.family import Family
from vptsp.core.errors import BackboneError

# What files call the part that holds the tensors, the better first: averaged weights and teachers before others.
_NESTS = ("state_dict_ema", "model_ema", "ema", "teacher", "state_dict", "model", "module", "network", "student")
_HEADS = ("head", "fc.", "classifier", "pre_logits", "last_linear", "dino_head", "ibot_head")
_PRETRAINING = ("mask_token", "mask_embed", "decoder", "rope_embed", "local_cls_norm")  # used in pretraining only
_NAMED = 3  # of the tensors that do not fit


def load_weights(model: Any, family: Family, path: Path, name: str) -> None:
    """Fill ``model`` from the file. Raises :class:`BackboneError` that says which tensors do not fit, and how many."""
    if path.suffix == ".npz":
        if not hasattr(model, "load_pretrained"):
            raise BackboneError(
                f"{path} is in the format of JAX, which timm cannot read for {name}; pass a .safetensors or .pth file"
            )
        _require_blocks(path, family, model, name)
        model.load_pretrained(str(path))
        return
    raw = _tensors(_read(path), path)
    own = model.state_dict()
    best: tuple[int, str, dict[str, Tensor]] | None = None
    for prefix in _prefixes(raw, own):
        state = {key.removeprefix(prefix): value for key, value in raw.items() if key.startswith(prefix)}
        try:
            with contextlib.redirect_stdout(io.StringIO()):  # timm prints what it finds of DINOv3's biases
                fitted = _without_heads(family.fit_checkpoint(state, model), own)
        except Exception:  # timm's renaming of tensors that are not what their names say
            continue
        fits = sum(key in own and own[key].shape == value.shape for key, value in fitted.items())
        if best is None or fits > best[0]:
            best = (fits, prefix, fitted)
        if fits == len(own) == len(fitted):
            break
    fits, prefix, fitted = best or (0, "", raw)
    if fits == len(own) == len(fitted):
        model.load_state_dict(fitted)
        return
    raise BackboneError(f"{path} does not hold weights of {name}: {_difference(fitted, own, fits, prefix)}")


def _require_blocks(path: Path, family: Family, model: Any, name: str) -> None:
    """Refuse a file in JAX's format with more blocks than the model has: timm would take the first of them."""
    with np.load(path) as arrays:  # never unpickles
        names = [key.partition("Transformer/")[2] for key in arrays.files if "txt/" not in key]
        stacked = [key for key in arrays.files if key.endswith("Transformer/encoderblock/LayerNorm_0/scale")]
        found = len(arrays[stacked[0]]) if stacked else len({n.split("/")[0] for n in names if "encoderblock_" in n})
    if found > family.depth(model):
        raise BackboneError(
            f"{path} does not hold weights of {name}: it has {found} blocks, and the model {family.depth(model)}"
        )


def _read(path: Path) -> Any:
    if path.suffix == ".safetensors":
        return load_file(path)
    try:
        with torch.serialization.safe_globals([argparse.Namespace]):  # settings that many files carry along
            return torch.load(path, map_location="cpu", weights_only=True)
    except UnpicklingError as error:
        asked = torch.serialization.get_unsafe_globals_in_checkpoint(path) if _is_archive(path) else []
        if not asked:
            raise
        raise BackboneError(
            f"{path} does not hold weights alone: it has objects ({', '.join(asked[:_NAMED])}), and loading these "
            "would run code; save its state_dict alone, best as .safetensors"
        ) from error


def _is_archive(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(2) == b"PK"


def _tensors(content: Any, path: Path) -> dict[str, Tensor]:
    """The tensors of a file by name, from as deep as they are nested."""
    while isinstance(content, Mapping):
        nest = next((name for name in _NESTS if isinstance(content.get(name), Mapping) and content[name]), None)
        if nest is None:
            break
        content = content[nest]
    if isinstance(content, Mapping):
        found = {str(name): value for name, value in content.items() if isinstance(value, Tensor)}
        if found:
            return found
    raise BackboneError(f"{path} does not hold weights: it has no tensors by name; save a model's state_dict")


def _prefixes(raw: Iterable[str], own: Mapping[str, Tensor]) -> list[str]:
    """Beginnings of names behind which the model's own names stand, the most frequent first; at last none."""
    votes: collections.Counter[str] = collections.Counter()
    first: collections.Counter[str] = collections.Counter()
    for name in raw:
        parts = name.split(".")
        for cut in range(len(parts)):
            if ".".join(parts[cut:]) in own:
                votes[".".join([*parts[:cut], ""]) if cut else ""] += 1
        first.update(f"{'.'.join(parts[:cut])}." for cut in (1, 2) if cut < len(parts))
    voted = [prefix for prefix, _ in votes.most_common(3)]
    # layouts that timm renames have few names in common with the model
    return list(dict.fromkeys([*voted, "", *(prefix for prefix, _ in first.most_common(2))]))


def _without_heads(state: Mapping[str, Any], own: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Without classifiers and what only pretraining uses, unless the model has it."""
    return {
        name: value
        for name, value in state.items()
        if isinstance(value, Tensor) and (name in own or not name.startswith((*_HEADS, *_PRETRAINING)))
    }


def _difference(found: Mapping[str, Tensor], own: Mapping[str, Tensor], fits: int, prefix: str) -> str:
    """What does not fit, in numbers and by some names."""
    missing = [name for name in own if name not in found]
    other = [
        f"{name} {_shape(found[name])} for {_shape(own[name])}"
        for name in own
        if name in found and found[name].shape != own[name].shape
    ]
    extra = [prefix + name for name in found if name not in own]
    parts = [f"{fits} of its {len(own)} tensors fit"]
    for what, names in (("missing", missing), ("of another shape", other), ("unknown", extra)):
        if names:
            more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
            parts.append(f"{len(names)} {what} ({', '.join(names[:_NAMED])}{more})")
    return "; ".join(parts)


def _shape(value: Tensor) -> str:
    return "x".join(map(str, value.shape)) or "scalar"
