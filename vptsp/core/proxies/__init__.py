"""Proxies: learned ones, semantic ones accumulated from images, and their fusion (VPTSP section 4.3, arXiv 2402.02340).

The semantic tower turns each image into a feature ``s``. An *accumulator* folds the features of a class into the
class's row of the container: by a moving average (VPTSP-M, eq. 3) or a GRU (VPTSP-G, eqs 4-7). The result is fused
with an ordinary learned proxy (eq. 8).

An accumulator is a module built with ``size`` (E) and its constants by keyword. It takes the container's rows of the
batch's classes (U, E), the features of its images (B, E) and their :class:`ClassGroups`, and returns the state for this
step's loss and the one to store, both not yet normalised. The published code names RNN, LSTM and cross-attention
(table 7) without defining them; the definitions here are ours.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from vptsp.core.lazy import lazy
from vptsp.core.registry import Registry

if TYPE_CHECKING:
    from vptsp.core.proxies.container import SemanticContainer as SemanticContainer
    from vptsp.core.proxies.cross_attention import CrossAttention as CrossAttention
    from vptsp.core.proxies.fusion import fuse as fuse
    from vptsp.core.proxies.fusion import learned_proxies as learned_proxies
    from vptsp.core.proxies.groups import ClassGroups as ClassGroups
    from vptsp.core.proxies.gru import GatedUnit as GatedUnit
    from vptsp.core.proxies.moving_average import MovingAverage as MovingAverage
    from vptsp.core.proxies.one_by_one import States as States
    from vptsp.core.proxies.one_by_one import one_after_another as one_after_another
    from vptsp.core.proxies.rnn_lstm import LongShortTerm as LongShortTerm
    from vptsp.core.proxies.rnn_lstm import PlainRecurrent as PlainRecurrent

_HERE = __name__
ACCUMULATORS: Registry[Callable[..., Any]] = Registry("accumulator")
ACCUMULATORS.add(
    "ema",
    f"{_HERE}.moving_average:MovingAverage",
    title="moving average",
    summary="keeps a share of the state and adds the mean of the class's images",
    source="VPTSP-M, eq. 3",
)
ACCUMULATORS.add(
    "gru",
    f"{_HERE}.gru:GatedUnit",
    title="GRU",
    summary="a gated recurrent unit over the images of the class",
    source="VPTSP-G, eqs 4-7",
)
ACCUMULATORS.add(
    "rnn",
    f"{_HERE}.rnn_lstm:PlainRecurrent",
    title="RNN",
    summary="a plain recurrent cell over the images of the class",
    source="named in VPTSP table 7; defined here",
)
ACCUMULATORS.add(
    "lstm",
    f"{_HERE}.rnn_lstm:LongShortTerm",
    title="LSTM",
    summary="an LSTM cell over the images of the class",
    source="named in VPTSP table 7; defined here",
)
ACCUMULATORS.add(
    "attention",
    f"{_HERE}.cross_attention:CrossAttention",
    title="cross-attention",
    summary="the state attends to itself and to the images of the class",
    source="named in VPTSP table 7; defined here",
)

__all__ = [
    "ACCUMULATORS",
    "ClassGroups",
    "CrossAttention",
    "GatedUnit",
    "LongShortTerm",
    "MovingAverage",
    "PlainRecurrent",
    "SemanticContainer",
    "States",
    "fuse",
    "learned_proxies",
    "one_after_another",
]
__getattr__ = lazy(
    __name__,
    {
        "container": ("SemanticContainer",),
        "cross_attention": ("CrossAttention",),
        "fusion": ("fuse", "learned_proxies"),
        "gru": ("GatedUnit",),
        "groups": ("ClassGroups",),
        "moving_average": ("MovingAverage",),
        "rnn_lstm": ("LongShortTerm", "PlainRecurrent"),
        "one_by_one": ("States", "one_after_another"),
    },
)
