"""Any image model of timm, for the methods that put nothing between its layers.

The feature is what timm's own classifier would get: ``forward_head(forward_features(x), pre_logits=True)``, pooled as
the model pools. Prompts would need to know where attention is, and whether there is any; so there are none here, and
no adapters. What stands for blocks are timm's own groups of layers, first to last (``group_matcher``): the stages of a
ResNet or a ConvNeXt, the blocks of a transformer. Low-rank updates go to every linear layer by its name.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float, Int
from timm.models import group_parameters
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from vptsp.core.backbones.attention import Kernel
from vptsp.core.backbones.family import Encoded, Family, Grid, Pooling
from vptsp.core.backbones.without_prompts import UNKNOWN, why_no_prompts
from vptsp.core.errors import BackboneError, ConfigError


class AnyModel(Family):
    """ResNet, ConvNeXt, EfficientNet, MaxViT, ...: every model that no other family knows."""

    title = "model without known places for prompts"
    where = f"no prompts: {UNKNOWN}"
    prompts = False
    no_attention = f"gives no attention maps: {UNKNOWN}"

    def matches(self, model: nn.Module) -> bool:
        return hasattr(model, "forward_features") and hasattr(model, "forward_head")

    def where_in(self, model: Any) -> str:
        return f"no prompts: {why_no_prompts(model)}"

    def blocks(self, model: Any) -> list[Any]:
        return []

    def final_norms(self, model: Any) -> list[nn.Module]:
        return []

    def num_prefix(self, model: Any) -> int:
        return 0

    def width(self, model: Any) -> int:
        return int(getattr(model, "head_hidden_size", None) or model.num_features)

    def grid(self, model: Any, size: tuple[int, int]) -> Grid:
        return 1, 1

    def pooling(self, name: str, model: Any, wanted: str) -> Pooling:
        if wanted != "auto":
            raise BackboneError(f"backbone {name!r} ({type(model).__name__}) pools in its own way; use pooling=auto")
        return "own"

    def depth(self, model: Any) -> int:
        return len(_stages(model))

    def last(self, model: Any, count: int) -> set[str]:
        return {name for stage in _stages(model)[-count:] for name in stage}

    def low_rank_layers(self, model: Any, targets: Sequence[str]) -> list[nn.Module]:
        names = {f"{target}{part}" for target in targets for part in ("", "_g", "_x")}
        return [m for name, m in model.named_modules() if type(m) is nn.Linear and name.rpartition(".")[2] in names]

    def embed(self, model: Any, images: Float[Tensor, "B channels H W"]) -> Float[Tensor, "B channels H W"]:
        """The images themselves: nothing is known of the tokens, if there are any."""
        return images

    def encode(
        self,
        model: Any,
        tokens: Float[Tensor, "B channels H W"],
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
        if any(len(given) for given in (prompts, shallow, added)):
            raise ConfigError(f"a {self.title} takes no prompts; pass none, or choose another backbone")
        if want_tokens or want_attention:
            raise BackboneError(f"a {self.title} gives neither tokens nor attention; ask for features alone")
        if recompute and torch.is_grad_enabled():
            return Encoded(features=checkpoint(_features, model, tokens, use_reentrant=False))
        return Encoded(features=_features(model, tokens))


FAMILY = AnyModel()


def _features(model: Any, images: Tensor) -> Float[Tensor, "B D"]:
    features: Tensor = model.forward_head(model.forward_features(images), pre_logits=True)
    return features


def _stages(model: Any) -> list[list[str]]:
    """Names of the parameters of each group of layers, the stem first; those after all layers go with the last."""
    matcher = model.group_matcher(coarse=True)
    groups: dict[Any, list[str]] = group_parameters(model, matcher)
    ordered = [groups[key] for key in sorted(groups)]
    if len(ordered) > 1 and all(_is_after(name, matcher) for name in ordered[-1]):
        ordered[-2:] = [ordered[-2] + ordered[-1]]
    return ordered


def _is_after(name: str, matcher: Any) -> bool:
    """Whether timm's groups of layers do not know a parameter: of a norm before the classifier, for example."""
    if callable(matcher):
        return matcher(name) in (float("inf"), (float("inf"),))
    known = [part for spec in matcher.values() if spec for part in ([spec] if isinstance(spec, str) else spec)]
    return not any(re.match(part if isinstance(part, str) else part[0], name) for part in known)
