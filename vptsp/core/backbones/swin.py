"""Run a frozen Swin transformer with prompts (VPT, Jia et al., arXiv 2203.12119; Swin, arXiv 2103.14030).

Every window attends to the prompts of its block. These have no place in the window: no relative position bias, and
the mask of shifted windows hides them from no token. As in :mod:`.plain`, the outputs of deep prompts are
thrown away, so deep prompts are keys and values only, projected once for all windows and images (shared) or once
per class. Shallow prompts travel on as tokens and follow VPT's code: each window computes its own output for them,
the mean over the image's windows goes on, and at patch merging a prompt takes the place of all four patches.

Two things in VPT's code are not followed. It hands the prompts to the windows in another order than it lists the
windows in, so that from the second block on shallow prompts mix the images of a batch; here images never meet. And
its final mean runs over patches and prompts; here over patches, as timm pools, for prompts that travel as for others.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from timm.models.swin_transformer import SwinTransformer, window_partition, window_reverse
from torch import Tensor, nn

from vptsp.core.backbones.attention import Kernel, KeyValue, alone, attend_by, effective_weight, per_image, run_block
from vptsp.core.backbones.family import Encoded, Family, Grid, Pooling
from vptsp.core.backbones.kernels import Way
from vptsp.core.errors import BackboneError, ConfigError


class Swin(Family):
    """timm's ``SwinTransformer``, the first Swin."""

    title = "Swin transformer"
    where = "every window attends to the prompts of its block, which have no place in it"
    modules = ("swin_transformer",)

    def matches(self, model: nn.Module) -> bool:
        return type(model) is SwinTransformer

    def blocks(self, model: Any) -> list[Any]:
        return [block for stage in _stages(model) for block in stage.blocks]

    def final_norms(self, model: Any) -> list[nn.Module]:
        return [model.norm]

    def num_prefix(self, model: Any) -> int:
        return 0

    def pooling(self, name: str, model: Any, wanted: str) -> Pooling:
        if wanted == "cls":
            raise BackboneError(f"backbone {name!r} is a Swin and has no CLS token; use pooling=mean")
        return "mean"

    def embed(self, model: Any, images: Float[Tensor, "B channels S S"]) -> Float[Tensor, "B H W D"]:
        return embed_swin(model, images)

    def encode(
        self,
        model: Any,
        tokens: Float[Tensor, "B H W D"],
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
        key_values: Sequence[KeyValue] = (),
    ) -> Encoded:
        if added:
            raise ConfigError("a Swin takes no added prompts; pass them as prompts or shallow")
        return Encoded(
            *encode_swin(
                model,
                tokens,
                prompts,
                groups,
                shallow=shallow,
                kernel=kernel,
                want_tokens=want_tokens,
                want_attention=want_attention,
                recompute=recompute,
                key_values=key_values,
                parts=self,
            )
        )

    # --- a block, part by part ------------------------------------------------------------------
    def enter(self, block: Any, tokens: Tensor) -> Tensor:
        """What attention sees of patches or prompts."""
        normed: Tensor = block.norm1(tokens)
        return normed

    def leave(self, block: Any, tokens: Tensor, mixed: Tensor) -> Tensor:
        """The block's output: what attention adds to the tokens, and the MLP."""
        tokens = tokens + mixed
        return tokens + block.mlp(block.norm2(tokens))

    def project(self, attention: Any, normed: Float[Tensor, "B w T D"]) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys and values (B, w, heads, T, d) of the T tokens in each of w windows."""
        query, key, value = attention.qkv(normed).unflatten(-1, (3, attention.num_heads, -1)).unbind(dim=-3)
        return query.transpose(2, 3), key.transpose(2, 3), value.transpose(2, 3)

    def project_prompts(self, attention: Any, normed: Tensor) -> tuple[Tensor, Tensor]:
        """Keys and values (..., heads, N, d) of prompts (..., N, D)."""
        weight, bias = effective_weight(attention.qkv)
        inner = len(weight) // 3
        both = F.linear(normed, weight[inner:], None if bias is None else bias[inner:])
        return self.heads(attention, *both.chunk(2, dim=-1))

    def heads(self, attention: Any, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        """Keys and values (..., N, inner), as projections give them, by head (..., heads, N, d)."""
        key, value = (part.unflatten(-1, (attention.num_heads, -1)).transpose(-2, -3) for part in (key, value))
        return key, value

    def scale(self, attention: Any) -> float:
        """What scores are multiplied by."""
        return float(attention.scale)

    def relative_bias(self, attention: Any) -> Float[Tensor, "1 heads T T"]:
        """What is added to the scores of two patches of a window, by their places in it."""
        bias: Tensor = attention._get_rel_pos_bias()
        return bias

    def merge(self, downsample: Any, travelling: Float[Tensor, "B N D"]) -> Float[Tensor, "B N D_out"]:
        """Patch merging for prompts: each stands in for the four patches that are merged into one."""
        merged: Tensor = downsample.reduction(downsample.norm(travelling.repeat(1, 1, 4)))
        return merged


FAMILY = Swin()


def swin_depths(swin: SwinTransformer) -> list[int]:
    """Blocks in each stage, first stage first."""
    return [len(stage.blocks) for stage in _stages(swin)]


def swin_widths(swin: SwinTransformer) -> list[int]:
    """Width of each block in order over all stages; it doubles from stage to stage."""
    return [int(block.dim) for stage in _stages(swin) for block in stage.blocks]


def _stages(swin: Any) -> list[Any]:
    return list(swin.layers)


def embed_swin(swin: Any, images: Float[Tensor, "B 3 height width"]) -> Float[Tensor, "B H W D"]:
    """The patches that enter the first stage, normalised; a Swin has no position embedding and no CLS token."""
    tokens: Tensor = swin.patch_embed(images)
    return tokens


def encode_swin(
    swin: Any,
    tokens: Float[Tensor, "B H W D"],
    prompts: Sequence[Tensor] = (),
    groups: Int[Tensor, " B"] | None = None,
    *,
    shallow: Sequence[Tensor] = (),
    kernel: Kernel = "auto",
    want_tokens: bool = False,
    want_attention: bool = False,
    recompute: bool = False,
    key_values: Sequence[KeyValue] = (),
    parts: Swin = FAMILY,
) -> tuple[Float[Tensor, "B D_last"], list[Tensor], list[Tensor]]:
    """Run all stages on ``tokens`` (from :func:`embed_swin`), in evaluation mode (no dropout, no stochastic depth).

    ``prompts`` holds one tensor per block (:func:`swin_widths`), for as many blocks as have prompts: (N, D) shared
    by all images, or (U, N, D) of U groups with ``groups`` (B,) giving the row of each image. ``shallow`` holds at
    most one (N, D) tensor whose prompts enter at the first block and travel on as tokens. ``recompute`` keeps only
    the inputs of the blocks for the backward pass. ``key_values``: learned keys and values of each block, as in
    :func:`vptsp.core.encoder.encode`. ``parts``: how the blocks compute, of a family of Swins.

    Returns the features, normalised and averaged over the last stage's patches; on request the patches after each
    block (B, H, W, D), each of its stage's size; on request each block's attention (B, windows, heads, queries,
    keys). Keys are the block's prompts, then travelling prompts, then the patches of the window; queries are
    travelling prompts, then patches. Windows are those of the shifted and padded map, row by row.
    """
    if shallow:
        travelling = shallow[0].to(tokens.dtype).expand(tokens.shape[0], -1, -1)
    else:
        travelling = tokens.new_empty(tokens.shape[0], 0, tokens.shape[-1])
    all_tokens: list[Tensor] = []
    all_attention: list[Tensor] = []
    upcoming, learned = iter(prompts), iter(key_values)
    for stage in _stages(swin):
        tokens = stage.downsample(tokens)
        if not isinstance(stage.downsample, nn.Identity):
            travelling = parts.merge(stage.downsample, travelling)
        for block in stage.blocks:
            tokens, travelling, weights = run_block(
                _run_block,
                recompute,
                parts,
                block,
                tokens,
                travelling,
                next(upcoming, None),
                groups,
                kernel,
                want_attention,
                next(learned, None),
            )
            if want_tokens:
                all_tokens.append(tokens)
            if weights is not None:
                all_attention.append(weights)
    return swin.norm(tokens).mean(dim=(1, 2)), all_tokens, all_attention


def _run_block(
    parts: Swin,
    block: Any,  # timm SwinTransformerBlock
    tokens: Float[Tensor, "B H W D"],
    travelling: Float[Tensor, "B M D"],
    prompt: Tensor | None,
    groups: Int[Tensor, " B"] | None,
    kernel: Kernel,
    want_attention: bool,
    learned: KeyValue | None,
) -> tuple[Float[Tensor, "B H W D"], Float[Tensor, "B M D"], Tensor | None]:
    attention, height, width = block.attn, tokens.shape[1], tokens.shape[2]
    padded = _shift_and_pad(block, parts.enter(block, tokens))
    windows = window_partition(padded, block.window_size).flatten(1, 2).unflatten(0, (tokens.shape[0], -1))
    query, key, value = parts.project(attention, windows)
    count = windows.shape[1]
    num_travelling = travelling.shape[1]
    if num_travelling:
        ahead = parts.project(attention, parts.enter(block, travelling)[:, None])
        query, key, value = (_prepend(a, part, count) for a, part in zip(ahead, (query, key, value), strict=True))
    first = [] if learned is None else [parts.heads(attention, *learned)]
    if prompt is not None and prompt.shape[-2] > 0:
        first.append(parts.project_prompts(attention, parts.enter(block, prompt)))
    if first:
        query = alone(query)
    for own in first:
        prompt_key, prompt_value = (per_image(part, groups, tokens.shape[0])[:, None] for part in own)
        key, value = _prepend(prompt_key, key, count), _prepend(prompt_value, value, count)

    bias = _bias(block, parts.relative_bias(attention), padded, query.shape[-2], key.shape[-2])
    mixed, weights = _attend(query, key, value, bias, parts.scale(attention), kernel, want_attention)
    mixed = mixed.transpose(2, 3).flatten(3)  # (B, windows, heads, Q, d) -> (B, windows, Q, heads*d)
    merged = mixed[:, :, num_travelling:].flatten(0, 1).unflatten(1, block.window_size)
    merged = window_reverse(merged, block.window_size, padded.shape[1], padded.shape[2])[:, :height, :width]
    tokens = parts.leave(block, tokens, attention.proj(merged.roll(block.shift_size, dims=(1, 2))))
    if num_travelling:  # projection is linear, so the mean over windows may come before it
        travelling = parts.leave(block, travelling, attention.proj(mixed[:, :, :num_travelling].mean(dim=1)))
    return tokens, travelling, weights


def _shift_and_pad(block: Any, normed: Float[Tensor, "B H W D"]) -> Float[Tensor, "B H_pad W_pad D"]:
    """Shift cyclically, then pad with zeros to whole windows, in timm's order."""
    (win_height, win_width), (shift_height, shift_width) = block.window_size, block.shift_size
    shifted = normed.roll((-shift_height, -shift_width), dims=(1, 2))
    return F.pad(shifted, (0, 0, 0, -normed.shape[2] % win_width, 0, -normed.shape[1] % win_height))


