"""The student, its losses, and the pretraining loop.

The CLS token learns to see images as near or far as classical descriptors do (relational distillation,
Park et al., arXiv 1904.05068), and to predict those descriptors. Halfway, copies of one generated class
begin to attract each other (supervised contrast, arXiv 2004.11362), which lets it outgrow its teacher.

Depth comes late. The blocks before the last one start as the identity and are skipped at first: the stem
and one reading of it learn most of the descriptors at a quarter of the cost.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor, nn

from vptsp.core.backbones import bundled


@dataclass(frozen=True)
class Recipe:
    """Everything that shapes a run. A run ends after ``steps``, or after ``minutes`` if that is set."""

    steps: int = 2269
    minutes: float | None = None
    images: int = 192  # per step
    reuse: int = 2  # steps per rendered batch
    rate: float = 2e-3
    decay: float = 0.02
    shallow: float = 0.4  # share of the run with the last block only
    sharpen_from: float = 0.55  # share of the run after which contrast sets in
    sharpen: float = 0.3
    ema: float = 0.995
    seed: int = 1


def cls_features(vit: VisionTransformer, x: Tensor, first_block: int = 0) -> Float[Tensor, "B D"]:
    """Normed CLS token. The last block computes its CLS row only: the other rows would not be read."""
    tokens = vit._pos_embed(vit.patch_embed(x))
    tokens = vit.blocks[first_block:-1](tokens)
    block: Any = vit.blocks[-1]
    heads, width = block.attn.num_heads, tokens.shape[-1]
    inner = block.norm1(tokens)
    weight, bias = block.attn.qkv.weight, block.attn.qkv.bias
    query = F.linear(inner[:, :1], weight[:width], bias[:width]).unflatten(2, (heads, -1)).transpose(1, 2)
    pair = F.linear(inner, weight[width:], bias[width:]).unflatten(2, (2, heads, -1))
    key, value = pair.permute(2, 0, 3, 1, 4)  # B heads T head
    attention = (query * block.attn.scale @ key.transpose(-2, -1)).softmax(-1)
    read = (attention @ value).transpose(1, 2).flatten(2)
    cls = tokens[:, :1] + block.attn.proj(read)
    cls = cls + block.mlp(block.norm2(cls))
    return vit.norm(cls)[:, 0].float()


def identity_blocks(vit: VisionTransformer) -> None:
    """Make every block but the last start as the identity."""
    block: Any
    for block in vit.blocks[:-1]:
        for layer in (block.attn.proj, block.mlp.fc2):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)


def domains(x: Float[Tensor, "B F"]) -> Float[Tensor, "2 half F"]:
    """Glyphs and things apart, each centred and of unit length, as retrieval will compare them."""
    halves = x.view(2, -1, x.shape[1])
    return F.normalize(halves - halves.mean(1, keepdim=True), dim=2)


def losses(
    cls: Float[Tensor, "B D"], predicted: Float[Tensor, "B F"], target: Float[Tensor, "B F"], copies: int
) -> dict[str, Tensor]:
    """Three views of one batch: predict the descriptors, keep their similarities, gather copies."""
    student, teacher = domains(cls), domains(target)
    near = student @ student.mT
    aim = teacher @ teacher.mT
    count = near.shape[1]
    self_ = torch.eye(count, dtype=torch.bool, device=cls.device)
    similar = (near - aim).square().mean()
    rank = F.kl_div(
        (near / 0.1).masked_fill(self_, -1e4).log_softmax(2).flatten(0, 1),
        (aim / 0.1).masked_fill(self_, -1e4).log_softmax(2).flatten(0, 1),
        log_target=True,
        reduction="batchmean",
    )
    group = torch.arange(count, device=cls.device) // copies
    positive = (group.unsqueeze(0) == group.unsqueeze(1)) & ~self_
    chance = (near / 0.1).masked_fill(self_, -1e4).log_softmax(2)
    return {
        "predict": 1 - (domains(predicted) * teacher).sum(2).mean(),
        "similar": similar,
        "rank": rank,
        "gather": -chance[positive.expand_as(chance)].mean(),
    }


def pretrain(
    recipe: Recipe,
    batches: Iterator[tuple[Tensor, Tensor]],
    copies: int,
    device: str = "cpu",
    report: Callable[[dict[str, float], VisionTransformer], None] = lambda row, model: None,
    every: int = 50,
) -> VisionTransformer:
    """Train from scratch and return the averaged model; ``report`` gets a row of numbers now and then."""
    torch.manual_seed(recipe.seed)
    vit = bundled.vit_bundled_64().to(device, memory_format=torch.channels_last)
    block: Any
    for block in vit.blocks:  # the fused kernel is slow in bf16 on a CPU
        block.attn.fused_attn = torch.device(device).type != "cpu"
    identity_blocks(vit)
    pool = [next(batches)]
    head = nn.Linear(vit.embed_dim, pool[0][1].shape[1]).to(device)
    average = deepcopy(vit)
    parameters = [*vit.parameters(), *head.parameters()]
    optimiser = torch.optim.AdamW(parameters, lr=recipe.rate, weight_decay=recipe.decay, betas=(0.9, 0.98))
    order = torch.Generator().manual_seed(recipe.seed)
    begin, step, progress = time.monotonic(), 0, 0.0
    seen: dict[str, float] = {}
    while progress < 1:
        if step % recipe.reuse == 0:
            pool = [*pool[-31:], next(batches)]
        pixels, target = pool[int(torch.randint(len(pool), (1,), generator=order))]
        x = (pixels.to(device).float() / 127.5 - 1).contiguous(memory_format=torch.channels_last)
        with torch.autocast(torch.device(device).type, torch.bfloat16):
            first = len(vit.blocks) - 1 if progress < recipe.shallow else 0
            cls = cls_features(vit, x, first)
            predicted = head(cls).float()
        parts = losses(cls, predicted, target.to(device), copies)
        gather = recipe.sharpen * min(1.0, max(0.0, (progress - recipe.sharpen_from) * 5))
        total = parts["predict"] + 20 * parts["similar"] + parts["rank"] + gather * parts["gather"]
        for group in optimiser.param_groups:
            group["lr"] = recipe.rate * min(1.0, progress * 25 + 0.01, 0.5 + 0.5 * math.cos(math.pi * progress) + 0.01)
        optimiser.zero_grad()
        total.backward()
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimiser.step()
        step += 1
        keep = min(recipe.ema, step / (step + 10))
        with torch.no_grad():
            for slow, fast in zip(average.parameters(), vit.parameters(), strict=True):
                slow.lerp_(fast, 1 - keep)
        elapsed = (time.monotonic() - begin) / 60
        progress = elapsed / recipe.minutes if recipe.minutes else step / recipe.steps
        for name, value in parts.items():
            seen[name] = 0.95 * seen.get(name, value.item()) + 0.05 * value.item()
        if step % every == 0 or progress >= 1:
            report({"step": step, "images": step * recipe.images, "minutes": elapsed, **seen}, average)
    return average
