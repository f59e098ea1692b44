"""Proxy-NCA."""

from __future__ import annotations

import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from vptsp.core.losses.similarity import cosine_similarities


def proxy_nca(
    embeddings: Float[Tensor, "B E"], labels: Int[Tensor, " B"], proxies: Float[Tensor, "C E"], scale: float = 32.0
) -> Float[Tensor, ""]:
    """Proxy-NCA (Movshovitz-Attias et al., ICCV 2017) with the true proxy in the denominator.

    ``-log exp(-a d(x,q_y)) / sum_c exp(-a d(x,q_c))`` averaged over images, d the squared Euclidean distance
    of unit vectors; the form of ProxyNCA++ (Teh et al., ECCV 2020, section 3.2) and of pytorch-metric-learning.
    """
    squared_distance = 2 - 2 * cosine_similarities(embeddings, proxies)
    return F.cross_entropy(-scale * squared_distance, labels)
