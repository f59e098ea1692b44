"""What the workbench must know of a kind of backbone, one object each: where its blocks are, and where prompts enter.

A family is one file and one line in :mod:`vptsp.core.backbones`. Nothing else asks what kind a backbone is.
"""

from __future__ import annotations

import inspect
import sys
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from jaxtyping import Float, Int
from torch import Tensor, nn

from vptsp.core.backbones.attention import Kernel, key_width, linear_layers

Pooling = Literal["cls", "mean", "own"]
Grid = tuple[int, int]  # rows and columns of patches
PooledPrompts = Literal["see_all", "see_image"]  # whether their queries see CLS and each other, or the image alone


@dataclass
class Encoded:
    """What the transformer computed for B images.

    - ``features`` (B, D): pooled and normalised by the backbone's own final norm.
    - ``tokens``: on request, after each block (B, T, D); under CLS pooling T = 1 in the last one.
    - ``attention``: on request, of each block (B, heads, queries, N + T): prompts first, then the tokens.
    - ``shares``: with attention, of backbones that pool by attention: how much of the feature is from which token
      (B, T), the mean over the heads of the pooling; tokens that are not pooled have 0.

    A Swin's tokens are (B, H, W, D) and its attention (B, windows, heads, queries, keys), of other sizes in each stage.
    """

    features: Float[Tensor, "B D"]
    tokens: list[Tensor] = field(default_factory=list)
    attention: list[Tensor] = field(default_factory=list)
    shares: Float[Tensor, "B T"] | None = None


class Family(ABC):
    """A kind of backbone. ``model`` is always the timm model.

    - ``where``: a sentence for people: where prompts enter, or why they cannot.
    - ``prompts``: whether they can. ``locations``: the other places (besides tokens before the patches) where they can.
    - ``global_attention``: every token attends to every other, so that attention and effects of prompts can be shown
      on the image; ``no_attention`` says why not.
    - ``drops_paths``: stochastic depth can be put into its blocks (:mod:`vptsp.core.backbones.stochastic_depth`).
    - ``modules``: files of timm whose models are mostly of this family, for the list of backbones.
    """

    title: str
    where: str = ""
    prompts: bool = True
    locations: frozenset[str] = frozenset()
    global_attention: bool = False
    no_attention: str = "attends within windows, so there is no attention of the feature over the image"
    drops_paths: bool = False
    modules: tuple[str, ...] = ()

    @abstractmethod
    def matches(self, model: nn.Module) -> bool:
        """Whether a model is of this family, so that this file computes exactly what it computes."""

    @abstractmethod
    def blocks(self, model: Any) -> list[Any]:
        """The transformer blocks, first to last."""

    @abstractmethod
    def final_norms(self, model: Any) -> list[nn.Module]:
        """The norms after the last block."""

    @abstractmethod
    def num_prefix(self, model: Any) -> int:
        """CLS and register tokens before the patches."""

    @abstractmethod
    def pooling(self, name: str, model: Any, wanted: str) -> Pooling:
        """How the feature is pooled where ``wanted`` is auto, cls or mean. Raises BackboneError if it cannot be."""

    @abstractmethod
    def embed(self, model: Any, images: Float[Tensor, "B channels H W"]) -> Float[Tensor, "B *T D"]:
        """The tokens that enter the first block."""

    @abstractmethod
    def encode(
        self,
        model: Any,
        tokens: Float[Tensor, "B *T D"],
        prompts: Sequence[Tensor] = (),
        groups: Int[Tensor, " B"] | None = None,
        *,
        pooling: Pooling,
        grid: Grid | None = None,
        shallow: Sequence[Tensor] = (),
        added: Sequence[Tensor] = (),
        kernel: Kernel = "auto",
        want_tokens: bool = False,
        want_attention: bool = False,
        recompute: bool = False,
    ) -> Encoded:
        """Run the blocks; see :func:`vptsp.core.encoder.encode`. Some take ``key_values`` as well."""

    @property
    def key_values(self) -> bool:
        """Whether learned keys and values can stand beside the tokens' own: :meth:`encode` then has ``key_values``."""
        return "key_values" in inspect.signature(type(self).encode).parameters

    def fit_checkpoint(self, state: dict[str, Tensor], model: Any) -> dict[str, Tensor]:
        """A weight file's tensors as this model names and sizes them, by what the model's file in timm does."""
        fit = getattr(sys.modules[type(model).__module__], "checkpoint_filter_fn", None)
        fitted: dict[str, Tensor] = fit(state, model) if fit else state
        return fitted

    def where_in(self, model: Any) -> str:
        """Where prompts enter a model of this family, or why they cannot."""
        return self.where

    def widths(self, model: Any) -> list[int]:
        """Width D of each block."""
        return [int(block.norm1.normalized_shape[0]) for block in self.blocks(model)]

    def key_widths(self, model: Any) -> list[int]:
        """Numbers in the keys of each block, of all heads together: what learned keys and values are as wide as."""
        return [key_width(block.attn) for block in self.blocks(model)]

    def mlp_widths(self, model: Any) -> list[int]:
        """Width of each block's MLP, where adapters sit."""
        return self.widths(model)

    def width(self, model: Any) -> int:
        """Width D of the feature."""
        return int(model.num_features)

    def grid(self, model: Any, size: tuple[int, int]) -> Grid:
        """Rows and columns of patches in images of ``size`` pixels."""
        patch = model.patch_embed.patch_size
        return size[0] // patch[0], size[1] // patch[1]

    def pooled_alone(self, model: Any, pooling: Pooling) -> int | None:
        """How many of the first tokens are all that is pooled; none: others are pooled as well."""
        return 1 if pooling == "cls" else None

    def linears(self, block: Any, name: str) -> list[nn.Module]:
        """A block's linear layers that people call ``qkv``, ``proj``, ``fc1`` or ``fc2``; a gated fc1 may be two."""
        if name == "qkv":
            return linear_layers(block.attn)
        if name == "proj":
            return [block.attn.proj]
        parts = [name, f"{name}_g", f"{name}_x"]
        return [getattr(block.mlp, part) for part in parts if getattr(block.mlp, part, None) is not None]

    def low_rank_layers(self, model: Any, targets: Sequence[str]) -> list[nn.Module]:
        """The linear layers that low-rank updates go to."""
        return [layer for block in self.blocks(model) for target in targets for layer in self.linears(block, target)]

    def guides(self, model: Any) -> bool:
        """Whether a CLS token goes through all blocks, so that guided prompts can follow its queries; those of the
        last block can then be pooled as well (``pool_prompts`` of :func:`vptsp.core.encoder.encode`)."""
        return False

    def last(self, model: Any, count: int) -> set[str]:
        """Names of the parameters of the last ``count`` blocks and of what is after them."""
        tuned = [*self.blocks(model)[-count:], *self.final_norms(model)]
        chosen = {id(parameter) for module in tuned for parameter in module.parameters()}
        return {name for name, parameter in model.named_parameters() if id(parameter) in chosen}

    def depth(self, model: Any) -> int:
        """Blocks (or what stands for them), of which the last can be trained."""
        return len(self.blocks(model))

    def unused(self, model: Any, pooling: Pooling) -> tuple[str, ...]:
        """Prefixes of parameters that the forward pass never uses, so that they never train."""
        return ()
