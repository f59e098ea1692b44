"""Every tuning method as one registry entry: what it adds to the frozen backbone and what it trains.

A method is data, not code: the model (:mod:`vptsp.core.model`) reads the entry and builds the parts. Counts
of what is trained, kept and banked come from the built model, so that they cannot drift from it.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any, Literal, get_args

from vptsp.core.backbones import Part
from vptsp.core.registry import Catalogue
from vptsp.errors import ConfigError

Prompts = Literal["none", "shallow", "deep"]
Tunes = Literal["none", "last", "all"]
AdapterForm = Literal["none", "working", "published"]
_BOTH = ("retrieval", "recognition")
_LEGAL = {"prompts": Prompts, "tunes": Tunes, "adapter": AdapterForm}


@dataclass(frozen=True)
class Method:
    """What a method adds and trains.

    - ``prompts``: shared visual prompts, ``shallow`` (first block only, outputs travel on) or ``deep``
      (replaced in every block); VPT, arXiv 2203.12119. Where they enter is ``prompt_location``'s business.
    - ``semantic``: class prompts and semantic proxies, by the name of what accumulates them
      (:data:`~vptsp.core.proxies.ACCUMULATORS`), or ``none``; VPTSP, arXiv 2402.02340.
    - ``tunes``: the backbone's own weights that train: none, the ``last`` blocks and the final norm, or ``all``.
    - ``bitfit``: train the backbone's biases unless the configuration says otherwise; BitFit, arXiv 2106.10199.
    - ``guided``: prompts of some blocks speak for groups of classes, by a loss of their own; DA-VPT, arXiv 2505.23694.
    - ``key_values``: learned keys and values in the attention of the blocks, and ``pruned``: the least important visual
      prompts, and segments of them, are pruned in training, which then begins again; E2VPT, arXiv 2307.13770.
    - ``tuned_parts``: single parts of the backbone that train unless the configuration says otherwise, where there are.
    - ``tasks``: what it can be trained for.
    - ``adapter``: a bottleneck beside every MLP, ``working`` or ``published`` (whose two zero weights stay zero).
    - ``lora``: low-rank updates of the attention's projections; arXiv 2106.09685.
    - ``mlp``: hidden layers before the head; ``side``: an AlexNet whose feature is mixed in; as in VPT's baselines.
    - ``head``: LayerNorm + Linear to the embedding (or a linear classifier), trained; without it the backbone's
      feature, centred on the training images, is the embedding.

    Raises :class:`ConfigError` for a part that is not one of these.
    """

    name: str
    title: str  # as the literature writes it
    summary: str
    source: str  # the paper, or the code
    prompts: Prompts = "none"
    semantic: str = "none"
    tunes: Tunes = "none"
    bitfit: bool = False
    guided: bool = False
    key_values: bool = False
    pruned: bool = False
    tuned_parts: tuple[Part, ...] = ()
    tasks: tuple[str, ...] = _BOTH
    adapter: AdapterForm = "none"
    lora: bool = False
    mlp: bool = False
    side: bool = False
    head: bool = True

    def __post_init__(self) -> None:
        for part, choices in _LEGAL.items():
            if (given := getattr(self, part)) not in get_args(choices):
                raise ConfigError(f"{part}={given!r} of a method is not known; legal: {', '.join(get_args(choices))}")
        if self.guided and self.prompts != "deep":
            raise ConfigError(
                f"a method guides deep prompts, not {self.prompts!r} ones; make them deep, or leave guided out"
            )
        for part in ("key_values", "pruned"):
            if getattr(self, part) and (self.prompts != "deep" or self.guided or self.semantic != "none"):
                raise ConfigError(
                    f"{part} of a method goes with deep prompts that are neither guided nor beside class prompts; make "
                    f"prompts deep, leave guided and semantic out, or leave {part} out"
                )

    @property
    def trains(self) -> bool:
        """Whether there is anything to train."""
        return self.head

    def title_with(self, bitfit: bool | None) -> str:
        """The title, saying so where biases train although, or stay frozen unlike, the entry's own choice."""
        if bitfit is None or bitfit == self.bitfit:
            return self.title
        return f"{self.title} + bias" if bitfit else f"{self.title}, biases frozen"


class Methods(Catalogue[Method]):
    """Tuning methods by name."""

    def add(self, name: str, *, title: str, summary: str, source: str, **parts: Any) -> None:
        """Name a method; ``parts`` are the fields of :class:`Method`. A file or notebook may say its own anew."""
        if unknown := sorted(parts.keys() - Method.__dataclass_fields__.keys()):
            legal = [
                field for field in Method.__dataclass_fields__ if field not in ("name", "title", "summary", "source")
            ]
            raise ConfigError(f"{unknown[0]} is not a part of a tuning method; legal: {', '.join(legal)}")
        caller = sys._getframe(1).f_globals.get("__name__", "")  # a method is data, which does not know its module
        by = "" if caller == __name__ else caller
        self.put(name, Method(name, title, summary, source, **parts), by)


