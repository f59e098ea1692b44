"""Every tuning method as one registry entry: what it adds to the frozen backbone and what it trains.

A method is data, not code: the model (:mod:`vptsp.model`) reads the entry and builds the parts. Counts
of what is trained, kept and banked come from the built model, so that they cannot drift from it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Method:
    """What a method adds and trains.

    - ``prompts``: shared visual prompts, ``shallow`` (block 0 only, outputs travel on) or ``deep``
      (replaced in every block); VPT, arXiv 2203.12119.
    - ``semantic``: class prompts and semantic proxies accumulated by a moving average (``ema``) or a
      GRU (``gru``); VPTSP, arXiv 2402.02340.
    - ``head``: LayerNorm + Linear to the embedding, trained; without it the backbone's feature, centred
      on the training images, is the embedding.
    - ``bitfit``: train the backbone's biases unless the configuration says otherwise.
    """

    name: str
    title: str  # as the literature writes it
    summary: str
    prompts: Literal["none", "shallow", "deep"] = "none"
    semantic: Literal["none", "ema", "gru"] = "none"
    head: bool = True
    bitfit: bool = False

    @property
    def trains(self) -> bool:
        """Whether there is anything to train."""
        return self.head


METHODS: dict[str, Method] = {
    method.name: method
    for method in (
        Method("frozen", "frozen", "the backbone's own feature, centred; nothing is trained", head=False),
        Method("linear", "linear probe", "a trained LayerNorm and linear layer on the frozen feature"),
        Method("bias", "BitFit", "linear, and every bias of the backbone (BitFit)", bitfit=True),
        Method("vpt_shallow", "VPT-shallow", "linear, and prompts before the first block", prompts="shallow"),
        Method("vpt_deep", "VPT-deep", "linear, and prompts in every block", prompts="deep"),
        Method("vptsp_m", "VPTSP-M", "vpt_deep and semantic proxies by moving average", "deep", "ema", bitfit=True),
        Method("vptsp_g", "VPTSP-G", "vpt_deep and semantic proxies by GRU", "deep", "gru", bitfit=True),
    )
}
