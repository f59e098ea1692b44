"""Which class is of which guided prompt: k-means over class means, by cosine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

from vptsp.core.errors import ConfigError
from vptsp.core.losses.similarity import cosine_similarities

MappingNorm = Literal["none", "l2", "layer"]
_ROUNDS, _SETTLED = 20, 1e-4


@dataclass(frozen=True)
class Clusters:
    """``centroids`` (P, D) of the normalised class means, and the cluster (C,) of each class."""

    centroids: Float[Tensor, "P D"]
    of_class: Int[Tensor, " C"]


def balanced(num_classes: int, prompts: int) -> Int[Tensor, " C"]:
    """Class c is of prompt ``c mod P``: nothing is looked at."""
    return torch.arange(num_classes) % prompts


def normalise(means: Float[Tensor, "C D"], how: MappingNorm) -> Float[Tensor, "C D"]:
    """Class means as k-means sees them: as they are, of unit length, or each with mean 0 and variance 1 over D."""
    if how == "l2":
        return F.normalize(means, dim=1)
    return F.layer_norm(means, means.shape[1:]) if how == "layer" else means


def random_rows(rows: Float[Tensor, "C D"], count: int, generator: torch.Generator) -> Float[Tensor, "P D"]:
    """``count`` distinct rows to start from. Raises :class:`ConfigError` where there are fewer."""
    if len(rows) < count:
        raise ConfigError(
            f"{count} guided prompts are to be clusters of classes, and images of only {len(rows)} classes were seen; "
            f"use no more than {len(rows)} guided prompts"
        )
    return rows[torch.randperm(len(rows), generator=generator)[:count]]


def cosine_kmeans(points: Float[Tensor, "C D"], start: Float[Tensor, "P D"]) -> Clusters:
    """K-means whose points go to the centroid of the largest cosine, the first of equal ones, as DA-VPT's code does it.

    At most 20 rounds: assign, then each centroid becomes the mean of its points (one without points stays). It has
    settled when the centroids together move by less than 1e-4; then those *before* that last move are returned.
    """
    centroids = start
    of_point = torch.zeros(len(points), dtype=torch.long)
    for _ in range(_ROUNDS):
        of_point = cosine_similarities(points, centroids).argmax(dim=1)
        counts = torch.bincount(of_point, minlength=len(centroids)).unsqueeze(1)
        sums = torch.zeros_like(centroids).index_add(0, of_point, points)
        moved = torch.where(counts > 0, sums / counts.clamp_min(1), centroids)
        if float((moved - centroids).norm(dim=1).sum()) < _SETTLED:
            break
        centroids = moved
    return Clusters(centroids, of_point)


def map_classes(
    means: Float[Tensor, "C D"],
    seen: Bool[Tensor, " C"],
    start: Float[Tensor, "P D"],
    norm: MappingNorm,
    unseen: Int[Tensor, " C"],
) -> Clusters:
    """Cluster the classes that were ``seen``; the others get their entry of ``unseen``."""
    found = cosine_kmeans(normalise(means[seen], norm), start)
    of_class = unseen.clone()
    of_class[seen] = found.of_class
    return Clusters(found.centroids, of_class)
