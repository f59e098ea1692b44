"""Frozen vision transformers: any timm ViT by name, or the bundled one, with its own input statistics."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

import timm
import torch
from timm.data import resolve_model_data_config
from timm.layers import Attention
from timm.models.vision_transformer import Block, VisionTransformer
from torch import nn

# BUNDLED
from vptsp.config import BUNDLED_BACKBONE
from vptsp.errors import BackboneError


@dataclass(frozen=True)
class Backbone:
    """A timm vision transformer without its classifier, all parameters frozen.

    ``depth`` is L, ``width`` is D, ``num_prefix`` counts CLS and register tokens; ``mean`` and ``std``
    are the input statistics of its pretraining.
    """

    vit: VisionTransformer
    name: str
    weights: str
    image_size: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    pooling: Literal["cls", "mean"]

    @property
    def depth(self) -> int:
        return len(self.vit.blocks)

    @property
    def width(self) -> int:
        return int(self.vit.embed_dim)

    @property
    def num_prefix(self) -> int:
        return int(self.vit.num_prefix_tokens)

    @cached_property
    def fingerprint(self) -> str:
        """A digest of names, shapes and weights; equal digests mean the same frozen function.

        Biases are left out: BitFit trains them, and a tuned copy is still the same backbone.
        """
        digest = hashlib.blake2b(digest_size=16)
        for name, value in self.vit.state_dict().items():
            if is_bias(name):
                continue
            digest.update(f"{name}{tuple(value.shape)}".encode())
            if not value.is_meta:
                digest.update(value.detach().float().cpu().contiguous().numpy().tobytes())
        return digest.hexdigest()


def is_bias(name: str) -> bool:
    """Whether a parameter name is a bias in BitFit's sense."""
    return name == "bias" or name.endswith(".bias")


def load_backbone(
    name: str = BUNDLED_BACKBONE,
    weights: str = "pretrained",
    image_size: int | None = None,
    pooling: str = "auto",
    seed: int = 0,
) -> Backbone:
    """Build a frozen backbone.

    ``weights`` is ``pretrained`` (timm's, from the hub or its cache; the bundled model's from the
    package), ``random``, or the path of a weight file in timm's format (``.safetensors``, ``.bin``,
    ``.pth``, ``.npz``). ``image_size`` resamples the position embedding; ``seed`` fixes random weights, so that
    a run with them can be resumed and its checkpoints can be loaded.

    Raises :class:`BackboneError` for unknown names, models that are not plain ViTs, sizes that the
    patches do not divide, files that are missing or do not fit, and downloads that fail.
    """
    if not timm.is_model(name):
        near = timm.list_models(f"*{name.split('.')[0].split('_')[0]}*", module="vision_transformer")[:5]
        raise BackboneError(
            f"backbone {name!r} is not a timm model; "
            + (f"for example: {', '.join(near)}" if near else "timm.list_models('vit*') lists what exists")
        )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        vit = _create(name, weights, image_size)
    _check_plain(name, vit)
    vit.requires_grad_(False).eval()
    statistics = resolve_model_data_config(vit)
    return Backbone(
        vit=vit,
        name=name,
        weights=weights,
        image_size=int(vit.patch_embed.img_size[0]),
        mean=tuple(statistics["mean"]),
        std=tuple(statistics["std"]),
        pooling=_pooling(name, vit, pooling),
    )


def _create(name: str, weights: str, image_size: int | None) -> nn.Module:
    overlay = None
    if weights not in ("pretrained", "random"):
        path = Path(weights).expanduser()
        if not path.is_file():
            raise BackboneError(
                f"backbone_weights={weights!r} is neither pretrained nor random nor an existing file; "
                "pass the path of a weight file in timm's format"
            )
        overlay = {"file": str(path), "custom_load": path.suffix == ".npz"}
    size = {} if image_size is None else {"img_size": image_size}
    try:
        return timm.create_model(
            name,
            pretrained=weights != "random",
            pretrained_cfg_overlay=overlay,
            num_classes=0,
            **size,
        )
    except BackboneError:
        raise
    except Exception as error:  # timm, the hub and torch raise anything here; each case needs one sentence
        reason = _first_line(error)
        if overlay is not None:
            raise BackboneError(
                f"{weights} does not hold weights of {name}: {reason}. Pass a file saved from timm's {name}"
            ) from error
        if isinstance(error, (TypeError, AssertionError)) or (image_size is not None and weights == "random"):
            raise BackboneError(
                f"backbone {name!r} cannot be built at image_size={image_size}: {reason}. "
                "Choose an image_size that its patch size divides, or another backbone"
            ) from error
        raise BackboneError(
            f"The pretrained weights of {name} could not be downloaded ({reason}). Pass backbone_weights=PATH of a "
            f"weight file in timm's format, backbone_weights=random, or backbone={BUNDLED_BACKBONE}, which needs none"
        ) from error


def _first_line(error: BaseException) -> str:
    text = str(error).strip()
    return text.splitlines()[0].rstrip(".")[:200] if text else type(error).__name__


def _check_plain(name: str, vit: nn.Module) -> None:
    """Refuse models whose blocks the key/value path of :mod:`vptsp.encoder` does not compute exactly."""
    plain = isinstance(vit, VisionTransformer) and all(
        type(block) is Block and type(block.attn) is Attention and block.attn.gate is None for block in vit.blocks
    )
    if not plain:
        raise BackboneError(
            f"backbone {name!r} ({type(vit).__name__}) is not a plain vision transformer, so prompts cannot enter its "
            "blocks as keys and values; models that can: vit_*, deit_*, deit3_*, vit_*_dinov2, vit_*_clip_* of timm"
        )


def _pooling(name: str, vit: VisionTransformer, wanted: str) -> Literal["cls", "mean"]:
    if wanted == "mean":
        return "mean"
    if wanted == "cls" or vit.global_pool == "token":
        if not vit.has_class_token:
            raise BackboneError(f"backbone {name!r} has no CLS token; use pooling=mean")
        return "cls"
    if vit.global_pool == "avg":
        return "mean"
    raise BackboneError(f"backbone {name!r} pools by {vit.global_pool!r}, which is not supported; use pooling=mean")


def parameter_names(vit: nn.Module, bitfit: bool) -> list[str]:
    """Names of the backbone's parameters that train: every bias under BitFit, else none."""
    return [name for name, _ in vit.named_parameters() if bitfit and is_bias(name)]


@torch.no_grad()
def set_trainable(vit: nn.Module, names: list[str]) -> None:
    """Freeze everything but ``names``."""
    chosen = set(names)
    for name, parameter in vit.named_parameters():
        parameter.requires_grad_(name in chosen)
