"""Semantic proxies: a container of one unit vector per class, accumulated from images, and its fusion.

VPTSP section 4.3 (arXiv 2402.02340). The semantic tower turns each image into a feature ``s``; the
features of a class are folded into the class's row of the container by a moving average (VPTSP-M,
eq. 3) or a GRU (VPTSP-G, eqs 4-7); the result is fused with an ordinary learned proxy (eq. 8).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn


@dataclass(frozen=True)
class ClassGroups:
    """A batch grouped by class, whatever its order.

    ``classes`` (U,) are the distinct labels, ``index`` (B,) the row of each image in ``classes``,
    ``rank`` (B,) its place among the images of its class, in batch order.
    """

    classes: Int[Tensor, " U"]
    index: Int[Tensor, " B"]
    rank: Int[Tensor, " B"]

    @classmethod
    def of(cls, labels: Int[Tensor, " B"]) -> ClassGroups:
        classes, index, counts = labels.unique(return_inverse=True, return_counts=True)
        order = index.argsort(stable=True)
        starts = counts.cumsum(0) - counts
        rank = torch.empty_like(index)
        rank[order] = torch.arange(len(index), device=labels.device) - starts.repeat_interleave(counts)
        return cls(classes, index, rank)

    def mean(self, values: Float[Tensor, "B E"]) -> Float[Tensor, "U E"]:
        """The mean of each class."""
        sums = values.new_zeros(len(self.classes), values.shape[1]).index_add(0, self.index, values)
        return sums / torch.bincount(self.index, minlength=len(self.classes)).unsqueeze(1)


class MovingAverage(nn.Module):
    """VPTSP-M, eq. 3: ``g = rho * G_c + (1 - rho) * mean_k(s)``."""

    def __init__(self, keep: float) -> None:
        super().__init__()
        self.keep = keep

    def forward(
        self, state: Float[Tensor, "U E"], features: Float[Tensor, "B E"], groups: ClassGroups
    ) -> tuple[Float[Tensor, "U E"], Float[Tensor, "U E"]]:
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

    def forward(
        self, state: Float[Tensor, "U E"], features: Float[Tensor, "B E"], groups: ClassGroups
    ) -> tuple[Float[Tensor, "U E"], Float[Tensor, "U E"]]:
        for turn in range(int(groups.rank.max()) + 1):
            chosen = (groups.rank == turn).nonzero().squeeze(1)  # at most one image of each class
            rows = groups.index[chosen]
            state = state.index_copy(0, rows, self.cell(features[chosen], state[rows]))
        dropped = F.dropout(state, self.dropout, self.training)
        return dropped, dropped if self.store_dropped else state


class SemanticContainer(nn.Module):
    """The semantic proxies G (C, E): a buffer of unit rows, random at start, saved with the model.

    ``visits`` (C,) counts the batches in which a class has been seen.
    """

    rows: Tensor
    visits: Tensor

    def __init__(self, num_classes: int, size: int) -> None:
        super().__init__()
        rows = nn.init.xavier_uniform_(torch.empty(num_classes, size))
        self.register_buffer("rows", F.normalize(rows, dim=1))
        self.register_buffer("visits", torch.zeros(num_classes, dtype=torch.long))

    def update(
        self, classes: Int[Tensor, " U"], used: Float[Tensor, "U E"], stored: Float[Tensor, "U E"]
    ) -> Float[Tensor, "C E"]:
        """Write this step's rows; return the container for the loss, whose gradient reaches only those rows."""
        current = F.normalize(self.rows.index_copy(0, classes, used), dim=1)
        kept = current if used is stored else F.normalize(self.rows.index_copy(0, classes, stored), dim=1)
        self.rows = kept.detach()
        self.visits = self.visits.index_add(0, classes, torch.ones_like(classes))
        return current


def fuse(learned: Float[Tensor, "C E"], semantic: Float[Tensor, "C E"], alpha: float) -> Float[Tensor, "C E"]:
    """``q = alpha * O + (1 - alpha) * G`` (eq. 8), not normalised; losses normalise proxies themselves."""
    return alpha * learned + (1 - alpha) * semantic


def learned_proxies(num_classes: int, size: int) -> nn.Parameter:
    """Ordinary proxies O (C, E): Xavier uniform / 8, as published."""
    return nn.Parameter(nn.init.xavier_uniform_(torch.empty(num_classes, size)) / 8)
