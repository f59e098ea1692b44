"""Single parts of a backbone that train by themselves: biases of one projection, norms, CLS (DA-VPT's selection)."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING, Any, Literal, get_args

import torch
from torch import Tensor, nn

from vptsp.core.backbones import Part
from vptsp.core.backbones.attention import linear_layers
from vptsp.core.errors import ConfigError

if TYPE_CHECKING:
    from vptsp.core.backbones.load import Backbone

_PROJECTIONS = ("q_bias", "k_bias", "v_bias")


class SplitLinear(nn.Linear):
    """A linear layer of queries, keys and values whose three biases are parameters of their own."""

    def __init__(self, layer: nn.Linear) -> None:
        nn.Module.__init__(self)  # Linear's own would make one bias
        self.in_features, self.out_features, self.weight = layer.in_features, layer.out_features, layer.weight
        whole = layer.bias.detach()
        self.q_bias, self.k_bias, self.v_bias = (nn.Parameter(part.clone()) for part in whole.chunk(3))

    @property
    def bias(self) -> Tensor:  # type: ignore[override]
        return torch.cat([self.q_bias, self.k_bias, self.v_bias])


def part_names(backbone: Backbone, parts: Collection[Part], missing: Literal["refuse", "skip"] = "refuse") -> list[str]:
    """Names of the backbone's parameters that are ``parts``; a fused bias of queries, keys and values is split first.

    Raises :class:`~vptsp.core.errors.ConfigError` for a part that the backbone does not have, unless those are skipped.
    """
    if not parts:
        return []
    if set(parts) & set(_PROJECTIONS):
        for block in backbone.blocks:
            _split(getattr(block, "attn", None))
    found: dict[str, set[int]] = {part: set() for part in get_args(Part)}
    for part, parameter in _parts(backbone):
        if isinstance(parameter, nn.Parameter):
            found[part].add(id(parameter))
    absent = [part for part in parts if not found[part]]
    if absent and missing == "refuse":
        legal = ", ".join(part for part in get_args(Part) if found[part])
        if not legal:
            raise ConfigError(
                f"tuned_parts: {backbone.name} has no {absent[0]}, and no other of these parts; choose another backbone"
            )
        raise ConfigError(f"tuned_parts: {backbone.name} has no {absent[0]}; legal: {legal}")
    chosen = {number for part in parts for number in found[part]}
    return [name for name, parameter in backbone.vit.named_parameters() if id(parameter) in chosen]


def _split(attention: Any) -> None:
    layer = getattr(attention, "qkv", None)
    if isinstance(layer, nn.Linear) and not isinstance(layer, SplitLinear) and layer.bias is not None:
        attention.qkv = SplitLinear(layer)


def _parts(backbone: Backbone) -> Iterator[tuple[str, Any]]:
    """Every part by name, with the parameter or what stands in its place."""
    family, vit = backbone.family, backbone.vit
    for block in backbone.blocks:
        attention = getattr(block, "attn", None)
        if attention is not None:
            layers = linear_layers(attention)
            for number, part in enumerate(_PROJECTIONS):
                if len(layers) == 3:
                    yield part, layers[number].bias
                else:  # in the layer, if it was split, or beside it
                    own = getattr(layers[0], part, None)
                    yield part, own if own is not None else getattr(attention, part, None)
        for name in ("proj", "fc1", "fc2"):
            for layer in family.linears(block, name):
                yield f"{name}_bias", getattr(layer, "bias", None)
        for name in ("norm1", "norm2"):
            yield from _of_norm(name, getattr(block, name, None))
    for norm in family.final_norms(vit):
        yield from _of_norm("norm", norm)
    patches = getattr(vit, "patch_embed", None)
    yield "patch_bias", getattr(getattr(patches, "proj", None), "bias", None)
    yield "cls_token", getattr(vit, "cls_token", None)


def _of_norm(name: str, norm: Any) -> Iterator[tuple[str, Any]]:
    yield f"{name}_bias", getattr(norm, "bias", None)
    yield name, getattr(norm, "bias", None)
    yield name, getattr(norm, "weight", None)