_VPT = "VPT, arXiv 2203.12119"
_BASELINE = "a baseline of VPT, arXiv 2203.12119"
_VPTSP = "VPTSP, arXiv 2402.02340"
_DAVPT = "DA-VPT, arXiv 2505.23694"
_EFFICIENT: tuple[Part, ...] = ("v_bias", "proj_bias", "fc2_bias", "norm2_bias", "patch_bias")
METHODS = Methods("tuning method")
METHODS.add(
    "frozen",
    title="frozen",
    summary="the backbone's own feature, centred; nothing is trained",
    source="the backbone as it was pretrained",
    head=False,
)
METHODS.add(
    "linear",
    title="linear probe",
    summary="a trained LayerNorm and linear layer on the frozen feature",
    source=_BASELINE,
)
METHODS.add(
    "mlp",
    title="MLP-k",
    summary="linear after mlp_layers hidden layers",
    source=_BASELINE,
    mlp=True,
)
METHODS.add(
    "side",
    title="Sidetune",
    summary="linear on a mix of the frozen feature and a trained AlexNet's",
    source="Sidetune, arXiv 1912.13503; a baseline of VPT",
    side=True,
)
METHODS.add(
    "bias",
    title="BitFit",
    summary="linear, and every bias of the backbone",
    source="BitFit, arXiv 2106.10199",
    bitfit=True,
)
METHODS.add(
    "partial",
    title="Partial-k",
    summary="linear, and the last partial_blocks blocks with the final norm",
    source=_BASELINE,
    tunes="last",
)
METHODS.add(
    "full",
    title="full fine-tuning",
    summary="everything trains, with conventional proxies",
    source=_BASELINE,
    tunes="all",
)
METHODS.add(
    "adapter",
    title="Adapter",
    summary="linear, and a bottleneck at every MLP",
    source="Houlsby et al., arXiv 1902.00751; a baseline of VPT",
    adapter="working",
)
METHODS.add(
    "adapter_published",
    title="Adapter (VPT's code)",
    summary="adapter that starts with two zero weights and stays there",
    source="code published with arXiv 2203.12119",
    adapter="published",
)
METHODS.add(
    "lora",
    title="LoRA",
    summary="linear, and low-rank updates of attention's projections",
    source="LoRA, arXiv 2106.09685",
    lora=True,
)
METHODS.add(
    "vpt_shallow",
    title="VPT-shallow",
    summary="linear, and prompts before the first block",
    source=_VPT,
    prompts="shallow",
)
METHODS.add(
    "vpt_deep",
    title="VPT-deep",
    summary="linear, and prompts in every block",
    source=_VPT,
    prompts="deep",
)
METHODS.add(
    "vpt_bias",
    title="VPT-deep + bias",
    summary="vpt_deep, and every bias",
    source=_VPT,
    prompts="deep",
    bitfit=True,
)
METHODS.add(
    "e2vpt",
    title="E2VPT",
    summary="vpt_deep with learned keys and values in every block; prompts are pruned, then all trains anew",
    source="E2VPT, arXiv 2307.13770",
    prompts="deep",
    key_values=True,
    pruned=True,
)
METHODS.add(
    "vptsp_m",
    title="VPTSP-M",
    summary="vpt_bias and semantic proxies by moving average",
    source=_VPTSP,
    prompts="deep",
    semantic="ema",
    bitfit=True,
)
METHODS.add(
    "vptsp_g",
    title="VPTSP-G",
    summary="vpt_bias and semantic proxies by GRU",
    source=_VPTSP,
    prompts="deep",
    semantic="gru",
    bitfit=True,
)
METHODS.add(
    "davpt",
    title="DA-VPT",
    summary="prompts that speak for groups of classes, and some biases; recognition",
    source=_DAVPT,
    prompts="deep",
    guided=True,
    tuned_parts=_EFFICIENT,
    tasks=("recognition",),
)
METHODS.add(
    "davpt_dml",
    title="DA-VPT guidance, adapted",
    summary="davpt's prompts and biases under a proxy loss; retrieval",
    source=f"ours, after {_DAVPT}",
    prompts="deep",
    guided=True,
    tuned_parts=_EFFICIENT,
    tasks=("retrieval",),
)
METHODS.add(
    "davpt_vptsp",
    title="DA-VPT guidance, adapted, and VPTSP-G",
    summary="davpt_dml and semantic proxies by GRU; retrieval",
    source=f"ours, after {_DAVPT} and {_VPTSP}",
    prompts="deep",
    semantic="gru",
    guided=True,
    tuned_parts=_EFFICIENT,
    tasks=("retrieval",),
)
