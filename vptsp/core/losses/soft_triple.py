"""SoftTriple: several centres for each class."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

_UNDER_THE_ROOT = 1e-5  # as published: the root's slope is infinite where two centres are one


class SoftTriple(nn.Module):
    """SoftTriple (Qian et al., ICCV 2019, arXiv 1909.05235, section 3), with K centres w of each class.

    ``s_c = sum_k softmax_k(x w_ck / gamma) x w_ck`` is the similarity of an embedding with a class, and the loss is
    ``-log exp(scale (s_y - delta)) / (exp(scale (s_y - delta)) + sum_{c != y} exp(scale s_c))``, averaged over images,
    plus ``tau / (C K (K - 1)) sum_c sum_{k < l} sqrt(2 - 2 w_ck w_cl)``, which draws the centres of a class together.
    Embeddings and centres have length 1. The constants are the paper's: ``lam`` is its scale lambda, ``centres`` its K.

    C K E parameters, uniform in +-1 / sqrt(C K) at start, as published.
    """

    def __init__(
        self,
        num_classes: int,
        size: int,
        *,
        centres: int = 10,
        lam: float = 20.0,
        gamma: float = 0.1,
        delta: float = 0.01,
        tau: float = 0.2,
    ) -> None:
        super().__init__()
        self.lam, self.gamma, self.delta, self.tau = lam, gamma, delta, tau
        spread = (num_classes * centres) ** -0.5
        self.centres = nn.Parameter(torch.empty(num_classes, centres, size).uniform_(-spread, spread))

    def forward(self, embeddings: Float[Tensor, "B E"], labels: Int[Tensor, " B"]) -> Float[Tensor, ""]:
        centres = F.normalize(self.centres.float(), dim=2)
        to_centres = torch.einsum("be,cke->bck", F.normalize(embeddings.float(), dim=1), centres)
        similarity = (torch.softmax(to_centres / self.gamma, dim=2) * to_centres).sum(dim=2)
        margin = self.delta * F.one_hot(labels, len(centres))
        loss = F.cross_entropy(self.lam * (similarity - margin), labels)
        number = centres.shape[1]
        if self.tau == 0 or number < 2:
            return loss
        first, second = torch.triu_indices(number, number, 1, device=centres.device)
        cosines = (centres @ centres.transpose(1, 2))[:, first, second]
        apart = torch.sqrt((2 + _UNDER_THE_ROOT - 2 * cosines).clamp_min(0)).sum()
        return loss + self.tau * apart / (len(centres) * number * (number - 1))
