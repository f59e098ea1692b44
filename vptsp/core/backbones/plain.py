"""Run a frozen plain vision transformer with prompts (VPT, arXiv 2203.12119; ViT, arXiv 2010.11929).

In VPT-deep the output at a prompt position is thrown away after each block, so a prompt acts on the
image tokens only through its key and its value. This module therefore never runs deep prompts as
tokens: it appends their keys and values to those of the image tokens. The numbers are the same as with
prompt tokens, while a prompt costs neither a query, nor the output projection, nor the MLP; shared
prompts are projected once per batch and class prompts once per class. Where only the first tokens are
pooled (CLS, or the two of a distilled DeiT) the last block computes their queries alone.

Families whose blocks differ in parts derive from :class:`PlainViT` and say these parts anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from timm.layers import Attention, AttentionPoolLatent
from timm.models.deit import VisionTransformerDistilled
from timm.models.vision_transformer import Block, VisionTransformer, checkpoint_filter_fn
from torch import Tensor, nn

from vptsp.core.backbones.attention import (
    Kernel,
    KeyValue,
    alone,
    attend,
    effective_weight,
    per_image,
    require_groups,
    run_block,
)
from vptsp.core.backbones.family import Encoded, Family, Grid, PooledPrompts, Pooling
from vptsp.core.errors import BackboneError


class PlainViT(Family):
    """ViT, DeiT, DeiT III, DINO, DINOv2, CLIP, SigLIP, MAE, ...: timm's ``VisionTransformer`` with its usual blocks."""

    title = "plain vision transformer"
    where = "prompts are keys and values of every block"
    locations = frozenset({"add", "prepend_pixel", "concat_channel", "pad"})
    global_attention = True
    drops_paths = True
    modules: tuple[str, ...] = ("vision_transformer", "deit", "vision_transformer_hybrid")

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
        """CLS, the mean of the patches, or what else the model does: by attention, or the mean of its two tokens."""
        if wanted == "mean":
            return "mean"
        if wanted == "cls":
            if not self._has_cls(model):
                raise BackboneError(f"backbone {name!r} has no CLS token; use pooling=mean")
            return "cls"
        if isinstance(model, VisionTransformerDistilled) or getattr(model, "pool_include_prefix", False):
            return "own"
        own: dict[str, Pooling] = {"token": "cls", "avg": "mean"}
        return own.get(model.global_pool, "own")

    def _has_cls(self, model: Any) -> bool:
        return getattr(model, "cls_token", None) is not None

    def guides(self, model: Any) -> bool:
        return self._has_cls(model) and self.num_prefix(model) > 0

    def unused(self, model: Any, pooling: Pooling) -> tuple[str, ...]:
        return () if pooling == "own" else ("attn_pool.",)

    def fit_checkpoint(self, state: dict[str, Tensor], model: Any) -> dict[str, Tensor]:
        scales = any(name.endswith("gamma_1") for name in state)  # DeiT III's name of its layer scale
        fitted: dict[str, Tensor] = checkpoint_filter_fn(state, model, adapt_layer_scale=scales)
        return fitted

    def embed(self, model: Any, images: Float[Tensor, "B channels H W"]) -> Float[Tensor, "B T D"]:
        """Patches, CLS and positions."""
        tokens: Tensor = model.norm_pre(model.patch_drop(model._pos_embed(model.patch_embed(images))))
        return tokens

    def places(self, model: Any, grid: Grid | None) -> list[Any]:
        """What each block needs to know of the tokens' places beside the tokens; nothing here.

        ``grid``: rows and columns of patches; none: those of the model's own image size.
        """
        return [None] * len(self.blocks(model))

    def encode(
        self,
        model: Any,
        tokens: Float[Tensor, "B T D"],
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
        pool_prompts: PooledPrompts | None = None,
        key_values: Sequence[KeyValue] = (),
    ) -> Encoded:
        num_prefix, num_travelling = self.num_prefix(model), 0
        result = Encoded(features=tokens[:, 0])
        if shallow:
            travelling = shallow[0].to(tokens.dtype).expand(tokens.shape[0], -1, -1)
            tokens = torch.cat([tokens[:, :num_prefix], travelling, tokens[:, num_prefix:]], dim=1)
            num_travelling = travelling.shape[1]
        places = self.places(model, grid)
        last = len(places) - 1
        for index, block in enumerate(self.blocks(model)):
            prompt = prompts[index] if index < len(prompts) else None
            asked = self.pooled_alone(model, pooling) if index == last else None
            if index < len(added):
                tokens = tokens + added[index].to(tokens.dtype)
            hidden: Tensor | None = None
            if pool_prompts and asked is None and index == last and prompt is not None:  # the only rows that count
                tokens = torch.cat(
                    [tokens[:, :num_prefix], _rows(prompt, groups, tokens), tokens[:, num_prefix:]], dim=1
                )
                num_travelling, prompt = prompt.shape[-2], None
                hidden = _hidden(tokens, num_prefix, num_travelling) if pool_prompts == "see_image" else None
            tokens, weights = run_block(
                self._run_block,
                recompute,
                block,
                tokens,
                prompt,
                groups,
                asked,
                kernel,
                want_attention,
                num_prefix + num_travelling,
                places[index],
                hidden,
                key_values[index] if index < len(key_values) else None,
            )
            if want_tokens:
                result.tokens.append(tokens)
            if weights is not None:
                pooled_too = index == last and pool_prompts is not None and asked is None
                result.attention.append(_prompts_first(weights, num_prefix, num_travelling) if pooled_too else weights)
        tokens = model.norm(tokens)
        if pooling == "own":
            kept = torch.cat([tokens[:, :num_prefix], tokens[:, num_prefix + num_travelling :]], dim=1)
            result.features = model.forward_head(kept if num_travelling else tokens, pre_logits=True)
            if want_attention:
                result.shares = self._shares(model, kept, num_travelling)
            return result
        first = num_prefix if pool_prompts else num_prefix + num_travelling
        pooled = tokens[:, 0] if pooling == "cls" else tokens[:, first:].mean(dim=1)
        result.features = model.fc_norm(pooled)
        return result

    def pooled_alone(self, model: Any, pooling: Pooling) -> int | None:
        if pooling == "own":
            return 2 if isinstance(model, VisionTransformerDistilled) else None
        return super().pooled_alone(model, pooling)

    def _shares(self, model: Any, kept: Float[Tensor, "B T D"], num_travelling: int) -> Float[Tensor, "B T_all"] | None:
        """How much of the feature is from which token, where attention pools; travelling prompts have no share."""
        pool, num_prefix = getattr(model, "attn_pool", None), self.num_prefix(model)
        if not isinstance(pool, AttentionPoolLatent) or pool.pos_embed is not None or pool.pool != "token":
            return None
        seen = kept if self._pools_prefix(model) else kept[:, num_prefix:]
        query = pool.q_norm(pool.q(pool.latent[:, :1]).unflatten(-1, (pool.num_heads, -1)).transpose(1, 2))
        key = pool.kv(seen)[..., : pool.num_heads * pool.head_dim].unflatten(-1, (pool.num_heads, -1))
        shares = ((query * pool.scale) @ pool.k_norm(key.transpose(1, 2)).mT).softmax(dim=-1).mean(dim=1)[:, 0]
        shares = F.pad(shares, (kept.shape[1] - seen.shape[1], 0))
        none = shares.new_zeros(len(shares), num_travelling)
        return torch.cat([shares[:, :num_prefix], none, shares[:, num_prefix:]], dim=1)

    def _pools_prefix(self, model: Any) -> bool:
        return bool(getattr(model, "pool_include_prefix", False))

    # --- a block, part by part ------------------------------------------------------------------
    def enter(self, block: Any, tokens: Tensor) -> Tensor:
        """What attention sees of tokens or prompts."""
        normed: Tensor = block.norm1(tokens)
        return normed

    def project(
        self, attention: Any, normed: Float[Tensor, "B T D"], asked: int | None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys and values (B, heads, T, d); with ``asked`` the queries of the first tokens alone."""
        heads, inner = attention.num_heads, attention.attn_dim
        if asked:
            weight, bias = effective_weight(attention.qkv)
            query = F.linear(normed[:, :asked], weight[:inner], None if bias is None else bias[:inner])
            key, value = F.linear(normed, weight[inner:], None if bias is None else bias[inner:]).chunk(2, dim=-1)
        else:
            query, key, value = attention.qkv(normed).chunk(3, dim=-1)
        query, key, value = (part.unflatten(-1, (heads, -1)).transpose(1, 2) for part in (query, key, value))
        return attention.q_norm(query), attention.k_norm(key), value

    def project_prompts(self, attention: Any, normed: Tensor) -> tuple[Tensor, Tensor]:
        """Keys and values (heads, N, d) of shared (N, D), or (U, heads, N, d) of grouped (U, N, D) prompts."""
        inner = attention.attn_dim
        weight, bias = effective_weight(attention.qkv)
        both = F.linear(normed, weight[inner:], None if bias is None else bias[inner:])
        return self.heads(attention, *both.chunk(2, dim=-1))

    def heads(self, attention: Any, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        """Keys and values (..., N, inner), as projections give them, by head (..., heads, N, d), normed as those."""
        key, value = (part.unflatten(-1, (attention.num_heads, -1)).transpose(-2, -3) for part in (key, value))
        return attention.k_norm(key), value

    def place(self, attention: Any, part: Tensor, first: int, place: Any) -> Tensor:
        """Queries or keys as their tokens' places change them; those before ``first`` have no place."""
        return part

    def bias(self, attention: Any, place: Any, first: int, queries: int, keys: int) -> Tensor | None:
        """What is added to the scores (heads, queries, keys), by the tokens' places; keys of prompts come first."""
        return None

    def mix(self, attention: Any, mixed: Float[Tensor, "B Q D"], normed: Float[Tensor, "B Q D"]) -> Tensor:
        """From the weighted values of all heads to what attention adds."""
        out: Tensor = attention.proj(attention.norm(mixed))
        return out

    def leave(self, block: Any, tokens: Tensor, mixed: Tensor) -> Tensor:
        """The block's output: what attention adds to the tokens, and the MLP."""
        tokens = tokens + block.drop_path1(block.ls1(mixed))
        return tokens + block.drop_path2(block.ls2(block.mlp(block.norm2(tokens))))

    def _run_block(
        self,
        block: Any,
        tokens: Float[Tensor, "B T D"],
        prompt: Tensor | None,
        groups: Int[Tensor, " B"] | None,
        asked: int | None,
        kernel: Kernel,
        want_attention: bool,
        first: int,
        place: Any,
        hidden: Float[Tensor, "T T"] | None = None,
        learned: KeyValue | None = None,
    ) -> tuple[Float[Tensor, "B Q D"], Tensor | None]:
        attention: Any = block.attn
        normed = self.enter(block, tokens)
        query, key, value = self.project(attention, normed, asked)
        query, key = (self.place(attention, part, first, place) for part in (query, key))
        ahead = [] if learned is None else [self.heads(attention, *learned)]  # nearest to the tokens first
        if prompt is not None and prompt.shape[-2] > 0:
            ahead.append(self.project_prompts(attention, self.enter(block, prompt)))
        if ahead:
            query = alone(query)
        for pair in ahead:
            prompt_key, prompt_value = (per_image(part, groups, tokens.shape[0]) for part in pair)
            key = torch.cat([prompt_key.to(key.dtype), key], dim=2)
            value = torch.cat([prompt_value.to(value.dtype), value], dim=2)
        bias = self.bias(attention, place, first, query.shape[-2], key.shape[-2])
        if hidden is not None:
            bias = hidden if bias is None else bias + hidden
        times = query.shape[1] // key.shape[1]  # queries that share a head of keys and values
        if times > 1:
            key, value = (part.repeat_interleave(times, dim=1) for part in (key, value))
        mixed, weights = attend(query, key, value, attention.scale, kernel, want_attention, bias)
        mixed = mixed.transpose(1, 2).flatten(2)  # (B, heads, Q, d) -> (B, Q, heads*d)
        return self.leave(block, tokens[:, :asked], self.mix(attention, mixed, normed[:, :asked])), weights


FAMILY = PlainViT()


def _rows(prompt: Tensor, groups: Int[Tensor, " B"] | None, tokens: Float[Tensor, "B T D"]) -> Float[Tensor, "B N D"]:
    """Prompts as tokens of each image."""
    batch = tokens.shape[0]
    own = prompt.expand(batch, -1, -1) if prompt.dim() == 2 else prompt[require_groups(groups, batch)]
    return own.to(tokens.dtype)


def _prompts_first(weights: Tensor, num_prefix: int, prompts: int) -> Tensor:
    """Attention (B, heads, queries, keys) with the keys of the prompts behind the prefix in the first places."""
    prefix, own, patches = weights.split([num_prefix, prompts, weights.shape[-1] - num_prefix - prompts], dim=-1)
    return torch.cat([own, prefix, patches], dim=-1)


def _hidden(tokens: Float[Tensor, "B T D"], num_prefix: int, prompts: int) -> Float[Tensor, "T T"]:
    """What is added to the scores so that the prompts behind the prefix see neither it nor each other."""
    bias = tokens.new_zeros(tokens.shape[1], tokens.shape[1])
    bias[num_prefix : num_prefix + prompts, : num_prefix + prompts] = float("-inf")
    return bias
