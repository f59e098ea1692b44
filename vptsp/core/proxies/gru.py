"""VPTSP-G: the GRU."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from vptsp.core.proxies.groups import ClassGroups
from vptsp.core.proxies.one_by_one import States, one_after_another


class GatedUnit(nn.Module):
    """VPTSP-G, eqs 4-7: a GRU cell applied to the images of a class one after another.

    ``z = sig(s W_iz + h W_hz + b_z)``, ``r = sig(s W_ir + h W_hr + b_r)``,
    ``n = act(s W_in + r * (h W_hn) + b_n)``, ``h <- (1 - z) * n + z * h``, from ``h = G_c``.
    The published configurations use ``act = relu``, which keeps states in the non-negative orthant.

    Returns the state for this step's loss and the one to store, both not yet normalised. They differ only
    under dropout, which by default does not reach the container; ``store_dropped`` is the published way.
    """

    def __init__(self, size: int, activation: str = "relu", dropout: float = 0.0, store_dropped: bool = False) -> None:
        super().__init__()
        # Columns are the r, z and n gates, in this order; x @ W as in the equations.
        self.weight_input = nn.Parameter(torch.empty(size, 3 * size))
        self.weight_state = nn.Parameter(torch.empty(size, 3 * size))
        self.bias = nn.Parameter(torch.zeros(3 * size))
        for weight in (self.weight_input, self.weight_state):
            for gate in weight.data.chunk(3, dim=1):
                nn.init.xavier_uniform_(gate)
        self.activation: Callable[[Tensor], Tensor] = F.relu if activation == "relu" else torch.tanh
        self.dropout = dropout
        self.store_dropped = store_dropped

    def cell(self, inputs: Float[Tensor, "U E"], state: Float[Tensor, "U E"]) -> Float[Tensor, "U E"]:
        """One step of the GRU."""
        reset_in, update_in, new_in = (inputs @ self.weight_input + self.bias).chunk(3, dim=1)
        reset_state, update_state, new_state = (state @ self.weight_state).chunk(3, dim=1)
        reset, update = torch.sigmoid(reset_in + reset_state), torch.sigmoid(update_in + update_state)
        return (1 - update) * self.activation(new_in + reset * new_state) + update * state

    def forward(self, state: Float[Tensor, "U E"], features: Float[Tensor, "B E"], groups: ClassGroups) -> States:
        state = one_after_another(state, features, groups, self.cell)
        dropped = F.dropout(state, self.dropout, self.training)
        return dropped, dropped if self.store_dropped else state
