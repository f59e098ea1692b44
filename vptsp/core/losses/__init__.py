"""Losses: a file each, named here with what they are, so that listing them imports none.

A loss of proxies is a function of embeddings (B, E), labels (B,) and proxies (C, E), raw or unit, and of its constants
by keyword; it returns a scalar. A loss of pairs takes none, but may take a gallery that the batch is compared with
(:mod:`.pairs`); one that remembers something or trains weights of its own is a module
(:class:`~vptsp.core.losses.catalogue.LossEntry` says which kinds there are). Embeddings and proxies are made unit
inside, similarities are cosines, and everything is computed in fp32 also under mixed precision: scaled by 32, a bf16
cosine near 0.9 moves in steps of 0.1. :mod:`.criterion` is a loss as training holds it; :mod:`.library` takes any loss
and miner of pytorch-metric-learning.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vptsp.core.lazy import lazy
from vptsp.core.losses.catalogue import Losses

if TYPE_CHECKING:
    from vptsp.core.losses.anchor import proxy_anchor as proxy_anchor
    from vptsp.core.losses.anchor_per_image import image_anchor as image_anchor
    from vptsp.core.losses.average_precision import smooth_ap as smooth_ap
    from vptsp.core.losses.bound import Loss as Loss
    from vptsp.core.losses.bound import make_loss as make_loss
    from vptsp.core.losses.criterion import Criterion as Criterion
    from vptsp.core.losses.criterion import make_criterion as make_criterion
    from vptsp.core.losses.curricular import CurricularFace as CurricularFace
    from vptsp.core.losses.memory import CrossBatchMemory as CrossBatchMemory
    from vptsp.core.losses.nca import proxy_nca as proxy_nca
    from vptsp.core.losses.nca_plus import proxy_nca_plus as proxy_nca_plus
    from vptsp.core.losses.recall import recall_at_k_surrogate as recall_at_k_surrogate
    from vptsp.core.losses.similarity import cosine_similarities as cosine_similarities
    from vptsp.core.losses.soft_triple import SoftTriple as SoftTriple
    from vptsp.core.losses.softmax import normalized_softmax as normalized_softmax

_HERE = __name__
LOSSES = Losses("loss")
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
LOSSES.add(
    "proxy_nca_plus",
    f"{_HERE}.nca_plus:proxy_nca_plus",
    title="ProxyNCA++",
    summary="Proxy-NCA at a temperature of 1/9",
    source="Teh et al., ECCV 2020, section 3",
)
LOSSES.add(
    "curricular_face",
    f"{_HERE}.curricular:CurricularFace",
    title="CurricularFace",
    summary="softmax with an angular margin, whose hard proxies count more as training goes on",
    source="Huang et al., CVPR 2020, section 3",
)
LOSSES.add(
    "soft_triple",
    f"{_HERE}.soft_triple:SoftTriple",
    title="SoftTriple",
    summary="softmax over the similarity with several centres of each class, which it trains",
    source="Qian et al., ICCV 2019, section 3",
    needs="classes",
)
LOSSES.add(
    "smooth_ap",
    f"{_HERE}.average_precision:smooth_ap",
    title="Smooth-AP",
    summary="average precision within the batch, with sigmoids for steps",
    source="Brown et al., ECCV 2020, section 3",
    needs="pairs",
)
LOSSES.add(
    "recall_at_k",
    f"{_HERE}.recall:recall_at_k_surrogate",
    title="Recall@k surrogate",
    summary="recall at 1, 2, 4, 8 and 16 within the batch, with sigmoids for steps",
    source="Patel et al., CVPR 2022, section 3",
    needs="pairs",
)

__all__ = [
    "LOSSES",
    "Criterion",
    "CrossBatchMemory",
    "CurricularFace",
    "Loss",
    "SoftTriple",
    "cosine_similarities",
    "image_anchor",
    "make_criterion",
    "make_loss",
    "normalized_softmax",
    "proxy_anchor",
    "proxy_nca",
    "proxy_nca_plus",
    "recall_at_k_surrogate",
    "smooth_ap",
]
__getattr__ = lazy(
    __name__,
    {
        "bound": ("Loss", "make_loss"),
        "similarity": ("cosine_similarities",),
        "anchor": ("proxy_anchor",),
        "anchor_per_image": ("image_anchor",),
        "criterion": ("Criterion", "make_criterion"),
        "curricular": ("CurricularFace",),
        "memory": ("CrossBatchMemory",),
        "nca": ("proxy_nca",),
        "nca_plus": ("proxy_nca_plus",),
        "recall": ("recall_at_k_surrogate",),
        "average_precision": ("smooth_ap",),
        "soft_triple": ("SoftTriple",),
        "softmax": ("normalized_softmax",),
    },
)
