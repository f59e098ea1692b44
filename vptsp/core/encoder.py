"""Images to features through a frozen backbone, with prompts: what every family's own file computes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from jaxtyping import Float, Int
from torch import Tensor

from vptsp.core.backbones.attention import Kernel, KeyValue
from vptsp.core.backbones.family import Encoded as Encoded
from vptsp.core.backbones.family import Grid, PooledPrompts
from vptsp.core.backbones.load import Backbone, family_of
from vptsp.core.errors import ConfigError


def embed_patches(vit: Any, images: Float[Tensor, "B channels H W"]) -> Float[Tensor, "B *T D"]:
    """Patches, CLS and positions: the tokens that enter the first block; (B, H, W, D) for a Swin."""
    return family_of(vit).embed(vit, images)


def encode(
    backbone: Backbone,
    tokens: Float[Tensor, "B *T D"],
    prompts: Sequence[Tensor] = (),
    groups: Int[Tensor, " B"] | None = None,
    *,
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
    """Run the blocks on ``tokens`` (from :func:`embed_patches`).

    ``prompts`` holds one tensor per block, for as many blocks as have prompts: (N, D) shared by all
    images, or (U, N, D) of U groups with ``groups`` (B,) giving the row of each image. ``shallow`` (VPT-shallow)
    holds at most one (N, D) tensor whose prompts enter at block 0 and travel on as tokens. ``added`` holds a (T, D)
    tensor per block, for as many blocks as have one, which is added to that block's input. ``recompute`` keeps only
    the inputs of the blocks for the backward pass, which computes the rest again. ``grid``: rows and columns of
    patches, for images of another size than the backbone's (``backbone.grid(images)``). ``pool_prompts``: under mean
    pooling the outputs of the last block's prompts are pooled with the patches, as in DA-VPT with MAE, where their own
    queries see all or the image alone; for families whose ``guides`` says so. ``key_values``: for as many blocks as
    have them a pair of learned keys and values, (N, inner) or (U, N, inner) each, which stand where the projections'
    outputs do (``backbone.key_widths``), between those of the prompts and those of the tokens; they have no place.

    Raises :class:`~vptsp.core.errors.ConfigError` for grouped prompts without groups, and for prompts that the
    backbone's family does not take.
    """
    only: dict[str, Any] = {} if pool_prompts is None else {"pool_prompts": pool_prompts}  # few families know it
    if key_values:
        if not backbone.family.key_values:
            raise ConfigError(
                f"{backbone.name} is a {backbone.family.title} and takes no learned keys and values; pass none, or "
                "choose a vision transformer that does"
            )
        only["key_values"] = key_values
    return backbone.family.encode(
        backbone.vit,
        tokens,
        prompts,
        groups,
        pooling=backbone.pooling,
        grid=grid,
        shallow=shallow,
        added=added,
        kernel=kernel,
        want_tokens=want_tokens,
        want_attention=want_attention,
        recompute=recompute,
        **only,
    )
