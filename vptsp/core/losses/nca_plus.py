"""ProxyNCA++: Proxy-NCA over all proxies, at a low temperature."""

from __future__ import annotations

from jaxtyping import Float, Int
from torch import Tensor

from vptsp.core.losses.nca import proxy_nca


def proxy_nca_plus(
    embeddings: Float[Tensor, "B E"],
    labels: Int[Tensor, " B"],
    proxies: Float[Tensor, "C E"],
    *,
    temperature: float = 1 / 9,
) -> Float[Tensor, ""]:
    """ProxyNCA++ (Teh, DeVries, Taylor, ECCV 2020, arXiv 2004.01113, section 3), averaged over images.

    ``-log exp(-d(x,q_y) / T) / sum_c exp(-d(x,q_c) / T)``, d the squared distance of unit vectors and T 1/9, as
    published: :func:`~vptsp.core.losses.nca.proxy_nca` at a scale of 1/T. What else that paper adds are settings:
    classes in a batch (``images_per_class``) and a rate of its own for proxies (``lr_proxy``).
    """
    return proxy_nca(embeddings, labels, proxies, scale=1 / temperature)
