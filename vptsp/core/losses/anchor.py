"""Proxy Anchor."""

from __future__ import annotations

import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from vptsp.core.losses.similarity import cosine_similarities, masked_log1p_sum_exp


def proxy_anchor(
    embeddings: Float[Tensor, "B E"],
    labels: Int[Tensor, " B"],
    proxies: Float[Tensor, "C E"],
    scale: float = 32.0,
    margin: float = 0.1,
    positive_mean: str = "present",
) -> Float[Tensor, ""]:
    """Proxy Anchor (Kim et al., CVPR 2020, eq. 4; VPTSP eq. 2).

    ``mean_c log(1 + sum_{x in c} exp(-a (s(x,q_c) - m))) + mean_c log(1 + sum_{x not in c} exp(a (s(x,q_c) + m)))``

    The first mean runs over the classes present in the batch, as both papers write it; with
    ``positive_mean="all"`` it runs over all C classes, as the published VPTSP code does, which scales the
    term by (classes present) / C.
    """
    similarity = cosine_similarities(embeddings, proxies)
    positive = F.one_hot(labels, len(proxies)).bool()
    pull = masked_log1p_sum_exp(-scale * (similarity - margin), positive, dim=0)
    push = masked_log1p_sum_exp(scale * (similarity + margin), ~positive, dim=0)
    divisor = len(proxies) if positive_mean == "all" else positive.any(dim=0).sum()
    return pull.sum() / divisor + push.mean()
