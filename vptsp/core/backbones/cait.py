"""Run a frozen CaiT with prompts (Touvron et al., arXiv 2103.17239).

Patches attend to each other in the first blocks, and only then a CLS token attends to them in a few blocks of its own.
Prompts are keys and values in both kinds: in the first they are what patches attend to, in the second what CLS does.
Talking heads mix the scores of all heads before the softmax and the weights after it (arXiv 2003.02436); prompts are
mixed as patches are. After that the weights add up to nothing that could be shown as attention.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from timm.models.cait import Cait, ClassAttn, LayerScaleBlock, LayerScaleBlockClassAttn, TalkingHeadAttn
from torch import Tensor, nn

from vptsp.core.backbones.attention import Kernel, KeyValue, attend, per_image, projections, run_block
from vptsp.core.backbones.family import Encoded, Family, Grid, PooledPrompts, Pooling
from vptsp.core.backbones.plain import PlainViT
from vptsp.core.errors import BackboneError, ConfigError


class CaiT(PlainViT):
    """timm's ``Cait``: blocks of the patches, then those of CLS."""

    title = "CaiT"
    where = "prompts are keys and values of every block, for the patches and then for CLS"
    locations = frozenset()
    global_attention = False
    drops_paths = False
    no_attention = "mixes its heads after the softmax, so its weights add up to nothing that could be shown"
    modules = ("cait",)

    def matches(self, model: nn.Module) -> bool:
        return (
            type(model) is Cait
            and all(type(b) is LayerScaleBlock and type(b.attn) is TalkingHeadAttn for b in model.blocks)
            and all(type(b) is LayerScaleBlockClassAttn and type(b.attn) is ClassAttn for b in model.blocks_token_only)
        )

    def blocks(self, model: Any) -> list[Any]:
        return [*model.blocks, *model.blocks_token_only]

    def final_norms(self, model: Any) -> list[nn.Module]:
        return [model.norm]

    def num_prefix(self, model: Any) -> int:
        return 0  # CLS comes when the patches are done

    def fit_checkpoint(self, state: dict[str, Tensor], model: Any) -> dict[str, Tensor]:
        return Family.fit_checkpoint(self, state, model)

    def embed(self, model: Any, images: Float[Tensor, "B channels H W"]) -> Float[Tensor, "B T D"]:
        tokens: Tensor = model.patch_embed(images) + model.pos_embed
        return tokens

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
        if pool_prompts:
            raise ConfigError(
                "a CaiT's prompts cannot be pooled: their outputs stay among the patches; drop pool_prompts"
            )
        if added:
            raise ConfigError("a CaiT takes no added prompts; pass them as prompts or shallow")
        if want_attention:
            raise BackboneError(f"a {self.title} {self.no_attention}; ask for features or tokens")
        travelling = 0
        if shallow:
            ahead = shallow[0].to(tokens.dtype).expand(tokens.shape[0], -1, -1)
            tokens, travelling = torch.cat([ahead, tokens], dim=1), ahead.shape[1]
        result = Encoded(features=tokens[:, 0])
        cls, among = model.cls_token.expand(tokens.shape[0], -1, -1), len(model.blocks)
        for index, block in enumerate(self.blocks(model)):
            prompt = prompts[index] if index < len(prompts) else None
            learned = key_values[index] if index < len(key_values) else None
            if index < among:
                tokens = run_block(_among_patches, recompute, block, tokens, prompt, groups, learned)
            else:
                cls = run_block(_of_cls, recompute, block, tokens, cls, prompt, groups, kernel, learned)
            if want_tokens:
                result.tokens.append(tokens if index < among else cls)
        if pooling == "cls":
            result.features = model.norm(cls)[:, 0]
        else:
            result.features = model.norm(tokens)[:, travelling:].mean(dim=1)
        return result


FAMILY = CaiT()


def _heads(part: Tensor, attention: Any) -> Tensor:
    return part.unflatten(-1, (attention.num_heads, -1)).transpose(-2, -3)


def _with_prompts(
    block: Any, normed: Tensor, prompt: Tensor | None, groups: Int[Tensor, " B"] | None, learned: KeyValue | None
) -> tuple[Tensor, Tensor]:
    """Keys and values (B, heads, N + T, d), those of prompts first, then learned ones."""
    made = projections(block.attn)[1:]
    parts = [_heads(F.linear(normed, *one), block.attn) for one in made]
    ahead = [] if learned is None else [learned]
    if prompt is not None and prompt.shape[-2] > 0:
        seen = block.norm1(prompt)
        ahead.append((F.linear(seen, *made[0]), F.linear(seen, *made[1])))
    for pair in ahead:
        own = [per_image(_heads(part, block.attn), groups, normed.shape[0]) for part in pair]
        parts = [torch.cat([a.to(part.dtype), part], dim=2) for a, part in zip(own, parts, strict=True)]
    return parts[0], parts[1]


def _among_patches(
    block: Any,
    tokens: Float[Tensor, "B T D"],
    prompt: Tensor | None,
    groups: Int[Tensor, " B"] | None,
    learned: KeyValue | None,
) -> Float[Tensor, "B T D"]:
    """A block of talking heads; there is no fused kernel that mixes heads."""
    attention, normed = block.attn, block.norm1(tokens)
    query = _heads(F.linear(normed, *projections(attention)[0]), attention)
    key, value = _with_prompts(block, normed, prompt, groups, learned)
    scores = (query * attention.scale) @ key.mT  # (B, heads, T, N + T)
    weights = attention.proj_l(scores.movedim(1, -1)).movedim(-1, 1).softmax(dim=-1)
    weights = attention.proj_w(weights.movedim(1, -1)).movedim(-1, 1)
    mixed = (weights.to(value.dtype) @ value).transpose(1, 2).flatten(2)
    tokens = tokens + block.gamma_1 * attention.proj(mixed)
    return tokens + block.gamma_2 * block.mlp(block.norm2(tokens))


def _of_cls(
    block: Any,
    tokens: Float[Tensor, "B T D"],
    cls: Float[Tensor, "B 1 D"],
    prompt: Tensor | None,
    groups: Int[Tensor, " B"] | None,
    kernel: Kernel,
    learned: KeyValue | None,
) -> Float[Tensor, "B 1 D"]:
    """A block in which CLS alone asks."""
    attention, normed = block.attn, block.norm1(torch.cat([cls, tokens], dim=1))
    query = _heads(F.linear(normed[:, :1], *projections(attention)[0]), attention)
    key, value = _with_prompts(block, normed, prompt, groups, learned)
    mixed, _ = attend(query, key, value, attention.scale, kernel, False)
    cls = cls + block.gamma_1 * attention.proj(mixed.transpose(1, 2).flatten(2))
    return cls + block.gamma_2 * block.mlp(block.norm2(cls))
