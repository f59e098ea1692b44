"""What a model computes of images before its head, kept: while nothing before the head changes, one pass is enough.

A linear probe sees the same features after every epoch, and whitening changes nothing but the head. Whether something
changed is asked of the weights themselves, so nobody has to know of whom a model came.
"""

from __future__ import annotations

import hashlib
import weakref
from collections.abc import Iterator
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float
from torch import Tensor

from vptsp.data.image_set import ImageSet
from vptsp.data.loaders import EvalPasses
from vptsp.devices.world import World
from vptsp.settings.build import ConfiguredModel

if TYPE_CHECKING:
    import lightning_fabric as lightning

KEPT_BYTES = 1 << 28  # of one set of images; what is larger is computed each time
_kept: weakref.WeakKeyDictionary[ImageSet, tuple[str, list[Tensor]]] = weakref.WeakKeyDictionary()
_frozen: weakref.WeakKeyDictionary[torch.nn.Module, dict[str, tuple[int, int, bytes]]] = weakref.WeakKeyDictionary()


@torch.no_grad()
def head_features(
    model: ConfiguredModel, images: ImageSet, passes: EvalPasses, fabric: lightning.Fabric, world: World
) -> Iterator[Float[Tensor, "B D"]]:
    """What the head sees of this process's batches of a set, in order, on the device, in the precision of the run.

    They are the features of the last pass over the same set, to the bit, where all that they depend on is as it was.
    The model has to be in evaluation mode.
    """
    state = _state(model, images, passes, fabric, world)
    known = _kept.get(images)
    if known is not None and known[0] == state:
        for features in known[1]:
            yield features.to(fabric.device)
        return
    kept: list[Tensor] = []
    size = 0
    for batch, _, _ in passes.over(images, world.turn):
        with fabric.autocast():
            features = model.head_features(batch.to(fabric.device))
        size += features.nbytes
        if size <= KEPT_BYTES:
            kept.append(features.cpu())
        yield features
    if size <= KEPT_BYTES:
        _kept[images] = state, kept


def _state(model: ConfiguredModel, images: ImageSet, passes: EvalPasses, fabric: lightning.Fabric, world: World) -> str:
    """A digest of everything that the features of a set depend on, but for the set."""
    digest = hashlib.sha256()
    by = (passes.transform, passes.batch_size, world.turn, fabric.device, fabric.strategy.precision.precision)
    for said in (model.config.model_dump_json(), model.kernel, *by):
        digest.update(f"{said}\n".encode())
    for name, value in model.before_head():
        digest.update(f"{name} {value.dtype} {tuple(value.shape)}\n".encode())
        digest.update(_digest(model, name, value))
    return digest.hexdigest()


def _digest(model: ConfiguredModel, name: str, value: Tensor) -> bytes:
    """Of the numbers of a tensor; of what is frozen, once while it is the same tensor and nothing was written to it."""
    seen, now = _frozen.setdefault(model, {}), (id(value), value._version)
    if not value.requires_grad and (known := seen.get(name)) and known[:2] == now:
        return known[2]
    numbers = value.detach().contiguous().cpu().reshape(-1).view(torch.uint8).numpy()
    result = hashlib.sha256(numbers.data).digest()
    if not value.requires_grad:
        seen[name] = (*now, result)
    return result
