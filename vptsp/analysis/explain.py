"""Why two images are close: where the model looks in each, and which prompts bring them together.

Visual prompts act through attention alone (VPT, arXiv 2203.12119), so a prompt is taken away by leaving out its key
and its value. Setting it to zero would not do: a zero prompt still draws attention.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32
from torch import Tensor

from vptsp.core.backbones.attention import KeyValue
from vptsp.core.encoder import embed_patches, encode
from vptsp.errors import BackboneError
from vptsp.settings.build import ConfiguredModel

_IMAGES_AT_ONCE = 64


@dataclass(frozen=True)
class Attention:
    """Attention that makes the feature of I images, in L blocks of H heads on a grid of h x w patches.

    It is the attention of what the model pools: of CLS, for a distilled DeiT with its second token (``pooled`` is
    ``"CLS"``), or the mean over the patches' queries (``"patches"``), each by its share where attention pools.
    ``patches``, the sum of ``prompts`` and ``prefix`` (CLS and registers) make 1. Prompts of block l are
    ``prompts[..., l, :, :N_l]``, visual ones first and then learned keys and values; the rest is NaN.
    """

    pooled: str
    patches: Float32[np.ndarray, "I L H h w"]
    prompts: Float32[np.ndarray, "I L H N"]
    prefix: Float32[np.ndarray, "I L H"]


@torch.no_grad()
def attention(model: ConfiguredModel, images: Float[Tensor, "I 3 S S"]) -> tuple[Float32[np.ndarray, "I E"], Attention]:
    """Embeddings of the images, unit length, and the attention behind them.

    Raises BackboneError for families that say why they cannot, such as a Swin, whose attention stays within windows.
    """
    if not model.backbone.family.global_attention:
        raise BackboneError(
            f"{model.backbone.name} {model.backbone.family.no_attention}; use a model with a plain vision transformer"
        )
    blocks = model(images, want_attention=True)
    prefix, grid = model.backbone.num_prefix, model.backbone.grid(images)
    shallow = model.method.prompts == "shallow"
    first_pooled = model.backbone.pooled_alone
    depth, counts = model.backbone.depth, _counts(model)
    counts = counts * depth if shallow else counts + [0] * (depth - len(counts))
    parts: list[tuple[Tensor, Tensor, Tensor]] = []
    for count, weights in zip(counts, blocks.encoded.attention, strict=True):
        # deep prompts are the first keys; shallow ones travel behind CLS and the registers
        first, prompts = (prefix, slice(prefix, prefix + count)) if shallow else (count, slice(0, count))
        heads = slice(0, prefix) if shallow else slice(first, first + prefix)
        if blocks.encoded.shares is not None:
            row = torch.einsum("ihqk,iq->ihk", weights.float(), blocks.encoded.shares.float())  # (I, H, K)
        else:
            queries = slice(0, first_pooled) if first_pooled else slice(prefix + (count if shallow else 0), None)
            row = weights[:, :, queries].float().mean(dim=2)
        parts.append((row[..., prefix + count :], row[..., prompts], row[..., heads].sum(dim=-1)))
    most = max(counts, default=0)
    pad = torch.nn.functional.pad
    padded = [pad(part[1], (0, most - part[1].shape[-1]), value=torch.nan) for part in parts]
    return blocks.embeddings.float().cpu().numpy(), Attention(
        pooled="CLS" if first_pooled else "patches",
        patches=_stacked([part[0].unflatten(-1, tuple(grid)) for part in parts]),
        prompts=_stacked(padded),
        prefix=_stacked([part[2] for part in parts]),
    )


def _stacked(blocks: list[Tensor]) -> np.ndarray:
    return torch.stack(blocks, dim=1).cpu().numpy().astype(np.float32)


def _counts(model: ConfiguredModel) -> list[int]:
    """Keys of each block that are no tokens: its visual prompts, and then its learned keys and values."""
    visual, learned = (len(p) for p in model.prompts()), (len(key) for key, _ in model.learned_key_values())
    return [sum(pair) for pair in itertools.zip_longest(visual, learned, fillvalue=0)]


def prompted_blocks(model: ConfiguredModel) -> int:
    """How many rows :func:`prompt_effects` has: blocks up to the last with prompts; shallow prompts have one."""
    return len(_counts(model))


def visual_prompts(model: ConfiguredModel) -> list[int]:
    """How many of a row's prompts are visual ones, in models that have learned keys and values behind them, else []."""
    if model.key_values is None:
        return []
    visual = [len(prompt) for prompt in model.prompts()]
    return visual + [0] * (prompted_blocks(model) - len(visual))


