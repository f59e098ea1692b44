"""Run a frozen vision transformer with prompts.

In VPT-deep the output at a prompt position is thrown away after each block, so a prompt acts on the
image tokens only through its key and its value. This module therefore never runs deep prompts as
tokens: it appends their keys and values to those of the image tokens. The numbers are the same as with
prompt tokens, while a prompt costs neither a query, nor the output projection, nor the MLP; shared
prompts are projected once per batch and class prompts once per class. Under CLS pooling the last block
computes the query of CLS alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from timm.layers import Attention
from timm.models.swin_transformer import SwinTransformer
from torch import Tensor

from vptsp.core.backbones.attention import Kernel, effective_weight, run_block
from vptsp.core.backbones.load import Backbone
from vptsp.core.backbones.swin import embed_swin, encode_swin


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


def embed_patches(vit: Any, images: Float[Tensor, "B channels S S"]) -> Float[Tensor, "B *T D"]:
    """Patches, CLS and positions: the tokens that enter the first block; (B, H, W, D) for a Swin."""
    if isinstance(vit, SwinTransformer):
        return embed_swin(vit, images)
    return vit.norm_pre(vit.patch_drop(vit._pos_embed(vit.patch_embed(images))))


def encode(
    backbone: Backbone,
    tokens: Float[Tensor, "B *T D"],
    prompts: Sequence[Tensor] = (),
    groups: Int[Tensor, " B"] | None = None,
    *,
    shallow: Sequence[Tensor] = (),
    added: Sequence[Tensor] = (),
    kernel: Kernel = "auto",
    want_tokens: bool = False,
    want_attention: bool = False,
    recompute: bool = False,
) -> Encoded:
    """Run the blocks on ``tokens`` (from :func:`embed_patches`).

    ``prompts`` holds one tensor per block, for as many blocks as have prompts: (N, D) shared by all
    images, or (U, N, D) of U groups with ``groups`` (B,) giving the row of each image. ``shallow`` (VPT-shallow)
    holds at most one (N, D) tensor whose prompts enter at block 0 and travel on as tokens. ``added`` holds a (T, D)
    tensor per block, for as many blocks as have one, which is added to that block's input. ``recompute`` keeps only
    the inputs of the blocks for the backward pass, which computes the rest again.
    """
    if backbone.is_swin:
        assert not added, "a Swin takes no added prompts"
        return Encoded(
            *encode_swin(
                backbone.vit, tokens, prompts, groups, shallow=shallow, kernel=kernel, want_tokens=want_tokens,
                want_attention=want_attention, recompute=recompute,
            )
        )  # fmt: skip
    vit, num_prefix = backbone.vit, backbone.num_prefix
    result = Encoded(features=tokens[:, 0])
    if shallow:
        travelling = shallow[0].to(tokens.dtype).expand(tokens.shape[0], -1, -1)
        tokens = torch.cat([tokens[:, :num_prefix], travelling, tokens[:, num_prefix:]], dim=1)
        num_prefix += travelling.shape[1]
    last = len(vit.blocks) - 1
    for index, block in enumerate(vit.blocks):
        prompt = prompts[index] if index < len(prompts) else None
        only_cls = index == last and backbone.pooling == "cls"
        if index < len(added):
            tokens = tokens + added[index].to(tokens.dtype)
        tokens, weights = run_block(
            _run_block, recompute, block, tokens, prompt, groups, only_cls, kernel, want_attention
        )
        if want_tokens:
            result.tokens.append(tokens)
        if weights is not None:
            result.attention.append(weights)
    tokens = vit.norm(tokens)
    pooled = tokens[:, 0] if backbone.pooling == "cls" else tokens[:, num_prefix:].mean(dim=1)
    result.features = vit.fc_norm(pooled)
    return result


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
    assert groups is not None, "grouped prompts need the group of each image"
    return key[groups], value[groups]


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
