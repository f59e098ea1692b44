"""Semantic proxies: a container of one unit vector per class, accumulated from images, and its fusion.

VPTSP section 4.3 (arXiv 2402.02340). The semantic tower turns each image into a feature ``s``; the
features of a class are folded into the class's row of the container by a moving average (VPTSP-M,
eq. 3) or a GRU (VPTSP-G, eqs 4-7); the result is fused with an ordinary learned proxy (eq. 8).
"""

from __future__ import annotations

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
