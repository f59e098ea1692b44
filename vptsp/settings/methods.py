"""Every tuning method as one registry entry: what it adds to the frozen backbone and what it trains.

A method is data, not code: the model (:mod:`vptsp.core.model`) reads the entry and builds the parts. Counts
of what is trained, kept and banked come from the built model, so that they cannot drift from it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Method:
    """What a method adds and trains.

    - ``prompts``: shared visual prompts, ``shallow`` (first block only, outputs travel on) or ``deep``
      (replaced in every block); VPT, arXiv 2203.12119. Where they enter is ``prompt_location``'s business.
    - ``semantic``: class prompts and semantic proxies accumulated by a moving average (``ema``) or a
      GRU (``gru``); VPTSP, arXiv 2402.02340.
    - ``tunes``: the backbone's own weights that train: none, the ``last`` blocks and the final norm, or ``all``.
    - ``bitfit``: train the backbone's biases unless the configuration says otherwise; BitFit, arXiv 2106.10199.
    - ``adapter``: a bottleneck beside every MLP, ``working`` or ``published`` (whose two zero weights stay zero).
    - ``lora``: low-rank updates of the attention's projections; arXiv 2106.09685.
    - ``mlp``: hidden layers before the head; ``side``: an AlexNet whose feature is mixed in; as in VPT's baselines.
    - ``head``: LayerNorm + Linear to the embedding (or a linear classifier), trained; without it the backbone's
      feature, centred on the training images, is the embedding.
    """

    name: str
    title: str  # as the literature writes it
    summary: str
    prompts: Literal["none", "shallow", "deep"] = "none"
    semantic: Literal["none", "ema", "gru"] = "none"
    tunes: Literal["none", "last", "all"] = "none"
    bitfit: bool = False
    adapter: Literal["none", "working", "published"] = "none"
    lora: bool = False
    mlp: bool = False
    side: bool = False
    head: bool = True

    @property
    def trains(self) -> bool:
        """Whether there is anything to train."""
        return self.head

    def title_with(self, bitfit: bool | None) -> str:
        """The title, saying so where biases train although, or stay frozen unlike, the entry's own choice."""
        if bitfit is None or bitfit == self.bitfit:
            return self.title
        return f"{self.title} + bias" if bitfit else f"{self.title}, biases frozen"


METHODS: dict[str, Method] = {
    method.name: method
    for method in (
        Method("frozen", "frozen", "the backbone's own feature, centred; nothing is trained", head=False),
        Method("linear", "linear probe", "a trained LayerNorm and linear layer on the frozen feature"),
        Method("mlp", "MLP-k", "linear after mlp_layers hidden layers", mlp=True),
        Method("side", "Sidetune", "linear on a mix of the frozen feature and a trained AlexNet's", side=True),
        Method("bias", "BitFit", "linear, and every bias of the backbone", bitfit=True),
        Method("partial", "Partial-k", "linear, and the last partial_blocks blocks with the final norm", tunes="last"),
        Method("full", "full fine-tuning", "everything trains, with conventional proxies", tunes="all"),
        Method("adapter", "Adapter", "linear, and a bottleneck at every MLP", adapter="working"),
        Method(
            "adapter_published", "Adapter (VPT's code)", "adapter that starts with two zero weights and stays there",
            adapter="published",
        ),
        Method("lora", "LoRA", "linear, and low-rank updates of attention's projections", lora=True),
        Method("vpt_shallow", "VPT-shallow", "linear, and prompts before the first block", prompts="shallow"),
        Method("vpt_deep", "VPT-deep", "linear, and prompts in every block", prompts="deep"),
        Method("vpt_bias", "VPT-deep + bias", "vpt_deep, and every bias", prompts="deep", bitfit=True),
        Method("vptsp_m", "VPTSP-M", "vpt_bias and semantic proxies by moving average", "deep", "ema", bitfit=True),
        Method("vptsp_g", "VPTSP-G", "vpt_bias and semantic proxies by GRU", "deep", "gru", bitfit=True),
    )
}  # fmt: skip
