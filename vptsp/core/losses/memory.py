"""Cross-batch memory: embeddings of the batches before, as partners of a loss of pairs."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from vptsp.core.errors import ConfigError


class CrossBatchMemory(nn.Module):
    """A ring of the last ``size`` embeddings with their labels (XBM, Wang et al., CVPR 2020, arXiv 1912.06798, alg. 1).

    Each batch comes in before it is compared, so that its own pairs are among the others'; what is kept has no
    gradient. All of it is in buffers, and so in checkpoints: a resumed run compares with the same images.
    """

    embeddings: Tensor  # (size, E)
    labels: Tensor  # (size,)
    place: Tensor  # () where the next embedding comes
    count: Tensor  # () of those that are there

    def __init__(self, size: int, width: int) -> None:
        super().__init__()
        self.size = size
        self.register_buffer("embeddings", torch.zeros(size, width))
        self.register_buffer("labels", torch.zeros(size, dtype=torch.long))
        self.register_buffer("place", torch.zeros((), dtype=torch.long))
        self.register_buffer("count", torch.zeros((), dtype=torch.long))

    @torch.no_grad()
    def take(self, embeddings: Float[Tensor, "B E"], labels: Int[Tensor, " B"]) -> Int[Tensor, " B"]:
        """Keep a batch in the place of the oldest; returns where its images are now.

        Raises :class:`ConfigError` for a batch that is larger than the memory.
        """
        if len(labels) > self.size:
            raise ConfigError(
                f"a memory of {self.size} embeddings is smaller than a batch of {len(labels)}; make it larger"
            )
        own = (self.place + torch.arange(len(labels), device=labels.device)) % self.size
        self.embeddings[own] = embeddings.detach().to(self.embeddings)
        self.labels[own] = labels
        self.place.copy_((self.place + len(labels)) % self.size)
        self.count.copy_((self.count + len(labels)).clamp_max(self.size))
        return own

    def gallery(self) -> tuple[Float[Tensor, "M E"], Int[Tensor, " M"]]:
        """What is there so far, as copies: the next batch changes the memory in place."""
        filled = int(self.count)
        return self.embeddings[:filled].clone(), self.labels[:filled].clone()
