"""What the workbench must know of a kind of backbone, one object each: where its blocks are, and where prompts enter.

A family is one file and one line in :mod:`vptsp.core.backbones`. Nothing else asks what kind a backbone is.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from jaxtyping import Float, Int
from torch import Tensor, nn

from vptsp.core.backbones.attention import Kernel

Pooling = Literal["cls", "mean"]


@dataclass
class Encoded:
    """What the transformer computed for B images.

    - ``features`` (B, D): pooled and normalised by the backbone's own final norm.
    - ``tokens``: on request, after each block (B, T, D); under CLS pooling T = 1 in the last one.
    - ``attention``: on request, of each block (B, heads, queries, N + T): prompts first, then the tokens.

    A Swin's tokens are (B, H, W, D) and its attention (B, windows, heads, queries, keys), of other sizes in each stage.
    """

    features: Float[Tensor, "B D"]
    tokens: list[Tensor] = field(default_factory=list)
    attention: list[Tensor] = field(default_factory=list)


class Family(ABC):
    """A kind of backbone. ``model`` is always the timm model.

    ``locations`` are the places (besides tokens before the patches) where prompts can enter. ``global_attention``:
    every token attends to every other, so that attention and effects of prompts can be shown on the image.
    ``unused``: prefixes of parameters that the forward pass here never uses.
    """

    title: str
    locations: frozenset[str] = frozenset()
    global_attention: bool = False
    unused: tuple[str, ...] = ()

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
    def fit_checkpoint(self, state: dict[str, Tensor], model: Any) -> dict[str, Tensor]:
        """A weight file's tensors as this model names and sizes them."""

    @abstractmethod
    def embed(self, model: Any, images: Float[Tensor, "B channels S S"]) -> Float[Tensor, "B *T D"]:
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
        shallow: Sequence[Tensor] = (),
        added: Sequence[Tensor] = (),
        kernel: Kernel = "auto",
        want_tokens: bool = False,
        want_attention: bool = False,
        recompute: bool = False,
    ) -> Encoded:
        """Run the blocks; see :func:`vptsp.core.encoder.encode`."""

    def widths(self, model: Any) -> list[int]:
        """Width D of each block."""
        return [int(block.norm1.normalized_shape[0]) for block in self.blocks(model)]

    def linear(self, block: Any, name: str) -> tuple[nn.Module, str]:
        """Module and attribute of a block's linear layer ``qkv``, ``proj``, ``fc1`` or ``fc2``."""
        return (block.attn if name in ("qkv", "proj") else block.mlp), name
