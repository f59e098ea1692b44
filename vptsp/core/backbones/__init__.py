"""Frozen timm models with prompts: one file per family says where prompts enter its blocks, and why it is exact."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from vptsp.core.lazy import lazy
from vptsp.core.registry import Registry

if TYPE_CHECKING:
    from vptsp.core.backbones.family import Encoded as Encoded
    from vptsp.core.backbones.family import Family as Family
    from vptsp.core.backbones.load import Backbone as Backbone
    from vptsp.core.backbones.load import family_of as family_of
    from vptsp.core.backbones.load import load_backbone as load_backbone
    from vptsp.core.backbones.tuning import is_bias as is_bias
    from vptsp.core.backbones.tuning import parameter_names as parameter_names
    from vptsp.core.backbones.tuning import set_trainable as set_trainable

Part = Literal[
    "q_bias",
    "k_bias",
    "v_bias",
    "proj_bias",
    "fc1_bias",
    "fc2_bias",
    "norm1_bias",
    "norm2_bias",
    "norm1",
    "norm2",
    "patch_bias",
    "norm_bias",
    "norm",
    "cls_token",
]
"""``norm1``, ``norm2`` and ``norm`` (the last one) are whole norms, scale and bias; ``patch_bias`` is that of the patch
embedding's convolution. All others are of every block."""

BUNDLED_BACKBONE = "vit_bundled_64"  # named here so that settings load without torch; bundled.py defines it

ANY_MODEL = "any"  # the family of models that no other family knows

FAMILIES: Registry[Family] = Registry("family of backbones")
FAMILIES.add(
    "plain",
    f"{__name__}.plain:FAMILY",
    title="plain vision transformer",
    summary="ViT, DeiT, DeiT III, DINO, DINOv2, CLIP, SigLIP, MAE: prompts are keys and values of every block",
    source="VPT, arXiv 2203.12119; ViT, arXiv 2010.11929",
)
FAMILIES.add(
    "swin",
    f"{__name__}.swin:FAMILY",
    title="Swin transformer",
    summary="every window attends to the prompts of its block",
    source="VPT, arXiv 2203.12119; Swin, arXiv 2103.14030",
)
FAMILIES.add(
    "eva",
    f"{__name__}.eva:FAMILY",
    title="vision transformer with rotary positions",
    summary="DINOv3, EVA-02, Perception Encoder: prompts have no rotary position",
    source="VPT, arXiv 2203.12119; DINOv3, arXiv 2508.10104; EVA-02, arXiv 2303.11331",
)
FAMILIES.add(
    "beit",
    f"{__name__}.beit:FAMILY",
    title="BEiT",
    summary="BEiT, BEiTv2: prompts have no relative position bias",
    source="VPT, arXiv 2203.12119; BEiT, arXiv 2106.08254",
)
FAMILIES.add(
    "swin_v2",
    f"{__name__}.swin_v2:FAMILY",
    title="SwinV2",
    summary="every window attends to the prompts of its block, by cosines",
    source="VPT, arXiv 2203.12119; SwinV2, arXiv 2111.09883",
)
FAMILIES.add(
    "cait",
    f"{__name__}.cait:FAMILY",
    title="CaiT",
    summary="prompts for the patches' blocks and for those of CLS",
    source="VPT, arXiv 2203.12119; CaiT, arXiv 2103.17239",
)
FAMILIES.add(
    "hiera",
    f"{__name__}.hiera:FAMILY",
    title="Hiera",
    summary="every mask unit attends to the prompts of its block",
    source="VPT, arXiv 2203.12119; Hiera, arXiv 2306.00989",
)
FAMILIES.add(
    "naflex",
    f"{__name__}.naflex:FAMILY",
    title="NaFlexViT",
    summary="SigLIP 2 and RADIO for any size and aspect: prompts are keys and values of every block",
    source="VPT, arXiv 2203.12119; NaFlex, arXiv 2307.06304",
)
FAMILIES.add(
    ANY_MODEL,
    f"{__name__}.any_model:FAMILY",
    title="any model of timm",
    summary="what no other family knows: for the methods that put nothing between its layers",
    source="timm",
)

__all__ = [
    "ANY_MODEL",
    "BUNDLED_BACKBONE",
    "FAMILIES",
    "Backbone",
    "Encoded",
    "Family",
    "family_of",
    "is_bias",
    "load_backbone",
    "parameter_names",
    "set_trainable",
]
__getattr__ = lazy(
    __name__,
    {
        "family": ("Encoded", "Family"),
        "load": ("Backbone", "family_of", "load_backbone"),
        "tuning": ("is_bias", "parameter_names", "set_trainable"),
    },
)