def why_no_effects(model: ConfiguredModel) -> str | None:
    """For models without prompts that could be switched off the sentence that says so, else none."""
    if any(_counts(model)):
        return None
    if model.location is not None:
        return f"The prompts of this model ({model.config.prompt_location}) are no tokens that could be switched off."
    return f"{model.method.title} has no visual prompts, so there is none to switch off."


def prompt_effects(
    model: ConfiguredModel, image_a: Float[Tensor, "3 S S"], image_b: Float[Tensor, "3 S S"]
) -> Float32[np.ndarray, "L N"]:
    """Change of the cosine similarity of two images when one visual prompt is taken away: (block, prompt).

    Negative: the prompt brings the images together. Learned keys with their values follow the visual prompts of their
    block. Shallow prompts make one row; blocks with fewer than N prompts end in NaN. ``(0, 0)`` for methods without
    prompts.
    """
    rows = list(block_effects(model, image_a, image_b))
    table = np.full((len(rows), max(map(len, rows), default=0)), np.nan, dtype=np.float32)
    for block, row in enumerate(rows):
        table[block, : len(row)] = row
    return table


def block_effects(
    model: ConfiguredModel, image_a: Float[Tensor, "3 S S"], image_b: Float[Tensor, "3 S S"]
) -> Iterator[Float32[np.ndarray, " N"]]:
    """The rows of :func:`prompt_effects`, each computed when it is asked for."""
    device = next(model.parameters()).device
    pair = torch.stack([image_a, image_b]).to(device)
    with torch.no_grad():
        prompts, learned = model.prompts(), model.learned_key_values()
        whole = _similarities(model, pair, prompts, learned)
    for block in range(prompted_blocks(model)):
        prompt = prompts[block] if block < len(prompts) else whole.new_empty(0, 0)
        others = _all_but_one(len(prompt), device)
        found = []
        with torch.no_grad():
            if model.method.prompts == "shallow":  # one at a time: as tokens they cannot differ within a batch
                found = [_similarities(model, pair, [prompt[kept]], ()) for kept in others]
            elif len(prompt):
                for some in others.split(_IMAGES_AT_ONCE // 2):
                    without = torch.stack([prompt[kept] for kept in some])  # (variants, N - 1, D)
                    visual = [*prompts[:block], without, *prompts[block + 1 :]]
                    found.append(_similarities(model, pair, visual, learned))
            if block < len(learned) and len(learned[block][0]):
                key, value = learned[block]
                for some in _all_but_one(len(key), device).split(_IMAGES_AT_ONCE // 2):
                    fewer = tuple(torch.stack([part[kept] for kept in some]) for part in (key, value))
                    changed = [*learned[:block], (fewer[0], fewer[1]), *learned[block + 1 :]]
                    found.append(_similarities(model, pair, prompts, changed))
        row = torch.cat(found) - whole if found else whole[:0]
        yield row.cpu().numpy().astype(np.float32)


def _all_but_one(count: int, device: torch.device) -> Bool[Tensor, "{count} {count}"]:
    return ~torch.eye(count, dtype=torch.bool, device=device)


def _similarities(
    model: ConfiguredModel, pair: Float[Tensor, "2 3 S S"], prompts: Sequence[Tensor], learned: Sequence[KeyValue]
) -> Float[Tensor, " V"]:
    """Cosine similarity of two images, for V variants of one block's prompts (V, N, D) or for one set of prompts; the
    same with its learned keys and values."""
    every = [*prompts, *(key for key, _ in learned)]
    variants = max((len(each) for each in every if each.dim() == 3), default=1)
    tokens = embed_patches(model.vit, pair)
    shallow = model.method.prompts == "shallow"
    encoded = encode(
        model.backbone,
        tokens.repeat(variants, *[1] * (tokens.dim() - 1)),
        () if shallow else prompts,
        torch.arange(variants, device=tokens.device).repeat_interleave(2),
        grid=model.backbone.grid(pair),
        shallow=prompts if shallow else (),
        kernel=model.kernel,
        pool_prompts=model.pool_prompts,
        key_values=learned,
    )
    # the model's own way from the feature to the embedding, whatever its method adds there
    vectors = model.head_output(encoded, pair.repeat(variants, 1, 1, 1)).embeddings
    a, b = vectors.unflatten(0, (variants, 2)).unbind(dim=1)
    return (a * b).sum(dim=1)
