"""A loss by name, with its constants bound."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from vptsp.core.losses import LOSSES

Loss = Callable[[Float[Tensor, "B E"], Int[Tensor, " B"], Float[Tensor, "C E"]], Float[Tensor, ""]]


def make_loss(name: str, **constants: Any) -> Loss:
    """The loss ``name`` of :data:`~vptsp.core.losses.LOSSES`, with those of ``constants`` bound that it has.

    Constants of other losses are passed over, so that one set of settings serves every loss. It is computed without
    autocast, which would turn the product of unit vectors back into half precision.
    Raises :class:`~vptsp.core.errors.ConfigError` for names that are not known.
    """
    function = LOSSES.load(name)
    taken = inspect.signature(function).parameters
    own = {key: value for key, value in constants.items() if key in taken}

    def loss(embeddings: Tensor, labels: Tensor, proxies: Tensor) -> Tensor:
        with torch.autocast(embeddings.device.type, enabled=False):
            result: Tensor = function(embeddings, labels, proxies, **own)
            return result

    return loss
