"""Dividing vectors by how much they vary *within* a class, so that what differs between images of one counts less.

Known as within-class covariance normalisation (Hatch, Kajarekar, Stolcke, Interspeech 2006) and, in retrieval, as
learned whitening (Radenovic, Tolias, Chum, arXiv 1711.02512); it is what linear discriminant analysis does before it
reduces. All is computed in fp64 on the CPU, so that it is the same for every device, some of which have no fp64.
What it is worth on which data is measured in ``docs/defaults.md``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float64, Int
from torch import Tensor

from vptsp.core.errors import ConfigError

# The least is what held-out classes of five data sets chose where images were many: docs/defaults.md
_SHRINKAGES = (0.1, 0.3, 1.0, 3.0, 10.0)
_FEW = 0.3  # times D / (N - C)
_FOLDS = 5  # of the classes
_CLASSES_TO_TELL = 4  # with fewer, the rest of a fold is hardly a class or two


class Variation(NamedTuple):
    """How labelled vectors vary, in fp64."""

    mean: Float64[Tensor, " D"]
    centres: Float64[Tensor, "C D"]  # means of the classes, the mean of all vectors subtracted
    spread: Float64[Tensor, " D"]  # variances within classes along the directions, ascending
    directions: Float64[Tensor, "D D"]  # columns


def variation(vectors: Float64[Tensor, "N D"], labels: Int[Tensor, " N"]) -> Variation:
    """Eigenvalues and -vectors of ``S = mean of (x - m_class)(x - m_class)^T``, and where the classes lie."""
    labels = labels.cpu()
    classes = int(labels.max()) + 1
    counts = torch.bincount(labels, minlength=classes).clamp_min(1).double()[:, None]
    means = vectors.new_zeros(classes, vectors.shape[1]).index_add(0, labels, vectors) / counts
    within = vectors - means[labels]
    mean = vectors.mean(0)
    return Variation(mean, means - mean, *torch.linalg.eigh(within.T @ within / len(vectors)))


def scales(spread: Float64[Tensor, " D"], shrinkage: float) -> Float64[Tensor, " D"]:
    """``(spread + shrinkage mean(spread))^(-1/2)``: factors along the directions; the larger the shrinkage, the more
    alike. Raises :class:`ConfigError` for a shrinkage that is not positive."""
    if shrinkage <= 0:
        raise ConfigError(f"whitening needs a shrinkage above 0, for example 0.1, and not {shrinkage}")
    return (spread.clamp_min(0) + shrinkage * spread.mean()).rsqrt()


def symmetric_whitening(found: Variation, shrinkage: float) -> Float64[Tensor, "D D"]:
    """``(S + shrinkage tr(S) / D I)^(-1/2)``: every axis stays near where it was. Where vectors of one class do not
    vary at all, with one for each say, nothing is known of S, and the identity stands for it.

    Raises :class:`ConfigError` for a shrinkage that is not positive.
    """
    spread = found.spread if found.spread.sum() > 0 else torch.ones_like(found.spread)
    return (found.directions * scales(spread, shrinkage)) @ found.directions.T


def fitting_shrinkage(vectors: Float64[Tensor, "N D"], labels: Int[Tensor, " N"]) -> float:
    """The shrinkage for so many vectors: 0.1 where they tell all variances, more where they are too few.

    ``0.3 D / (N - C)``, at least 0.1 and at most 10, in steps of about three: few images tell the spread along few
    directions, and dividing by it harms other classes. Less where classes say so that are held out of these vectors, a
    fifth at a time: the smallest shrinkage whose share of right first neighbours is by more than its standard error
    over classes above that of the one chosen by number. Where both come from is measured in ``docs/defaults.md``.
    """
    labels = labels.cpu()
    classes = labels.unique()
    known = max(len(labels) - len(classes), 1)
    wanted = _FEW * vectors.shape[1] / known
    place = min(range(len(_SHRINKAGES)), key=lambda number: abs(math.log(_SHRINKAGES[number] / wanted)))
    if place == 0 or len(classes) < _CLASSES_TO_TELL:
        return _SHRINKAGES[place]
    found = _found(vectors, labels, _SHRINKAGES[: place + 1])
    for smaller in range(place):
        gain = found[smaller] - found[place]
        if gain.mean() > gain.std() / len(gain) ** 0.5:
            return _SHRINKAGES[smaller]
    return _SHRINKAGES[place]


def _found(
    vectors: Float64[Tensor, "N D"], labels: Int[Tensor, " N"], shrinkages: Sequence[float]
) -> Float64[Tensor, "S C"]:
    """By shrinkage, of each class the share of vectors whose nearest other one is of it, whitened by classes that it is
    not among."""
    classes = labels.unique()
    shares: list[list[Tensor]] = [[] for _ in shrinkages]
    for fold in range(min(_FOLDS, len(classes))):
        held_out = torch.isin(labels, classes[fold::_FOLDS])
        queries, sought = held_out.nonzero()[:, 0], labels[held_out]
        _, others = labels[~held_out].unique(return_inverse=True)
        fitted = variation(vectors[~held_out], others)
        centred = vectors - fitted.mean
        for shrinkage, found in zip(shrinkages, shares, strict=True):
            seen = torch.nn.functional.normalize(
                centred @ (fitted.directions * scales(fitted.spread, shrinkage)), dim=1
            )
            similar = seen[queries] @ seen.T
            similar[torch.arange(len(queries)), queries] = -torch.inf
            right = (labels[similar.argmax(1)] == sought).double()
            found += [right[sought == label].mean() for label in classes[fold::_FOLDS]]
    return torch.stack([torch.stack(found) for found in shares])


def unit_scale(rows: Float64[Tensor, "E D"]) -> Float64[Tensor, "E D"]:
    """Rows scaled to a mean square length of 1, as those of an isometry have."""
    return rows / rows.square().sum(1).mean().sqrt()
