"""Frozen backbones: any image model of timm by name, or the bundled one, with its own input statistics."""

from __future__ import annotations

import contextlib
import difflib
import functools
import hashlib
import inspect
import re
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import timm
import torch
from timm.data import resolve_model_data_config
from torch import Tensor

from vptsp.core.backbones import ANY_MODEL, FAMILIES
from vptsp.core.backbones.bundled import NAME as BUNDLED_BACKBONE  # importing it registers the model with timm
from vptsp.core.backbones.bundled import SIZE as BUNDLED_SIZE
from vptsp.core.backbones.family import Family, Grid, Pooling
from vptsp.core.backbones.tuning import is_bias
from vptsp.core.backbones.weights import load_weights
from vptsp.core.errors import BackboneError

_STEP = 32  # pixels; what networks divide their images by, as a rule
_SHORT = 3  # letters; words like vit say nothing of a model

ImageSize = int | tuple[int, int]  # the side of a square, or height and width, in pixels


@dataclass(frozen=True)
class Backbone:
    """An image model of timm without its classifier, all parameters frozen.

    ``depth`` is L, ``width`` is D of the feature, ``widths`` the width of each block (they differ in a Swin),
    ``num_prefix`` counts CLS and register tokens; ``mean`` and ``std`` are the input statistics of its pretraining.
    ``image_size`` is the side of its images, or their height and width where these differ.
    """

    vit: Any  # the timm model
    name: str
    weights: str
    image_size: ImageSize
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    pooling: Pooling

    @cached_property
    def family(self) -> Family:
        """What is known of its kind."""
        return family_of(self.vit)

    @property
    def blocks(self) -> list[Any]:
        """The transformer blocks, first to last."""
        return self.family.blocks(self.vit)

    @property
    def depth(self) -> int:
        return len(self.blocks)

    @property
    def width(self) -> int:
        return self.family.width(self.vit)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of its images, in pixels."""
        return _height_and_width(self.image_size)

    def grid(self, images: Tensor) -> Grid:
        """Rows and columns of patches of images (B, channels, H, W)."""
        return self.family.grid(self.vit, (images.shape[-2], images.shape[-1]))

    @property
    def widths(self) -> list[int]:
        return self.family.widths(self.vit)

    @property
    def key_widths(self) -> list[int]:
        """Numbers in the keys of each block, of all heads together."""
        return self.family.key_widths(self.vit)

    @property
    def num_prefix(self) -> int:
        return self.family.num_prefix(self.vit)

    @property
    def pooled_alone(self) -> int:
        """How many of the first tokens are all that is pooled: 1 for CLS; 0 where others are pooled as well."""
        return self.family.pooled_alone(self.vit, self.pooling) or 0

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


def load_backbone(
    name: str = BUNDLED_BACKBONE,
    weights: str = "pretrained",
    image_size: ImageSize | None = None,
    pooling: str = "auto",
    seed: int = 0,
    *,
    any_size: bool = False,
) -> Backbone:
    """Build a frozen backbone.

    ``weights`` is ``pretrained`` (timm's, from the hub or its cache; the bundled model's from the
    package), ``random``, or the path of a weight file (``.safetensors``, ``.bin``, ``.pth``, ``.npz``): see
    :mod:`.weights`. ``image_size`` resamples the position embedding; ``seed`` fixes random weights, so that
    a run with them can be resumed and its checkpoints can be loaded. With ``any_size`` the model also takes images of
    other sizes than this, and resamples the position embedding for each batch (timm's ``dynamic_img_size``).

    Raises :class:`BackboneError` for unknown names, sizes that the model cannot take, files that are missing or do not
    fit, and downloads that fail.
    """
    if not timm.is_model(name):
        near = _near(name)
        raise BackboneError(
            f"backbone {name!r} is not a timm model; "
            + (f"for example: {', '.join(near)}" if near else "vptsp backbones lists what there is")
        )
    size = None if image_size is None else _height_and_width(image_size)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        vit = _create(name, weights, size, any_size)
    vit.requires_grad_(False).eval()
    statistics = resolve_model_data_config(vit)
    height, width = size or _own_size(vit)
    return Backbone(
        vit=vit,
        name=name,
        weights=weights,
        image_size=height if height == width else (height, width),
        mean=tuple(statistics["mean"]),
        std=tuple(statistics["std"]),
        pooling=family_of(vit, name).pooling(name, vit, pooling),
    )


def _create(name: str, weights: str, size: tuple[int, int] | None, any_size: bool) -> Any:
    check_architecture(name, size)
    keywords: dict[str, Any] = {"num_classes": 0}
    if size is not None and _takes(name, "img_size"):
        keywords["img_size"] = size[0] if size[0] == size[1] else size
    if any_size and _takes(name, "dynamic_img_size"):
        keywords["dynamic_img_size"] = True
    if weights == "random":
        return timm.create_model(name, **keywords)
    if weights == "pretrained":
        try:
            with contextlib.nullcontext() if name.startswith(BUNDLED_BACKBONE) else _hub_if_reachable():
                return timm.create_model(name, pretrained=True, **keywords)
        except Exception as error:  # timm, the hub and torch raise anything here
            raise BackboneError(
                f"the pretrained weights of {name} could not be loaded ({_first_line(error)}). Pass "
                "backbone_weights=PATH of a weight file in timm's format, backbone_weights=random, or "
                f"backbone={BUNDLED_BACKBONE}, which needs no download"
            ) from error
    path = Path(weights).expanduser()
    if not path.is_file():
        raise BackboneError(
            f"backbone_weights={weights!r} is neither pretrained nor random nor an existing file; "
            "pass the path of a weight file in timm's format"
        )
    vit: Any = timm.create_model(name, **keywords)
    try:
        load_weights(vit, family_of(vit, name), path, name)
    except Exception as error:
        said = str(error) if isinstance(error, BackboneError) else None
        raise BackboneError(
            (said or f"{path} does not hold weights of {name}: {_first_line(error)}")
            + f". Pass a file saved from timm's {name}, or from the model it was made from"
        ) from error
    return vit


def check_architecture(name: str, size: tuple[int, int] | None) -> None:
    """Refuse models and sizes that cannot work, without memory and before any download."""
    architecture, _, tag = name.partition(".")
    tags = [known.partition(".")[2] for known in timm.list_pretrained(f"{architecture}.*")] if tag else []
    if tags and tag not in tags:
        raise BackboneError(f"{architecture} has no pretrained weights {tag!r}; it has {', '.join(tags)}")
    try:
        vit = outline(name)
    except RuntimeError as error:
        raise BackboneError(f"backbone {name!r} cannot be built: {_first_line(error)}") from error
    family_of(vit, name)
    if size is None:
        return
    if min(size) < 1:
        raise BackboneError(f"image_size={_said(size)}: an image has a pixel or more on each side")
    said = f"image_size={_said(size)}"
    if name.startswith(BUNDLED_BACKBONE) and size != (BUNDLED_SIZE, BUNDLED_SIZE):
        raise BackboneError(
            f"{said}: {BUNDLED_BACKBONE} sees {BUNDLED_SIZE} pixels and no other size; drop "
            "image_size, or choose another backbone"
        )
    patch = getattr(getattr(vit, "patch_embed", None), "patch_size", None)
    for length, side in zip(size, patch, strict=True) if isinstance(patch, tuple) else ():
        if length % side:
            below = max(length // side, 1) * side
            raise BackboneError(
                f"{said} is not a multiple of the {side} pixel patches of {name}; "
                f"legal near it: {below}, {below + side}"
            )
    if isinstance(patch, tuple) and family_of(vit, name).global_attention:
        return  # tokens that all attend to each other may be of any number
    why = _refusal(name, size)
    if why and not _refusal(name, None):
        around = [tuple(max(side // _STEP + more, 1) * _STEP for side in size) for more in (0, 1)]
        legal = [_said(near) for near in around if not _refusal(name, (near[0], near[1]))]
        raise BackboneError(
            f"{said}: {name} cannot take images of this size ({why}); its own is {_said(_own_size(vit))}"
            + (f", legal near it: {' and '.join(legal)}" if legal else "")
        )


def _said(size: tuple[int, ...]) -> str:
    return f"{size[0]}" if size[0] == size[1] else f"{size[0]},{size[1]}"


def _near(name: str) -> list[str]:
    """Models whose names are like it, or have a word of it: ``dinov3_vits16`` is DINOv3's own name."""
    every: list[str] = timm.list_models()
    asked = name.split(".")[0].lower()
    if near := difflib.get_close_matches(asked, every, n=5, cutoff=0.75):
        return near
    words = [word for word in re.findall(r"[a-z]+\d*", asked) for word in (word, word.rstrip("0123456789"))]
    for word in words:
        if len(word) > _SHORT and (having := [model for model in every if word in model]):
            return sorted(having, key=lambda model: -difflib.SequenceMatcher(None, asked, model).ratio())[:5]
    return difflib.get_close_matches(asked, every, n=5, cutoff=0.5)


@functools.lru_cache(maxsize=16)  # training and each evaluation load a backbone; its outline takes as long as itself
def outline(name: str, size: tuple[int, int] | None = None) -> Any:
    """The model without memory."""
    keywords: dict[str, Any] = (
        {} if size is None or not _takes(name, "img_size") else {"img_size": size[0] if size[0] == size[1] else size}
    )
    with torch.device("meta"):
        return timm.create_model(name, num_classes=0, **keywords).eval()


def _takes(name: str, keyword: str) -> bool:
    """Whether a model can be built with ``img_size`` or ``dynamic_img_size``; models of convolutions need neither."""
    kinds = type(outline(name)).__mro__
    return any(keyword in inspect.signature(kind).parameters for kind in kinds[:-1])


@functools.lru_cache(maxsize=64)
def _refusal(name: str, size: tuple[int, int] | None) -> str:
    """Why a model cannot take images of a size (none: its own), by its own words; empty if it can."""
    try:
        vit = outline(name, size)
        with torch.no_grad(), torch.device("meta"):
            vit.forward_features(torch.empty(1, vit.pretrained_cfg["input_size"][0], *(size or _own_size(vit))))
    except Exception as error:  # whatever the model's own code raises
        return _first_line(error)
    return ""


def _own_size(vit: Any) -> tuple[int, int]:
    height, width = resolve_model_data_config(vit)["input_size"][-2:]
    return int(height), int(width)


def _height_and_width(size: ImageSize) -> tuple[int, int]:
    if isinstance(size, int):
        return size, size
    height, width = size
    return int(height), int(width)


@contextlib.contextmanager
def _hub_if_reachable() -> Iterator[None]:
    """Where the hub does not answer within seconds, use cached weights only; its own retries take a minute."""
    from huggingface_hub import constants as hub  # timm brings it; only this way of loading needs it

    before = hub.HF_HUB_OFFLINE
    try:
        urllib.request.urlopen(urllib.request.Request(hub.ENDPOINT, method="HEAD"), timeout=5)
    except urllib.error.HTTPError:
        pass  # an answer all the same
    except OSError:
        hub.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        hub.HF_HUB_OFFLINE = before


def _first_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or ["a check of its own fails"]
    text = " ".join(lines[: 2 if lines[0].endswith(":") else 1]).rstrip(".")[:200]
    return text if " " in text else f"{type(error).__name__}: {text}"


def family_of(model: Any, name: str = "") -> Family:
    """The family of a timm model; one that takes no prompts where no other knows it.

    Raises :class:`BackboneError` for models that give no features.
    """
    for entry in FAMILIES.values():
        family = entry.load()
        if entry.name != ANY_MODEL and family.matches(model):
            return family
    if not (last := FAMILIES.load(ANY_MODEL)).matches(model):
        raise BackboneError(
            f"backbone {name!r} ({type(model).__name__}) does not part features from its classifier, so it gives none; "
            "vptsp backbones lists other models"
        )
    return last
