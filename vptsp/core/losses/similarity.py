"""What the losses share: exact cosines, and the soft maximum of the anchor losses."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor


def cosine_similarities(embeddings: Float[Tensor, "B E"], proxies: Float[Tensor, "C E"]) -> Float[Tensor, "B C"]:
    """Cosine of every embedding with every proxy, in fp32."""
    return F.normalize(embeddings.float(), dim=1) @ F.normalize(proxies.float(), dim=1).T


def masked_log1p_sum_exp(terms: Float[Tensor, "B C"], mask: Bool[Tensor, "B C"], dim: int) -> Float[Tensor, " B_or_C"]:
    """``log(1 + sum over mask of exp(terms))`` along ``dim``; 0 where the mask is empty."""
    terms = terms.masked_fill(~mask, float("-inf"))
    one = torch.zeros_like(terms.select(dim, 0)).unsqueeze(dim)  # exp(0), the 1 of the formula
    return torch.cat([one, terms], dim=dim).logsumexp(dim=dim)
