"""Attention with prompts as keys and values, as every family calls it, and what else the families share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, TypeVarTuple, Unpack

import torch
import torch.nn.functional as F
from jaxtyping import Int
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from vptsp.core.backbones.compiled import as_wanted
from vptsp.core.backbones.kernels import Compute, Kernel, Way, choose, multiplies_bf16
from vptsp.core.errors import ConfigError

Given = TypeVarTuple("Given")
Result = TypeVar("Result")
KeyValue = tuple[Tensor, Tensor]  # learned keys and values of a block, (N, inner) shared or (U, N, inner) grouped


def effective_weight(linear: Any) -> tuple[Tensor, Tensor | None]:
    """Weight and bias of a linear layer, with peft's low-rank updates where it has some."""
    weight = linear.weight
    for name in getattr(linear, "active_adapters", ()):
        weight = weight + linear.get_delta_weight(name)
    return weight, linear.bias


def run_block(block: Callable[[Unpack[Given]], Result], recompute: bool, *given: *Given) -> Result:
    """Call ``block``; with ``recompute`` the backward pass computes again what it needs of it (arXiv 1604.06174).

    Inside :func:`~vptsp.core.backbones.compiled.compiled_blocks` it runs compiled.
    """
    block = as_wanted(block)
    if recompute and torch.is_grad_enabled():
        result: Result = checkpoint(block, *given, use_reentrant=False)
        return result
    return block(*given)


def require_groups(groups: Int[Tensor, " B"] | None, batch: int | torch.SymInt) -> Int[Tensor, " B"]:
    """The group of each image. Raises :class:`ConfigError` where prompts (U, N, D) come without."""
    if groups is None:
        raise ConfigError(
            f"prompts (U, N, D) of U groups came without groups; pass groups ({batch},), the row of each image, or "
            "prompts (N, D) shared by all images"
        )
    return groups


def projections(attention: Any) -> tuple[tuple[Tensor, Tensor | None], ...]:
    """Weight and bias of the queries, the keys and the values, however a timm layer stores them.

    One layer ``qkv`` with its own bias, or with biases apart from it (``q_bias``, ``k_bias``, which is zero, and
    ``v_bias``: EVA, DINOv3, BEiT, SwinV2), or three layers (``q_proj``, ... of EVA-02; ``q``, ... of CaiT).
    """
    layers = linear_layers(attention)
    if len(layers) == 3:
        return tuple(map(effective_weight, layers))
    weight, bias = effective_weight(layers[0])
    if getattr(attention, "q_bias", None) is not None:
        biases: tuple[Tensor | None, ...] = (attention.q_bias, attention.k_bias, attention.v_bias)
    else:
        biases = (None,) * 3 if bias is None else bias.chunk(3)
    return tuple(zip(weight.chunk(3), biases, strict=True))


def key_width(attention: Any) -> int:
    """Numbers in the keys of all heads together, as their projection gives them; values have as many."""
    return int(projections(attention)[1][0].shape[0])


def linear_layers(attention: Any) -> list[Any]:
    """The linear layers that make queries, keys and values: one, or three."""
    if getattr(attention, "qkv", None) is not None:
        return [attention.qkv]
    form = "{}_proj" if hasattr(attention, "q_proj") else "{}"
    return [getattr(attention, form.format(name)) for name in "qkv"]


def per_image(part: Tensor, groups: Int[Tensor, " B"] | None, batch: int | torch.SymInt) -> Tensor:
    """Keys or values of shared (heads, N, d) or grouped (U, heads, N, d) prompts for each image, (B, heads, N, d)."""
    if part.dim() == 3:
        return part.expand(batch, -1, -1, -1)
    return part[require_groups(groups, batch)]


def alone(query: Tensor) -> Tensor:
    """Queries in memory of their own, for where prompts join the keys and values.

    As a view of queries, keys and values they would hold all three until the backward pass, beside the joined copies.
    """
    return query.contiguous() if query.requires_grad else query


def attend(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    scale: float,
    kernel: Kernel,
    want_weights: bool,
    bias: Tensor | None = None,
) -> tuple[Tensor, Tensor | None]:
    """Softmax attention; by ``auto`` in the way that is faster here, and by products when the weights are asked for.

    ``bias`` (..., queries, keys) is added to the scores.
    """
    rule = rule_for(query)
    return attend_by(
        lambda q, k, v: _fused(q, k, v, scale, bias), rule, query, key, value, scale, kernel, want_weights, bias
    )


def attend_by(
    fused: Compute,
    rule: Way,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    scale: float,
    kernel: Kernel,
    want_weights: bool,
    bias: Tensor | None,
) -> tuple[Tensor, Tensor | None]:
    """:func:`attend` with a family's own ``fused`` way, and the ``rule`` where nothing was measured."""
    if want_weights:
        return _products(query, key, value, scale, bias)
    # lambdas: where shapes are checked, a function with annotations would be made ready for it at each call
    ways: dict[Way, Compute] = {"fused": fused, "matmul": lambda q, k, v: _products(q, k, v, scale, bias)[0]}
    if kernel == "auto":
        kernel = choose(ways, rule, query, key, value, bias)
    return ways[kernel](query, key, value), None


def _fused(query: Tensor, key: Tensor, value: Tensor, scale: float, bias: Tensor | None) -> Tensor:
    """Softmax attention by torch's kernel."""
    added = None if bias is None else bias.to(query.dtype)
    return F.scaled_dot_product_attention(query, key, value, added, scale=scale)


def _products(query: Tensor, key: Tensor, value: Tensor, scale: float, bias: Tensor | None) -> tuple[Tensor, Tensor]:
    """Softmax attention and its weights."""
    scores = (query * scale) @ key.transpose(-2, -1)
    weights = (scores if bias is None else scores + bias).softmax(dim=-1)
    return weights.to(value.dtype) @ value, weights


def rule_for(query: Tensor) -> Way:
    # In bf16, CPUs with AMX or AVX512-BF16 multiply matrices several times faster than torch's flash kernel works;
    # others do not, and in fp32 and on GPUs the kernel is the faster one. `make bench` measures all of them.
    products = query.device.type == "cpu" and query.dtype == torch.bfloat16 and multiplies_bf16()
    return "matmul" if products else "fused"
