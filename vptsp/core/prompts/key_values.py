"""Key-value prompts: learned rows beside the keys and values of a block (E2VPT)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from vptsp.core.backbones.attention import KeyValue


class KeyValuePrompts(nn.Module):
    """Learned keys ``P_K`` and values ``P_V`` in the self-attention of each block that has some (E2VPT, ICCV 2023,
    arXiv 2307.13770, section 3.2): ``K' = concat(K, P_K)``, ``V' = concat(V, P_V)``.

    A visual prompt reaches attention through the frozen norm and projections of its block; these rows (N_i, D_i) stand
    where the projections' outputs do, and are cut into heads as those are. ``widths``: the width of each block's keys
    (``backbone.key_widths``). ``shared``: one matrix of a block is both its keys and its values, as in the paper, for
    half the parameters; else they are two.

    The paper leaves their start open. Here it is that of visual prompts: normal, of standard deviation
    ``sqrt(2 / ((N_i + 1) D_i))``.
    """

    def __init__(self, counts: Sequence[int], widths: Sequence[int], shared: bool = True) -> None:
        super().__init__()
        self.counts, self.widths = list(counts), list(widths)[: len(counts)]
        matrices = 1 if shared else 2
        sizes = zip(self.counts, self.widths, strict=True)
        self.layers = nn.ParameterList(
            nn.Parameter(torch.empty(matrices, count, width)) for count, width in sizes if count
        )
        for layer in self.layers:
            _, count, width = layer.shape
            nn.init.normal_(layer, std=(2 / ((count + 1) * width)) ** 0.5)

    def forward(self) -> list[KeyValue]:
        """Keys and values of each block, first block first; of no rows where a block has none."""
        layers = iter(self.layers)
        return [
            _pair(next(layers)) if count else (self.layers[0].new_empty(0, width),) * 2
            for count, width in zip(self.counts, self.widths, strict=True)
        ]


def _pair(layer: Float[Tensor, "_ N D"]) -> KeyValue:
    return layer[0], layer[-1]
