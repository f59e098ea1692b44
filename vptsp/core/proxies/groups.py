"""A batch grouped by class."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor


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
