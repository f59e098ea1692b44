"""Proxy losses: a file each, named here with what they are, so that listing them imports none.

Every loss is a function of embeddings (B, E), labels (B,) and proxies (C, E), raw or unit, and of its constants by
keyword; it returns a scalar. Embeddings and proxies are made unit inside, similarities are cosines, and everything is
computed in fp32 also under mixed precision: scaled by 32, a bf16 cosine near 0.9 moves in steps of 0.1.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from vptsp.core.lazy import lazy
from vptsp.core.registry import Registry

if TYPE_CHECKING:
    from vptsp.core.losses.anchor import proxy_anchor as proxy_anchor
    from vptsp.core.losses.anchor_per_image import image_anchor as image_anchor
    from vptsp.core.losses.bound import Loss as Loss
    from vptsp.core.losses.bound import make_loss as make_loss
    from vptsp.core.losses.nca import proxy_nca as proxy_nca
    from vptsp.core.losses.similarity import cosine_similarities as cosine_similarities
    from vptsp.core.losses.softmax import normalized_softmax as normalized_softmax

_HERE = __name__
LOSSES: Registry[Callable[..., Any]] = Registry("loss")
LOSSES.add(
    "proxy_anchor",
    f"{_HERE}.anchor:proxy_anchor",
    title="Proxy Anchor",
    summary="pulls a class's images to its proxy and pushes all others away, the hard ones hardest",
    source="Kim et al., CVPR 2020, eq. 4; VPTSP eq. 2",
)
LOSSES.add(
    "image_anchor",
    f"{_HERE}.anchor_per_image:image_anchor",
    title="anchor terms per image",
    summary="the anchor terms summed over proxies per image; what the published VPTSP code calls nca",
    source="code published with arXiv 2402.02340",
)
LOSSES.add(
    "proxy_nca",
    f"{_HERE}.nca:proxy_nca",
    title="Proxy-NCA",
    summary="softmax over squared distances to the proxies, the true one among them",
    source="Movshovitz-Attias et al., ICCV 2017; Teh et al., ECCV 2020, section 3.2",
)
LOSSES.add(
    "normalized_softmax",
    f"{_HERE}.softmax:normalized_softmax",
    title="normalised softmax",
    summary="cross-entropy over scaled cosines",
    source="Zhai and Wu, BMVC 2019, eq. 3",
)

__all__ = [
    "LOSSES",
    "Loss",
    "cosine_similarities",
    "image_anchor",
    "make_loss",
    "normalized_softmax",
    "proxy_anchor",
    "proxy_nca",
]
__getattr__ = lazy(
    __name__,
    {
        "bound": ("Loss", "make_loss"),
        "similarity": ("cosine_similarities",),
        "anchor": ("proxy_anchor",),
        "anchor_per_image": ("image_anchor",),
        "nca": ("proxy_nca",),
        "softmax": ("normalized_softmax",),
    },
)
