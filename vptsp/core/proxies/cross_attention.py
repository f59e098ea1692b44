"""Attention in the place of the GRU (VPTSP table 7)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from vptsp.core.proxies.groups import ClassGroups
from vptsp.core.proxies.one_by_one import States


class CrossAttention(nn.Module):
    """``h <- h + attention(query h; keys and values: h and the images of the class)``, one head."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(size, num_heads=1, batch_first=True)

    def forward(self, state: Float[Tensor, "U E"], features: Float[Tensor, "B E"], groups: ClassGroups) -> States:
        own = F.one_hot(groups.index, len(state)).T.bool()  # (U, B): the images of each class
        memory = torch.cat([state.unsqueeze(1), features.expand(len(state), -1, -1)], dim=1)
        hidden = torch.cat([torch.zeros_like(own[:, :1]), ~own], dim=1)
        mixed, _ = self.attention(state.unsqueeze(1), memory, memory, key_padding_mask=hidden, need_weights=False)
        new = state + mixed.squeeze(1)
        return new, new
