"""A loss of proxies by name, with its constants bound."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from jaxtyping import Float, Int
from torch import Tensor

from vptsp.core.errors import ConfigError
from vptsp.core.losses import LOSSES
from vptsp.core.losses.criterion import Criterion, make_criterion

Loss = Callable[[Float[Tensor, "B E"], Int[Tensor, " B"], Float[Tensor, "C E"]], Float[Tensor, ""]]


def make_loss(name: str, **constants: Any) -> Loss:
    """The loss ``name`` of :data:`~vptsp.core.losses.LOSSES`, with those of ``constants`` bound that it has.

    Constants of other losses are passed over, so that one set of settings serves every loss. It is computed without
    autocast, which would turn the product of unit vectors back into half precision.
    Raises :class:`~vptsp.core.errors.ConfigError` for names that are not known and for losses that need no proxies,
    which :func:`~vptsp.core.losses.criterion.make_criterion` makes.
    """
    if LOSSES.needs(name) != "proxies":
        raise ConfigError(f"loss {name!r} compares with no proxies; make it by make_criterion")
    criterion: Criterion = make_criterion(name, 0, 0, constants=constants)
    return criterion
