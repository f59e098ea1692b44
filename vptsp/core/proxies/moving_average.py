"""VPTSP-M: the moving average."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn

from vptsp.core.proxies.groups import ClassGroups
from vptsp.core.proxies.one_by_one import States


class MovingAverage(nn.Module):
    """VPTSP-M, eq. 3: ``g = rho * G_c + (1 - rho) * mean_k(s)``."""

    def __init__(self, keep: float) -> None:
        super().__init__()
        self.keep = keep

    def forward(self, state: Float[Tensor, "U E"], features: Float[Tensor, "B E"], groups: ClassGroups) -> States:
        new = self.keep * state + (1 - self.keep) * groups.mean(features)
        return new, new
