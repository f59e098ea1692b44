"""The anchor terms per image, which the published VPTSP code calls ``nca``."""

from __future__ import annotations

import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from vptsp.core.losses.similarity import cosine_similarities, masked_log1p_sum_exp


def image_anchor(
    embeddings: Float[Tensor, "B E"],
    labels: Int[Tensor, " B"],
    proxies: Float[Tensor, "C E"],
    scale: float = 32.0,
    margin: float = 0.1,
) -> Float[Tensor, ""]:
    """The anchor terms summed over proxies per image instead of over images per proxy, averaged over images.

    ``mean_x log(1 + exp(-a (s(x,q_y) - m))) + mean_x log(1 + sum_{c != y} exp(a (s(x,q_c) + m)))``, from the code
    published with VPTSP. It is not Proxy-NCA: positive and negative proxies sit in separate softplus terms instead of
    one softmax.
    """
    similarity = cosine_similarities(embeddings, proxies)
    positive = F.one_hot(labels, len(proxies)).bool()
    pull = masked_log1p_sum_exp(-scale * (similarity - margin), positive, dim=1)
    push = masked_log1p_sum_exp(scale * (similarity + margin), ~positive, dim=1)
    return pull.mean() + push.mean()
