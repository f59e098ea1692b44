"""The surrogate of recall at k: sigmoids in the place of both of its steps."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor

from vptsp.core.losses.pairs import Ranks, compare


def recall_at_k_surrogate(
    embeddings: Float[Tensor, "B E"],
    labels: Int[Tensor, " B"],
    gallery: Float[Tensor, "M E"] | None = None,
    gallery_labels: Int[Tensor, " M"] | None = None,
    own: Int[Tensor, " B"] | None = None,
    *,
    ks: Sequence[int] = (1, 2, 4, 8, 16),
    rank_temperature: float = 1.0,
    temperature: float = 0.01,
) -> Float[Tensor, ""]:
    """Recall@k surrogate (Patel, Tolias, Matas, CVPR 2022, arXiv 2108.11179, section 3): ``mean_q mean_k (1 - R_qk)``.

    ``R_qk = sum_{x in P} sigmoid((k - r_x) / rank_temperature) / min(k, |P|)``, with the soft rank
    ``r_x = 1 + sum_{z != x} sigmoid((s_z - s_x) / temperature)`` over all images but the query, s the cosines with it
    and P the other images of its class. The divisor lets it reach 1 with fewer than k positives, and with more, as the
    published code has it; the paper's similarity mixup is no part of it.
    """
    similarities, positive, negative = compare(embeddings, labels, gallery, gallery_labels, own)
    ranks = Ranks(similarities, positive, temperature)
    rank = ranks.among(positive | negative)
    lost = torch.zeros_like(similarities[:, 0])
    for k in ks:
        found = ranks.sum_by_query(torch.sigmoid((k - rank) / rank_temperature))
        lost = lost + 1 - found / ranks.counts.clamp_max(k)
    return ranks.mean(lost / len(ks))
