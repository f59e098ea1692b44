"""The pretraining target: classical descriptors, joined and calibrated on generated classes.

Joined descriptors weigh nuisance (a shifted stroke, a shadow) as much as what tells classes apart. Copies
of one generated class show what nuisance looks like, so the within-class covariance ``W`` is measured on
them and divided out (within-class covariance normalisation, Hatch et al., Interspeech 2006), and the
leading directions of what remains are kept. The result is a fixed linear map: no gradient, seconds to fit.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from vptsp.pretraining import descriptors as d
from vptsp.pretraining.generator import stream


def describe(x: Float[Tensor, "B 3 H W"]) -> Float[Tensor, "B F"]:
    """All descriptors side by side, weighed by how much they should count."""
    return torch.cat(
        [
            d.hog(x, 8, 2),
            0.7 * d.hog(x, 8),
            0.5 * d.hog(x, 4, 2),
            1.2 * d.colour_histogram(x, 6),
            0.3 * d.colour_histogram(x, 4, 2),
            0.1 * d.colour_layout(x, 4),
            0.4 * d.binary_patterns(x, 2),
            0.5 * d.frequency_energy(x),
        ],
        1,
    )


@dataclass
class Teacher:
    """Descriptors to targets: ``(describe(x) - mean) @ projection``, unit length."""

    mean: Tensor  # F
    projection: Tensor  # F T

    @staticmethod
    @torch.no_grad()
    def fit(
        seed: int = 7, classes: int = 3000, copies: int = 4, width: int = 384, size: int = 64,
        shrink: float = 0.3, temper: float = 0.5, device: str = "cpu",
    ) -> Teacher:
        """Measure within-class and total covariance on generated classes and keep ``width`` directions."""
        step = 60
        source = stream(step, copies, size, seed, device)
        rows = torch.cat([describe(next(source)) for _ in range(classes // step)]).double()
        mean = rows.mean(0)
        centred = rows - mean
        groups = centred.view(-1, copies, rows.shape[1])
        within = (groups - groups.mean(1, keepdim=True)).flatten(0, 1)
        w = within.T @ within / (len(within) * (1 - 1 / copies))
        w = w + shrink * torch.eye(len(w), device=w.device) * w.diagonal().mean() 
        values, vectors = torch.linalg.eigh(w)
        whiten = vectors @ torch.diag(values ** (-temper)) @ vectors.T
        total = (centred @ whiten).T @ (centred @ whiten) / len(rows)
        spread, axes = torch.linalg.eigh(total)
        keep = axes[:, -width:]
        return Teacher(mean.float(), (whiten @ keep).float())

    def __call__(self, x: Float[Tensor, "B 3 H W"]) -> Float[Tensor, "B T"]:
        return F.normalize((describe(x) - self.mean) @ self.projection, dim=1)
