"""Run a frozen plain vision transformer with prompts (VPT, arXiv 2203.12119; ViT, arXiv 2010.11929).

In VPT-deep the output at a prompt position is thrown away after each block, so a prompt acts on the
image tokens only through its key and its value. This module therefore never runs deep prompts as
tokens: it appends their keys and values to those of the image tokens. The numbers are the same as with
prompt tokens, while a prompt costs neither a query, nor the output projection, nor the MLP; shared
prompts are projected once per batch and class prompts once per class. Under CLS pooling the last block
computes the query of CLS alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from timm.layers import Attention
from timm.models.vision_transformer import Block, VisionTransformer, checkpoint_filter_fn
from torch import Tensor, nn

from vptsp.core.backbones.attention import Kernel, effective_weight, require_groups, run_block
from vptsp.core.backbones.family import Encoded, Family, Pooling
from vptsp.core.errors import BackboneError


class PlainViT(Family):
    """ViT, DeiT, DeiT III, DINO, DINOv2, CLIP, MAE, ...: timm's ``VisionTransformer`` with its usual blocks."""

    title = "plain vision transformer"
    locations = frozenset({"add", "prepend_pixel", "concat_channel", "pad"})
    global_attention = True
    unused = ("attn_pool.",)  # the feature is CLS or the mean, never the attention pooling of some models

    def matches(self, model: nn.Module) -> bool:
        return isinstance(model, VisionTransformer) and all(
            type(block) is Block and type(block.attn) is Attention and block.attn.gate is None for block in model.blocks
        )

    def blocks(self, model: Any) -> list[Any]:
        return list(model.blocks)

    def final_norms(self, model: Any) -> list[nn.Module]:
        return [model.norm, model.fc_norm]

    def num_prefix(self, model: Any) -> int:
        return int(model.num_prefix_tokens)

    def pooling(self, name: str, model: Any, wanted: str) -> Pooling:
        if wanted == "mean":
            return "mean"
        if wanted == "cls" or model.global_pool == "token":
            if not model.has_class_token:
                raise BackboneError(f"backbone {name!r} has no CLS token; use pooling=mean")
            return "cls"
        if model.global_pool == "avg":
            return "mean"
        raise BackboneError(
            f"backbone {name!r} pools by {model.global_pool!r}, which is not supported; use pooling=mean"
        )

    def fit_checkpoint(self, state: dict[str, Tensor], model: Any) -> dict[str, Tensor]:
        fitted: dict[str, Tensor] = checkpoint_filter_fn(state, model)
        return fitted

    def embed(self, model: Any, images: Float[Tensor, "B channels S S"]) -> Float[Tensor, "B T D"]:
        """Patches, CLS and positions."""
        tokens: Tensor = model.norm_pre(model.patch_drop(model._pos_embed(model.patch_embed(images))))
        return tokens

    def encode(
        self,
        model: Any,
        tokens: Float[Tensor, "B T D"],
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
        num_prefix = self.num_prefix(model)
        result = Encoded(features=tokens[:, 0])
        if shallow:
            travelling = shallow[0].to(tokens.dtype).expand(tokens.shape[0], -1, -1)
            tokens = torch.cat([tokens[:, :num_prefix], travelling, tokens[:, num_prefix:]], dim=1)
            num_prefix += travelling.shape[1]
        last = len(model.blocks) - 1
        for index, block in enumerate(model.blocks):
            prompt = prompts[index] if index < len(prompts) else None
            only_cls = index == last and pooling == "cls"
            if index < len(added):
                tokens = tokens + added[index].to(tokens.dtype)
            tokens, weights = run_block(
                _run_block, recompute, block, tokens, prompt, groups, only_cls, kernel, want_attention
            )
            if want_tokens:
                result.tokens.append(tokens)
            if weights is not None:
                result.attention.append(weights)
        tokens = model.norm(tokens)
        pooled = tokens[:, 0] if pooling == "cls" else tokens[:, num_prefix:].mean(dim=1)
        result.features = model.fc_norm(pooled)
        return result


FAMILY = PlainViT()


def _run_block(
    block: Any,  # timm Block
    tokens: Float[Tensor, "B T D"],
    prompt: Tensor | None,
    groups: Int[Tensor, " B"] | None,
    only_cls: bool,
    kernel: Kernel,
    want_attention: bool,
) -> tuple[Float[Tensor, "B Q D"], Tensor | None]:
    attention: Any = block.attn
    normed = block.norm1(tokens)
    query, key, value = _project(attention, normed, only_cls)
    if prompt is not None and prompt.shape[-2] > 0:
        prompt_key, prompt_value = _project_prompts(attention, block.norm1(prompt), groups, tokens.shape[0])
        key = torch.cat([prompt_key.to(key.dtype), key], dim=2)
        value = torch.cat([prompt_value.to(value.dtype), value], dim=2)

    mixed, weights = _attend(query, key, value, attention.scale, kernel, want_attention)
    mixed = mixed.transpose(1, 2).flatten(2)  # (B, heads, Q, d) -> (B, Q, heads*d)
    mixed = attention.proj(attention.norm(mixed))
    tokens = (tokens[:, :1] if only_cls else tokens) + block.ls1(mixed)
    return tokens + block.ls2(block.mlp(block.norm2(tokens))), weights


def _project(attention: Attention, normed: Float[Tensor, "B T D"], only_cls: bool) -> tuple[Tensor, Tensor, Tensor]:
    """Queries, keys and values (B, heads, T, d); with ``only_cls`` the query of token 0 alone."""
    heads, inner = attention.num_heads, attention.attn_dim
    if only_cls:
        weight, bias = effective_weight(attention.qkv)
        query = F.linear(normed[:, :1], weight[:inner], None if bias is None else bias[:inner])
        key, value = F.linear(normed, weight[inner:], None if bias is None else bias[inner:]).chunk(2, dim=-1)
    else:
        query, key, value = attention.qkv(normed).chunk(3, dim=-1)
    query, key, value = (part.unflatten(-1, (heads, -1)).transpose(1, 2) for part in (query, key, value))
    return attention.q_norm(query), attention.k_norm(key), value


def _project_prompts(
    attention: Attention, normed: Tensor, groups: Int[Tensor, " B"] | None, batch: int | torch.SymInt
) -> tuple[Tensor, Tensor]:
    """Keys and values (B, heads, N, d) of shared (N, D) or grouped (U, N, D) prompts, projected once."""
    heads, inner = attention.num_heads, attention.attn_dim
    weight, bias = effective_weight(attention.qkv)
    both = F.linear(normed, weight[inner:], None if bias is None else bias[inner:])
    key, value = both.unflatten(-1, (2, heads, -1)).unbind(dim=-3)  # (..., N, heads, d) each
    key, value = attention.k_norm(key.transpose(-2, -3)), value.transpose(-2, -3)
    if normed.dim() == 2:
        return key.expand(batch, -1, -1, -1), value.expand(batch, -1, -1, -1)
    index = require_groups(groups, batch)
    return key[index], value[index]


def _attend(
    query: Tensor, key: Tensor, value: Tensor, scale: float, kernel: Kernel, want_weights: bool
) -> tuple[Tensor, Tensor | None]:
    """Softmax attention; the matmul form where it is faster, and always when the weights are asked for."""
    if kernel == "auto":
        kernel = _choose_kernel(query)
    if kernel == "fused" and not want_weights:
        return F.scaled_dot_product_attention(query, key, value, scale=scale), None
    weights = ((query * scale) @ key.transpose(-2, -1)).softmax(dim=-1)
    return weights.to(value.dtype) @ value, weights if want_weights else None


def _choose_kernel(query: Tensor) -> Literal["fused", "matmul"]:
    # On CPUs torch's flash kernel is several times slower in bf16 than plain products at these lengths;
    # in fp32 it is the faster one, and on GPUs it always is. `make bench` measures all of them.
    return "matmul" if query.device.type == "cpu" and query.dtype == torch.bfloat16 else "fused"
