"""A loss as training holds it: what it compares with, the weights and the memory that are its own."""

from __future__ import annotations

import difflib
import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from vptsp.core.errors import ConfigError
from vptsp.core.losses import LOSSES
from vptsp.core.losses.catalogue import PREFIX, Needs
from vptsp.core.losses.library import LibraryThing, library_loss, takes_gallery
from vptsp.core.losses.memory import CrossBatchMemory

_GIVEN = ("self", "embeddings", "labels", "proxies", "gallery", "gallery_labels", "own", "num_classes", "size")


class Criterion(nn.Module):
    """A loss of embeddings (B, E) and labels (B,), and of proxies where it :attr:`needs` them.

    Its parameters train with the learned proxies, at their rate; its buffers are what it remembers. Both are in the
    checkpoints that training resumes from, and in none that embeds images. It is computed in fp32, without autocast.
    """

    def __init__(
        self, loss: Callable[..., Tensor], needs: Needs = "proxies", memory: CrossBatchMemory | None = None
    ) -> None:
        super().__init__()
        self.loss, self.needs, self.memory = loss, needs, memory

    def forward(
        self,
        embeddings: Float[Tensor, "B E"],
        labels: Int[Tensor, " B"],
        proxies: Float[Tensor, "C E"] | None = None,
    ) -> Float[Tensor, ""]:
        """The loss of a batch; in training mode the batch goes into the memory, if there is one."""
        with torch.autocast(embeddings.device.type, enabled=False):
            embeddings = embeddings.float()
            if self.needs == "proxies":
                return self.loss(embeddings, labels, proxies)
            if self.memory is None or not self.training:
                return self.loss(embeddings, labels)
            own = self.memory.take(embeddings, labels)
            gallery, gallery_labels = self.memory.gallery()
            return self.loss(embeddings, labels, gallery=gallery, gallery_labels=gallery_labels, own=own)


def make_criterion(
    name: str,
    num_classes: int,
    size: int,
    *,
    constants: Mapping[str, Any] | None = None,
    arguments: Mapping[str, Any] | None = None,
    miner: str | None = None,
    miner_arguments: Mapping[str, Any] | None = None,
    memory: int = 0,
    batch: tuple[int, int] = (8, 2),
) -> Criterion:
    """The loss ``name``: one of :data:`~vptsp.core.losses.LOSSES`, or ``pml:NAME`` of pytorch-metric-learning.

    - ``constants``: of those the loss takes what it has (one set serves every loss); ``arguments``: it must have all.
    - ``miner``: ``pml:NAME``, with ``miner_arguments``; for losses of that library.
    - ``memory``: embeddings of a cross-batch memory, for losses of pairs; 0: none.
    - ``batch``: classes in a batch and images of each.

    Raises :class:`ConfigError` for names and arguments that are not known, a library that is not installed, and for a
    miner or a memory that the loss cannot use.
    """
    given, mining = dict(arguments or {}), None
    if miner is not None:
        mining = LibraryThing("miner", _of_library("miner", miner), miner_arguments or {})
    if name.startswith(PREFIX):
        thing = LibraryThing("loss", name.removeprefix(PREFIX), given)
        needs = thing.needs(batch)
        loss: Callable[..., Tensor] = library_loss(thing, mining, num_classes, size, batch)
        remembers = needs == "pairs" and takes_gallery(thing)
    else:
        if mining is not None:
            raise ConfigError(
                f"{mining} picks pairs for losses of pytorch-metric-learning, and loss={name!r} is none; choose one "
                f"such as loss={PREFIX}MultiSimilarityLoss, or drop miner"
            )
        needs = LOSSES.needs(name)
        loss = _own(name, num_classes, size, {**_those_of(name, constants or {}), **given})
        remembers = needs == "pairs"
    if memory and not remembers:
        raise ConfigError(
            f"loss_memory={memory} keeps images of earlier batches for a loss of pairs to compare with, and "
            f"loss={name!r} compares with {'other images of the batch alone' if needs == 'pairs' else needs}; "
            f"choose one such as loss={PREFIX}ContrastiveLoss, or use loss_memory=0"
        )
    if 0 < memory < batch[0] * batch[1]:
        raise ConfigError(
            f"loss_memory={memory} holds less than one batch of {batch[0] * batch[1]} images; make it a few batches, "
            f"such as {8 * batch[0] * batch[1]}"
        )
    return Criterion(loss, needs, CrossBatchMemory(memory, size) if memory else None)


def loss_needs(name: str, arguments: Mapping[str, Any] | None = None, batch: tuple[int, int] = (8, 2)) -> Needs:
    """What a loss compares embeddings with; see :func:`make_criterion`, which also says what it raises."""
    if name.startswith(PREFIX):
        return LibraryThing("loss", name.removeprefix(PREFIX), arguments or {}).needs(batch)
    return LOSSES.needs(name)


def _of_library(setting: str, name: str) -> str:
    if not name.startswith(PREFIX):
        raise ConfigError(
            f"{setting}={name!r} is not known; write {setting}={PREFIX}{name} for one of pytorch-metric-learning"
        )
    return name.removeprefix(PREFIX)


def constants_of(name: str) -> dict[str, inspect.Parameter]:
    """The constants of a loss of :data:`~vptsp.core.losses.LOSSES`."""
    parameters = inspect.signature(LOSSES.load(name)).parameters
    return {key: p for key, p in parameters.items() if key not in _GIVEN}


def _those_of(name: str, constants: Mapping[str, Any]) -> dict[str, Any]:
    takes = constants_of(name)
    return {key: value for key, value in constants.items() if key in takes}


def _own(name: str, num_classes: int, size: int, constants: Mapping[str, Any]) -> Callable[..., Tensor]:
    thing: Any = LOSSES.load(name)
    takes = constants_of(name)
    for key in constants:
        if key not in takes:
            near = difflib.get_close_matches(key, takes, n=2)
            hint = f"did you mean {' or '.join(near)}? " if near else ""
            listed = ", ".join(f"{p.name}={p.default!r}" for p in takes.values())
            raise ConfigError(f"loss={name!r} has no argument {key!r}; {hint}It takes {listed or 'none'} (loss_args)")
    if not isinstance(thing, type):
        return functools.partial(thing, **constants)
    run = {"num_classes": num_classes, "size": size}
    wanted = inspect.signature(thing).parameters
    build: Any = thing  # which a check for a class has narrowed to any object
    return build(**{key: run[key] for key in run if key in wanted}, **constants)
