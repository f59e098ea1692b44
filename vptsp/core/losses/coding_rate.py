"""How many directions rows fill: the coding rate, which is held up against the collapse of proxies."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

PRECISION = 0.5  # epsilon, the length of an error that a code may make


def coding_rate(rows: Float[Tensor, "N E"]) -> Float[Tensor, ""]:
    """``1/2 logdet(I + E / (N eps^2) Z' Z)`` in nats, of the rows Z at unit length, with eps = 0.5.

    How much it takes to say which row is meant, up to an error of length eps: 0 to ``E/2 log(1 + 4)``, and the more the
    more evenly rows fill the space. Its negative for proxies, or for embeddings where a loss has none, is the
    Anti-Collapse loss (arXiv 2407.03106).
    """
    with torch.autocast(rows.device.type, enabled=False):
        units = F.normalize(rows.float(), dim=1)
        count, size = units.shape
        gram = units @ units.T if count < size else units.T @ units  # the same determinant, by the smaller matrix
        grown = torch.eye(len(gram), device=gram.device) + size / (count * PRECISION**2) * gram
        factor, failed = torch.linalg.cholesky_ex(grown)  # of what is not finite there is none: then it is NaN
        return torch.where(failed == 0, factor.diagonal().log().sum(), torch.nan)