def _prepend(
    ahead: Float[Tensor, "B 1 heads N d"], part: Float[Tensor, "B w heads T d"], count: int
) -> Float[Tensor, "B w heads N+T d"]:
    return torch.cat([ahead.to(part.dtype).expand(-1, count, -1, -1, -1), part], dim=-2)


def _bias(
    block: Any, bias: Float[Tensor, "1 heads T T"], padded: Float[Tensor, "B H W D"], queries: int, keys: int
) -> Float[Tensor, "w heads {queries} {keys}"]:
    """Relative position bias plus the mask of shifted windows; zero wherever a prompt asks or is asked.

    w is the number of windows, or 1 where all have the same.
    """
    mask = block.get_attn_mask(padded) if block.dynamic_mask else block.attn_mask
    if mask is not None:
        bias = bias + mask[:, None]
    area = block.window_area
    return F.pad(bias, (keys - area, 0, queries - area, 0))


def _attend(
    query: Float[Tensor, "B w heads Q d"],
    key: Float[Tensor, "B w heads K d"],
    value: Float[Tensor, "B w heads K d"],
    bias: Float[Tensor, "_ heads Q K"],
    scale: float,
    kernel: Kernel,
    want_weights: bool,
) -> tuple[Float[Tensor, "B w heads Q d"], Tensor | None]:
    """Softmax attention within windows; by ``auto`` in the way that is faster here, and by products for the weights.

    On CPUs the rule is plain products, the faster ones for such short sequences with a bias.
    """
    rule: Way = "matmul" if query.device.type == "cpu" else "fused"
    return attend_by(
        lambda q, k, v: _fused(q, k, v, bias, scale), rule, query, key, value, scale, kernel, want_weights, bias
    )


def _fused(
    query: Float[Tensor, "B w heads Q d"],
    key: Float[Tensor, "B w heads K d"],
    value: Float[Tensor, "B w heads K d"],
    bias: Float[Tensor, "_ heads Q K"],
    scale: float,
) -> Float[Tensor, "B w heads Q d"]:
    """By torch's kernel: windows count as heads, so that one bias serves all images without a copy for each."""
    count = query.shape[1]
    added = bias.expand(count, -1, -1, -1).flatten(0, 1)[None].to(query.dtype)
    query, key, value = query.flatten(1, 2), key.flatten(1, 2), value.flatten(1, 2)
    return F.scaled_dot_product_attention(query, key, value, added, scale=scale).unflatten(1, (count, -1))
