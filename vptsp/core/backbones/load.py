"""Frozen vision transformers: any timm ViT by name, or the bundled one, with its own input statistics."""

from __future__ import annotations

import contextlib
import functools
import hashlib
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
from timm.models import load_state_dict

from vptsp.core.backbones import FAMILIES
from vptsp.core.backbones.bundled import NAME as BUNDLED_BACKBONE  # importing it registers the model with timm
from vptsp.core.backbones.bundled import SIZE as BUNDLED_SIZE
from vptsp.core.backbones.family import Family, Pooling
from vptsp.core.backbones.tuning import is_bias
from vptsp.core.errors import BackboneError


@dataclass(frozen=True)
class Backbone:
    """A timm vision transformer or Swin without its classifier, all parameters frozen.

    ``depth`` is L, ``width`` is D of the feature, ``widths`` the width of each block (they differ in a Swin),
    ``num_prefix`` counts CLS and register tokens; ``mean`` and ``std`` are the input statistics of its pretraining.
    """

    vit: Any  # the timm model
    name: str
    weights: str
    image_size: int
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
        return int(self.vit.num_features)

    @property
    def widths(self) -> list[int]:
        return self.family.widths(self.vit)

    @property
    def num_prefix(self) -> int:
        return self.family.num_prefix(self.vit)

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
    vit.requires_grad_(False).eval()
    statistics = resolve_model_data_config(vit)
    return Backbone(
        vit=vit,
        name=name,
        weights=weights,
        image_size=int(vit.patch_embed.img_size[0]),
        mean=tuple(statistics["mean"]),
        std=tuple(statistics["std"]),
        pooling=family_of(vit, name).pooling(name, vit, pooling),
    )


def _create(name: str, weights: str, image_size: int | None) -> Any:
    _check_architecture(name, image_size)
    keywords: dict[str, Any] = {"num_classes": 0} | ({} if image_size is None else {"img_size": image_size})
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
        _load_file(vit, path)
    except Exception as error:
        raise BackboneError(
            f"{path} does not hold weights of {name}: {_first_line(error)}. Pass a file saved from timm's {name}"
        ) from error
    return vit


def _check_architecture(name: str, image_size: int | None) -> None:
    """Refuse models and sizes that cannot work, without memory and before any download."""
    try:
        vit = _outline(name)
    except RuntimeError as error:
        raise BackboneError(f"backbone {name!r} cannot be built: {_first_line(error)}") from error
    family_of(vit, name)
    if name.startswith(BUNDLED_BACKBONE) and image_size not in (None, BUNDLED_SIZE):
        raise BackboneError(
            f"image_size={image_size}: {BUNDLED_BACKBONE} sees {BUNDLED_SIZE} pixels and no other size; drop "
            "image_size, or choose another backbone"
        )
    patch = vit.patch_embed.patch_size[0]
    if image_size is not None and image_size % patch:
        below = max(image_size // patch, 1) * patch
        raise BackboneError(
            f"image_size={image_size} is not a multiple of the {patch} pixel patches of {name}; "
            f"legal near it: {below}, {below + patch}"
        )


@functools.lru_cache(maxsize=16)  # training and each evaluation load a backbone; its outline takes as long as itself
def _outline(name: str) -> Any:
    """The model without memory."""
    with torch.device("meta"):
        return timm.create_model(name, num_classes=0)


def _load_file(vit: Any, path: Path) -> None:
    """Fill ``vit`` from a weight file, without unpickling objects; position embeddings are resampled."""
    if path.suffix == ".npz":
        vit.load_pretrained(str(path))
        return
    state = family_of(vit).fit_checkpoint(load_state_dict(str(path), weights_only=True), vit)
    # timm would pass over what is missing, and leave it random
    found = vit.load_state_dict({n: v for n, v in state.items() if not n.startswith(_CLASSIFIER)}, strict=False)
    odd = [f"no {n}" for n in found.missing_keys] + [f"{n} too many" for n in found.unexpected_keys]
    if odd:
        raise ValueError(", ".join(odd[:3]) + (f" and {len(odd) - 3} more" if len(odd) > 3 else ""))


_CLASSIFIER = ("head", "fc.", "pre_logits")


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
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or ["unknown"]
    text = " ".join(lines[: 2 if lines[0].endswith(":") else 1]).rstrip(".")[:200]
    return text if " " in text else f"{type(error).__name__}: {text}"


def family_of(model: Any, name: str = "") -> Family:
    """The family of a timm model. Raises :class:`BackboneError` for models into whose blocks prompts cannot enter."""
    for entry in FAMILIES.values():
        family = entry.load()
        if family.matches(model):
            return family
    raise BackboneError(
        f"backbone {name!r} ({type(model).__name__}) is neither a plain vision transformer nor a Swin, so prompts "
        "cannot enter its blocks as keys and values; models that can: vit_*, deit_*, deit3_*, vit_*_dinov2, "
        "vit_*_clip_*, swin_* of timm"
    )
