"""Normalised softmax."""

from __future__ import annotations

import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from vptsp.core.losses.similarity import cosine_similarities


def normalized_softmax(
    embeddings: Float[Tensor, "B E"], labels: Int[Tensor, " B"], proxies: Float[Tensor, "C E"], scale: float = 32.0
) -> Float[Tensor, ""]:
    """Normalised softmax (Zhai and Wu, BMVC 2019, eq. 3): cross-entropy over scaled cosines; temperature 1/scale.

    ``-log exp(a s(x,q_y)) / sum_c exp(a s(x,q_c))``, averaged over images.
    """
    return F.cross_entropy(scale * cosine_similarities(embeddings, proxies), labels)
