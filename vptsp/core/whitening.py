"""Dividing vectors by how much they vary *within* a class, so that what differs between images of one counts less.

Known as within-class covariance normalisation (Hatch, Kajarekar, Stolcke, Interspeech 2006) and, in retrieval, as
learned whitening (Radenovic, Tolias, Chum, arXiv 1711.02512); it is what linear discriminant analysis does before it
reduces. All is computed in fp64 on the CPU, so that it is the same for every device, some of which have no fp64.
What it is worth on which data is measured in ``docs/defaults.md``.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float64, Int
from torch import Tensor

from vptsp.core.errors import ConfigError


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


def unit_scale(rows: Float64[Tensor, "E D"]) -> Float64[Tensor, "E D"]:
    """Rows scaled to a mean square length of 1, as those of an isometry have."""
    return rows / rows.square().sum(1).mean().sqrt()
