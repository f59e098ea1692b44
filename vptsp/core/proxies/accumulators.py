"""What folds the images of a class into its semantic proxy: the moving average, the GRU, and VPTSP's ablations.

A unit takes the container's rows of the batch's classes (U, E), the features of its images (B, E) and their
:class:`~vptsp.core.proxies.container.ClassGroups`, and returns the state for this step's loss and the one to store,
both not yet normalised. The published code names RNN, LSTM and cross-attention (table 7) without defining them; the
definitions here are ours.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from vptsp.core.proxies.container import ClassGroups

States = tuple[Float[Tensor, "U E"], Float[Tensor, "U E"]]


def one_after_another(
    state: Float[Tensor, "U E"],
    features: Float[Tensor, "B E"],
    groups: ClassGroups,
    cell: Callable[[Tensor, Tensor], Tensor],
) -> Float[Tensor, "U E"]:
    """Apply ``cell(feature, state)`` to the images of each class in batch order."""
    for turn in range(int(groups.rank.max()) + 1):
        chosen = (groups.rank == turn).nonzero().squeeze(1)  # at most one image of each class
        rows = groups.index[chosen]
        state = state.index_copy(0, rows, cell(features[chosen], state[rows]))
    return state


class MovingAverage(nn.Module):
    """VPTSP-M, eq. 3: ``g = rho * G_c + (1 - rho) * mean_k(s)``."""

    def __init__(self, keep: float) -> None:
        super().__init__()
        self.keep = keep

    def forward(self, state: Float[Tensor, "U E"], features: Float[Tensor, "B E"], groups: ClassGroups) -> States:
        new = self.keep * state + (1 - self.keep) * groups.mean(features)
        return new, new


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


class PlainRecurrent(nn.Module):
    """``h <- tanh(W s + U h + b)``, torch's RNN cell, image after image."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.cell = nn.RNNCell(size, size)

    def forward(self, state: Float[Tensor, "U E"], features: Float[Tensor, "B E"], groups: ClassGroups) -> States:
        new = one_after_another(state, features, groups, self.cell)
        return new, new


class LongShortTerm(nn.Module):
    """torch's LSTM cell, image after image; in each batch hidden and cell state both start from the class's row."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.cell = nn.LSTMCell(size, size)

    def forward(self, state: Float[Tensor, "U E"], features: Float[Tensor, "B E"], groups: ClassGroups) -> States:
        both = torch.cat([state, state], dim=1)
        both = one_after_another(both, features, groups, self._step)
        new = both.chunk(2, dim=1)[0]
        return new, new

    def _step(self, features: Tensor, both: Tensor) -> Tensor:
        return torch.cat(self.cell(features, both.chunk(2, dim=1)), dim=1)


class CrossAttention(nn.Module):
    """``h <- h + attention(query h; keys and values: h and the images of the class)``, one head."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(size, num_heads=1, batch_first=True)

    def forward(self, state: Float[Tensor, "U E"], features: Float[Tensor, "B E"], groups: ClassGroups) -> States:
        own = F.one_hot(groups.index, len(state)).T.bool()  # (U, B): the images of each class
        memory = torch.cat([state.unsqueeze(1), features.expand(len(state), -1, -1)], dim=1)
        hidden = torch.cat([torch.zeros_like(own[:, :1]), ~own], dim=1)
        mixed, _ = self.attention(state.unsqueeze(1), memory, memory, key_padding_mask=hidden, need_weights=False)
        new = state + mixed.squeeze(1)
        return new, new


UNITS = {"rnn": PlainRecurrent, "lstm": LongShortTerm, "attention": CrossAttention}
