"""Run a frozen NaFlexViT with prompts: SigLIP 2's, RADIO's and other models of images of any size and aspect.

Its blocks are those of the plain ViT or of EVA, and prompts are their keys and values in the same way, without places.
Position embeddings are resampled to the rows and columns of patches that the images have. Images of one batch have one
size here, so that none of timm's masks for padded patches is needed; batches may differ.
"""

from __future__ import annotations

from typing import Any

from jaxtyping import Float
from timm.layers import Attention, AttentionRope, resample_abs_pos_embed_nhwc
from timm.models.eva import EvaAttention, EvaBlock
from timm.models.naflexvit import NaFlexVit
from timm.models.vision_transformer import Block
from torch import Tensor, nn

from vptsp.core.backbones.eva import EvaViT
from vptsp.core.backbones.family import Grid
from vptsp.core.backbones.plain import PlainViT
from vptsp.core.errors import ConfigError


class NaFlex(EvaViT):
    """timm's ``NaFlexVit``, also what its ViTs and EVAs become by ``use_naflex``."""

    title = "NaFlexViT"
    where = "prompts are keys and values of every block, and have no place"
    locations = frozenset()  # it makes tokens of pixels in several ways
    modules = ("naflexvit",)

    def matches(self, model: nn.Module) -> bool:
        attentions = (Attention, AttentionRope, EvaAttention)
        return type(model) is NaFlexVit and all(
            type(block) in (Block, EvaBlock) and type(block.attn) in attentions for block in model.blocks
        )

    def _has_cls(self, model: Any) -> bool:
        return bool(model.has_class_token)

    def _pools_prefix(self, model: Any) -> bool:
        return bool(model.pool_include_prefix)

    def grid(self, model: Any, size: tuple[int, int]) -> Grid:
        rows, columns = model.embeds.dynamic_feat_size(size)
        return rows, columns

    def embed(self, model: Any, images: Float[Tensor, "B channels H W"]) -> Float[Tensor, "B T D"]:
        tokens: Tensor = model._forward_embeds(images, None, None, None)["patches"]
        return tokens

    def places(self, model: Any, grid: Grid | None) -> list[Any]:
        if model.rope is None:
            return [None] * len(model.blocks)
        if grid is None:
            raise ConfigError("a NaFlexViT has no image size of its own; pass grid, the rows and columns of patches")
        turned = model.rope.get_embed(shape=grid)
        return list(turned) if model.rope_is_mixed else [turned] * len(model.blocks)

    def fit_checkpoint(self, state: dict[str, Tensor], model: Any) -> dict[str, Tensor]:
        """As timm names the tensors; positions of another number of rows and columns are resampled, as for ViTs."""
        fitted = super().fit_checkpoint(state, model)
        key, own = "embeds.pos_embed", getattr(model.embeds, "pos_embed", None)
        if own is not None and key in fitted and fitted[key].dim() == 4:
            fitted[key] = resample_abs_pos_embed_nhwc(fitted[key], list(own.shape[1:3]))
        return fitted

    def leave(self, block: Any, tokens: Tensor, mixed: Tensor) -> Tensor:
        of_eva = isinstance(block, EvaBlock)
        return super().leave(block, tokens, mixed) if of_eva else PlainViT.leave(self, block, tokens, mixed)


FAMILY = NaFlex()
