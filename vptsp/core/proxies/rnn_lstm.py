"""Two recurrent cells in the place of the GRU (VPTSP table 7)."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from vptsp.core.proxies.groups import ClassGroups
from vptsp.core.proxies.one_by_one import States, one_after_another


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
