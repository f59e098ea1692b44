"""CurricularFace: a margin, and hard proxies that count more as training goes on."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from vptsp.core.losses.similarity import cosine_similarities


class CurricularFace(nn.Module):
    """CurricularFace (Huang et al., CVPR 2020, arXiv 2004.00288, section 3), of proxies.

    ``-log exp(s cos(a_y + m)) / (exp(s cos(a_y + m)) + sum_{c != y} exp(s N(t, cos a_c)))`` averaged over images, a_c
    the angle between embedding and proxy c. ``N(t, x) = x`` where ``x <= cos(a_y + m)``, and ``x (t + x)`` for harder
    proxies; t is a moving average of the true cosines, ``t <- rate mean_x cos a_y + (1 - rate) t``, from 0, so that
    hard proxies count little at first. As in the published code, t takes in a batch before it is used on it, and an
    angle past ``pi - m`` gets ``cos a_y - m sin m`` in the place of ``cos(a_y + m)``, which would rise again.
    """

    t: Tensor

    def __init__(self, *, s: float = 64.0, m: float = 0.5, rate: float = 0.01) -> None:
        super().__init__()
        self.s, self.m, self.rate = s, m, rate
        self.register_buffer("t", torch.zeros(()))

    def forward(
        self, embeddings: Float[Tensor, "B E"], labels: Int[Tensor, " B"], proxies: Float[Tensor, "C E"]
    ) -> Float[Tensor, ""]:
        cosines = cosine_similarities(embeddings, proxies).clamp(-1, 1)
        true = cosines.gather(1, labels[:, None])
        sine = (1 - true.square()).clamp_min(1e-12).sqrt()  # its slope at 0 is infinite
        shifted = true * math.cos(self.m) - sine * math.sin(self.m)
        target = torch.where(true > math.cos(math.pi - self.m), shifted, true - self.m * math.sin(self.m))
        if self.training:
            with torch.no_grad():
                self.t.mul_(1 - self.rate).add_(self.rate * true.mean().to(self.t))
        t = self.t.clone()  # the next batch changes it in place
        others = torch.where(cosines > shifted, cosines * (t + cosines), cosines)
        own = F.one_hot(labels, len(proxies)).bool()
        return F.cross_entropy(self.s * torch.where(own, target, others), labels)
