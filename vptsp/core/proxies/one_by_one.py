"""What the accumulators share: the images of each class one after another."""

from __future__ import annotations

from collections.abc import Callable

from jaxtyping import Float
from torch import Tensor

from vptsp.core.proxies.groups import ClassGroups

States = tuple[Float[Tensor, "U E"], Float[Tensor, "U E"]]  # for the loss of this step, and to be stored


def one_after_another(
    state: Float[Tensor, "U S"],
    features: Float[Tensor, "B E"],
    groups: ClassGroups,
    cell: Callable[[Tensor, Tensor], Tensor],
) -> Float[Tensor, "U S"]:
    """Apply ``cell(feature, state)`` to the images of each class in batch order; S numbers are a class's state."""
    for turn in range(int(groups.rank.max()) + 1):
        chosen = (groups.rank == turn).nonzero().squeeze(1)  # at most one image of each class
        rows = groups.index[chosen]
        state = state.index_copy(0, rows, cell(features[chosen], state[rows]))
    return state
