"""The proxy losses with similarities divided by class among several processes, equal to the undivided ones.

Each process compares the whole batch with its own classes' proxies: of B x C similarities it computes and keeps
B x C/P. What runs over images (Proxy Anchor) is a sum over classes of parts that need no other process; what runs over
classes (softmax) is a log-sum-exp of each part, joined. :class:`Shards` says how processes exchange these numbers, so
that the formulas here know nothing of how they were started.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

from vptsp.core.errors import ConfigError
from vptsp.core.losses.bound import Loss
from vptsp.core.losses.similarity import cosine_similarities, masked_log1p_sum_exp


@runtime_checkable  # the tests check arguments at run time
class Shards(Protocol):
    """Processes that divide classes among them. All call the same methods in the same order."""

    def own(self, classes: int) -> slice:
        """The classes of this process."""
        ...

    def enter(self, whole: Tensor) -> Tensor:
        """A tensor that all have alike, before they use it differently: its gradient is the sum of theirs."""
        ...

    def sum(self, part: Tensor) -> Tensor:
        """The sum of all processes' tensors, used alike by all: its gradient is each one's."""
        ...

    def largest(self, part: Tensor) -> Tensor:
        """The elementwise maximum of all processes' tensors; no gradient."""
        ...


def make_loss_by_shard(name: str, shards: Shards, **constants: Any) -> Loss:
    """The loss ``name`` with its similarities divided among ``shards``; all processes get the same number.

    Raises :class:`~vptsp.core.errors.ConfigError` for a loss that is not known in parts.
    """
    if name not in _LOSSES:
        raise ConfigError(f"loss={name!r} is not known by shards; legal: {', '.join(_LOSSES)}, or proxies=whole")
    function, taken = _LOSSES[name]
    own = {key: constants[key] for key in taken if key in constants}

    def loss(embeddings: Tensor, labels: Tensor, proxies: Tensor) -> Tensor:
        with torch.autocast(embeddings.device.type, enabled=False):
            part = shards.own(len(proxies))
            similarity = cosine_similarities(shards.enter(embeddings), shards.enter(proxies)[part])
            positive = F.one_hot(labels, len(proxies)).bool()[:, part]
            return function(similarity, positive, labels, len(proxies), shards, **own)

    return loss


def _anchor(
    similarity: Float[Tensor, "B S"],
    positive: Bool[Tensor, "B S"],
    labels: Int[Tensor, " B"],
    classes: int,
    shards: Shards,
    scale: float = 32.0,
    margin: float = 0.1,
    positive_mean: str = "present",
) -> Float[Tensor, ""]:
    """:func:`~vptsp.core.losses.anchor.proxy_anchor`: both of its terms are means over classes."""
    pull = masked_log1p_sum_exp(-scale * (similarity - margin), positive, dim=0).sum()
    push = masked_log1p_sum_exp(scale * (similarity + margin), ~positive, dim=0).sum()
    divisor = classes if positive_mean == "all" else len(labels.unique())
    pull, push = shards.sum(torch.stack([pull, push]))
    return pull / divisor + push / classes


def _image_anchor(
    similarity: Float[Tensor, "B S"],
    positive: Bool[Tensor, "B S"],
    labels: Int[Tensor, " B"],
    classes: int,
    shards: Shards,
    scale: float = 32.0,
    margin: float = 0.1,
) -> Float[Tensor, ""]:
    """:func:`~vptsp.core.losses.anchor_per_image.image_anchor`: each of its two soft maxima runs over classes."""
    one = similarity.new_zeros(len(similarity), 1)  # exp(0), the 1 of the formula, in each term once
    pull = _joined(-scale * (similarity - margin), positive, one, shards)
    push = _joined(scale * (similarity + margin), ~positive, one, shards)
    return pull.mean() + push.mean()


def _softmax(
    similarity: Float[Tensor, "B S"],
    positive: Bool[Tensor, "B S"],
    labels: Int[Tensor, " B"],
    classes: int,
    shards: Shards,
    scale: float = 32.0,
) -> Float[Tensor, ""]:
    """:func:`~vptsp.core.losses.softmax.normalized_softmax`: a cross-entropy whose sum over classes is joined."""
    scores = scale * similarity
    own = shards.sum((scores * positive).sum(dim=1))
    return (_joined(scores, torch.ones_like(positive), None, shards) - own).mean()


def _nca(
    similarity: Float[Tensor, "B S"],
    positive: Bool[Tensor, "B S"],
    labels: Int[Tensor, " B"],
    classes: int,
    shards: Shards,
    scale: float = 32.0,
) -> Float[Tensor, ""]:
    """:func:`~vptsp.core.losses.nca.proxy_nca`: ``d = 2 - 2 s``, so a softmax of twice the scale."""
    return _softmax(similarity, positive, labels, classes, shards, 2 * scale)


def _joined(
    terms: Float[Tensor, "B S"], mask: Bool[Tensor, "B S"], more: Float[Tensor, "B 1"] | None, shards: Shards
) -> Float[Tensor, " B"]:
    """``log(sum of exp)`` over the masked terms of all processes, and over ``more``, which all have alike.

    ``log(sum_p sum_c exp(t)) = m + log(sum_p sum_c exp(t - m))`` with m the largest term of all, so nothing overflows.
    """
    terms = terms.masked_fill(~mask, float("-inf"))
    lowest = terms.new_full((len(terms), 1), torch.finfo(terms.dtype).min)  # a process may have no class at all
    top = shards.largest(torch.cat([terms.detach(), lowest if more is None else more], dim=1).amax(dim=1))
    total = shards.sum((terms - top.unsqueeze(1)).exp().sum(dim=1))
    if more is not None:
        total = total + (more - top.unsqueeze(1)).exp().sum(dim=1)
    return top + total.log()


_ANCHOR, _PER_IMAGE = ("scale", "margin", "positive_mean"), ("scale", "margin")
_LOSSES: dict[str, tuple[Callable[..., Tensor], tuple[str, ...]]] = {
    "proxy_anchor": (_anchor, _ANCHOR),
    "image_anchor": (_image_anchor, _PER_IMAGE),
    "normalized_softmax": (_softmax, ("scale",)),
    "proxy_nca": (_nca, ("scale",)),
}
