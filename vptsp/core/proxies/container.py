"""The semantic proxies of all classes: a buffer of unit rows (VPTSP section 4.3, arXiv 2402.02340)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn


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

    @property
    def has_begun(self) -> bool:
        """Whether any class has been seen: before that all rows are the random directions of the start."""
        return bool(self.visits.any())

    def update(
        self, classes: Int[Tensor, " U"], used: Float[Tensor, "U E"], stored: Float[Tensor, "U E"]
    ) -> Float[Tensor, "C E"]:
        """Write this step's rows; return the container for the loss, whose gradient reaches only those rows."""
        current = F.normalize(self.rows.index_copy(0, classes, used), dim=1)
        kept = current if used is stored else F.normalize(self.rows.index_copy(0, classes, stored), dim=1)
        self.rows = kept.detach()
        self.visits = self.visits.index_add(0, classes, torch.ones_like(classes))
        return current
