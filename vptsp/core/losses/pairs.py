"""Which images a loss of pairs compares: the batch with itself, or with a gallery that holds the batch too."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from vptsp.core.losses.similarity import cosine_similarities


class Compared(NamedTuple):
    """Queries against a gallery. A query is neither its own positive nor its own negative."""

    similarities: Float[Tensor, "B M"]
    positive: Bool[Tensor, "B M"]  # of the query's class, other than itself
    negative: Bool[Tensor, "B M"]


def compare(
    embeddings: Float[Tensor, "B E"],
    labels: Int[Tensor, " B"],
    gallery: Float[Tensor, "M E"] | None = None,
    gallery_labels: Int[Tensor, " M"] | None = None,
    own: Int[Tensor, " B"] | None = None,
) -> Compared:
    """Cosines of a batch with a gallery, none: with itself; ``own`` (B,) is where each query stands in the gallery."""
    if gallery is None or gallery_labels is None:
        gallery, gallery_labels, own = embeddings, labels, torch.arange(len(labels), device=labels.device)
    same = labels[:, None] == gallery_labels[None]
    others = torch.ones_like(same)
    if own is not None:
        others[torch.arange(len(labels), device=labels.device), own] = False
    return Compared(cosine_similarities(embeddings, gallery), same & others, ~same)


class Ranks:
    """Soft ranks of each query's positives i: ``1 + sum_{j != i} sigmoid((s_j - s_i) / temperature)``."""

    def __init__(self, similarities: Float[Tensor, "B M"], positive: Bool[Tensor, "B M"], temperature: float) -> None:
        self.queries, items = positive.nonzero(as_tuple=True)  # (n,) each: one entry for each positive
        differences = similarities[self.queries] - similarities[self.queries, items][:, None]
        others = torch.arange(similarities.shape[1], device=items.device) != items[:, None]
        self._before = torch.sigmoid(differences / temperature) * others
        self._counts = positive.sum(dim=1)

    def among(self, mask: Bool[Tensor, "B M"]) -> Float[Tensor, " n"]:
        """The ranks among the gallery images of a mask."""
        return 1 + (self._before * mask[self.queries]).sum(dim=1)

    def sum_by_query(self, values: Float[Tensor, " n"]) -> Float[Tensor, " B"]:
        """Sums over the positives of each query."""
        return values.new_zeros(len(self._counts)).index_add(0, self.queries, values)

    @property
    def counts(self) -> Int[Tensor, " B"]:
        """Positives of each query; 1 where it has none, so that it can divide."""
        return self._counts.clamp_min(1)

    def mean(self, values: Float[Tensor, " B"]) -> Float[Tensor, ""]:
        """Mean over the queries that have a positive; 0, with a gradient of 0, where none has."""
        found = self._counts > 0
        return (values * found).sum() / found.sum().clamp_min(1) + 0 * self._before.sum()
