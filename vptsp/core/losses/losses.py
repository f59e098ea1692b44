"""Proxy losses. All take unit or raw embeddings (B, E), labels (B,) and proxies (C, E) and return a scalar.

Embeddings and proxies are L2-normalised inside, similarities are cosines, and everything is computed in
fp32 even under mixed precision: scaled by 32, a bf16 cosine near 0.9 moves in steps of 0.1.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from vptsp.settings.config import Config

Loss = Callable[[Float[Tensor, "B E"], Int[Tensor, " B"], Float[Tensor, "C E"]], Float[Tensor, ""]]


def cosine_similarities(embeddings: Float[Tensor, "B E"], proxies: Float[Tensor, "C E"]) -> Float[Tensor, "B C"]:
    """Cosine of every embedding with every proxy, in fp32."""
    return F.normalize(embeddings.float(), dim=1) @ F.normalize(proxies.float(), dim=1).T


def _masked_log1p_sum_exp(terms: Tensor, mask: Tensor, dim: int) -> Tensor:
    """``log(1 + sum over mask of exp(terms))`` along ``dim``; 0 where the mask is empty."""
    terms = terms.masked_fill(~mask, float("-inf"))
    one = torch.zeros_like(terms.select(dim, 0)).unsqueeze(dim)  # exp(0), the 1 of the formula
    return torch.cat([one, terms], dim=dim).logsumexp(dim=dim)


def proxy_anchor(
    embeddings: Tensor,
    labels: Tensor,
    proxies: Tensor,
    scale: float = 32.0,
    margin: float = 0.1,
    positive_mean: str = "present",
) -> Tensor:
    """Proxy Anchor (Kim et al., CVPR 2020, eq. 4; VPTSP eq. 2).

    ``mean_c log(1 + sum_{x in c} exp(-a (s(x,q_c) - m))) + mean_c log(1 + sum_{x not in c} exp(a (s(x,q_c) + m)))``

    The first mean runs over the classes present in the batch, as both papers write it; with
    ``positive_mean="all"`` it runs over all C classes, as the published VPTSP code does, which scales the
    term by (classes present) / C.
    """
    similarity = cosine_similarities(embeddings, proxies)
    positive = F.one_hot(labels, len(proxies)).bool()
    pull = _masked_log1p_sum_exp(-scale * (similarity - margin), positive, dim=0)
    push = _masked_log1p_sum_exp(scale * (similarity + margin), ~positive, dim=0)
    divisor = len(proxies) if positive_mean == "all" else positive.any(dim=0).sum()
    return pull.sum() / divisor + push.mean()


def image_anchor(
    embeddings: Tensor, labels: Tensor, proxies: Tensor, scale: float = 32.0, margin: float = 0.1
) -> Tensor:
    """The anchor terms summed over proxies per image instead of over images per proxy, averaged over images.

    The published VPTSP code calls this ``nca``. It is not Proxy-NCA: positive and negative proxies sit in
    separate softplus terms instead of one softmax.
    """
    similarity = cosine_similarities(embeddings, proxies)
    positive = F.one_hot(labels, len(proxies)).bool()
    pull = _masked_log1p_sum_exp(-scale * (similarity - margin), positive, dim=1)
    push = _masked_log1p_sum_exp(scale * (similarity + margin), ~positive, dim=1)
    return pull.mean() + push.mean()


def proxy_nca(embeddings: Tensor, labels: Tensor, proxies: Tensor, scale: float = 32.0) -> Tensor:
    """Proxy-NCA (Movshovitz-Attias et al., ICCV 2017) with the true proxy in the denominator.

    ``-log exp(-a d(x,q_y)) / sum_c exp(-a d(x,q_c))`` averaged over images, d the squared Euclidean distance
    of unit vectors; the form of ProxyNCA++ (Teh et al., ECCV 2020, section 3.2) and of pytorch-metric-learning.
    """
    squared_distance = 2 - 2 * cosine_similarities(embeddings, proxies)
    return F.cross_entropy(-scale * squared_distance, labels)


def normalized_softmax(embeddings: Tensor, labels: Tensor, proxies: Tensor, scale: float = 32.0) -> Tensor:
    """Normalised softmax (Zhai and Wu, BMVC 2019, eq. 3): cross-entropy over scaled cosines; temperature 1/scale."""
    return F.cross_entropy(scale * cosine_similarities(embeddings, proxies), labels)


def make_loss(config: Config) -> Loss:
    """The loss that a configuration names, with its constants bound."""

    def loss(embeddings: Tensor, labels: Tensor, proxies: Tensor) -> Tensor:
        # Autocast would turn the product of unit vectors back into half precision.
        with torch.autocast(embeddings.device.type, enabled=False):
            scale, margin = config.loss_scale, config.loss_margin
            if config.loss == "proxy_anchor":
                return proxy_anchor(embeddings, labels, proxies, scale, margin, config.positive_mean)
            if config.loss == "image_anchor":
                return image_anchor(embeddings, labels, proxies, scale, margin)
            if config.loss == "proxy_nca":
                return proxy_nca(embeddings, labels, proxies, scale)
            return normalized_softmax(embeddings, labels, proxies, scale)

    return loss
