"""Session 2: what a proxy loss pulls and pushes."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch

from vptsp.core.losses.anchor import proxy_anchor
from vptsp.core.losses.nca import proxy_nca
from vptsp.core.losses.softmax import normalized_softmax
from vptsp.teaching.exercise import Exercise, Trial

LONGEST_SCALE = 16.0


def _batch(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Images (6, 4), labels (6,) of classes 0, 1 and 3, and proxies (5, 4): two classes are not in the batch."""
    return rng.normal(size=(6, 4)), np.array([0, 1, 3, 0, 1, 3]), rng.normal(size=(5, 4))


def _softmax(rng: np.random.Generator) -> Iterator[Trial]:
    for scale in (1.0, 16.0):
        images, labels, proxies = _batch(rng)
        tensors = torch.from_numpy(images), torch.from_numpy(labels), torch.from_numpy(proxies)
        yield (images, labels, proxies, scale), normalized_softmax(*tensors, scale=scale)


def _anchor(rng: np.random.Generator) -> Iterator[Trial]:
    for scale, margin in ((8.0, 0.1), (16.0, 0.0)):
        images, labels, proxies = _batch(rng)
        tensors = torch.from_numpy(images), torch.from_numpy(labels), torch.from_numpy(proxies)
        yield (images, labels, proxies, scale, margin), proxy_anchor(*tensors, scale=scale, margin=margin)


def _same_scale() -> float:
    """The scale of normalised softmax that gives Proxy-NCA of scale 12, found by comparing the two."""
    rng = torch.Generator().manual_seed(0)
    images, proxies = torch.randn(6, 4, generator=rng).double(), torch.randn(3, 4, generator=rng).double()
    labels = torch.tensor([0, 1, 2, 0, 1, 2])
    scales = torch.linspace(6, 48, 85).tolist()
    nca = proxy_nca(images, labels, proxies, scale=12.0)
    return min(scales, key=lambda scale: abs(float(normalized_softmax(images, labels, proxies, scale=scale) - nca)))


def _longest() -> float:
    """The angle in degrees at which the gradient of an image is longest; own proxy at 0°, another at 180°."""
    degrees = torch.linspace(1, 179, 1781, dtype=torch.float64)
    angles = torch.deg2rad(degrees)
    images = torch.stack([angles.cos(), angles.sin()], dim=1).requires_grad_()
    proxies = torch.tensor([[1.0, 0.0], [-1.0, 0.0]], dtype=torch.float64)
    loss = normalized_softmax(images, torch.zeros(len(images), dtype=torch.long), proxies, scale=LONGEST_SCALE)
    (gradient,) = torch.autograd.grad(loss, images)
    return float(degrees[gradient.norm(dim=1).argmax()])


def _absent() -> float:
    """By what the pull of Proxy Anchor is multiplied if its mean runs over six classes, two of them present."""
    rng = torch.Generator().manual_seed(0)
    images, proxies = torch.randn(6, 4, generator=rng).double(), torch.randn(6, 4, generator=rng).double()
    labels = torch.tensor([0, 0, 0, 3, 3, 3])
    present, everyone = (proxy_anchor(images, labels, proxies, positive_mean=mean) for mean in ("present", "all"))
    pull = (present - everyone) / (1 / 2 - 1 / 6)  # the push is the same in both
    return float((pull / 6) / (pull / 2))


EXERCISES = {
    "softmax": Exercise(
        session=2,
        question="write softmax_loss(images, labels, proxies, scale): the mean over images (B, E) of the cross-entropy "
        "of their cosines with the proxies (C, E), times scale.",
        hint="Vectors are made unit first; the cross-entropy of row x is log sum_c e^(a s(x,c)) - a s(x,own).",
        trials=_softmax,
        names=("images", "labels", "proxies", "scale"),
    ),
    "anchor": Exercise(
        session=2,
        question="write anchor(images, labels, proxies, scale, margin): Proxy Anchor, its first mean over the classes "
        "present in the batch, its second over all.",
        hint="mean_c log(1 + sum_{x in c} e^(-a(s-m))) + mean_c log(1 + sum_{x not in c} e^(a(s+m))); two of the five "
        "classes are absent, and count in the second mean only.",
        trials=_anchor,
        names=("images", "labels", "proxies", "scale", "margin"),
    ),
    "same_scale": Exercise(
        session=2,
        question="Proxy-NCA with scale 12 compares squared distances. Which scale of normalised softmax is "
        "the same loss?",
        hint="For unit vectors the squared distance is 2 - 2 s; what cancels in the quotient?",
        value=_same_scale,
        tolerance=1e-2,
    ),
    "longest": Exercise(
        session=2,
        question=f"Normalised softmax, scale {LONGEST_SCALE:g}, proxy A at 0°, proxy B at 180°, one image of A. "
        "At how many degrees is its arrow longest?",
        hint="The arrow is weight times tangent: one grows towards B, the other is the sine. Try it in the sandbox.",
        value=_longest,
        tolerance=1.0e-2,
    ),
    "absent": Exercise(
        session=2,
        question="Six classes, two of them in the batch. By what is the pull of Proxy Anchor multiplied if its mean "
        "runs over all classes instead of those present?",
        hint="The story 'classes absent from the batch': the sum is the same, what it is divided by is not.",
        value=_absent,
        tolerance=1e-2,
    ),
}
