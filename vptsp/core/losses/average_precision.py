"""Smooth-AP: average precision with sigmoids in the place of steps."""

from __future__ import annotations

from jaxtyping import Float, Int
from torch import Tensor

from vptsp.core.losses.pairs import Ranks, compare


def smooth_ap(
    embeddings: Float[Tensor, "B E"],
    labels: Int[Tensor, " B"],
    gallery: Float[Tensor, "M E"] | None = None,
    gallery_labels: Int[Tensor, " M"] | None = None,
    own: Int[Tensor, " B"] | None = None,
    *,
    temperature: float = 0.01,
    count_query: bool = False,
) -> Float[Tensor, ""]:
    """Smooth-AP (Brown et al., ECCV 2020, arXiv 2007.12163, section 3): ``mean_q (1 - AP_q)``.

    ``AP_q = mean_{i in P} (1 + sum_{j in P, j != i} g(s_j - s_i)) / (1 + sum_{j in P or N, j != i} g(s_j - s_i))``
    with ``g(x) = 1 / (1 + exp(-x / temperature))``, s the cosines with the query, P and N the images of its class and
    of others. The query itself is not in P; with ``count_query`` it is, at rank 1, as in the published code and in
    pytorch-metric-learning, which makes a loss smaller by the factor ``|P| / (|P| + 1)`` and changes its gradient.
    """
    similarities, positive, negative = compare(embeddings, labels, gallery, gallery_labels, own)
    if count_query:
        positive = ~negative
    ranks = Ranks(similarities, positive, temperature)
    precision = ranks.among(positive) / ranks.among(positive | negative)
    return ranks.mean(1 - ranks.sum_by_query(precision) / ranks.counts)
