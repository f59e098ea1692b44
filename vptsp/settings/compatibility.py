"""Which methods a backbone can take."""

from __future__ import annotations

from vptsp.core.backbones.load import Backbone
from vptsp.core.backbones.without_prompts import why_no_prompts
from vptsp.errors import ConfigError
from vptsp.settings.config import Config
from vptsp.settings.methods import METHODS

ALEXNET_LEAST = 63  # pixels; below, its last pooling has nothing left


def require_compatible(config: Config, backbone: Backbone) -> None:
    """Raise ConfigError, saying why and what the backbone can take, when the method does not fit it."""
    method = METHODS[config.method]
    if method.side and min(backbone.size) < ALEXNET_LEAST:
        raise ConfigError(
            f"method={config.method!r} runs AlexNet, which takes images of {ALEXNET_LEAST} pixels or more, on images "
            f"of {min(backbone.size)}; choose a larger image_size or another backbone"
        )
    if method.mlp and config.batch_size == 1:
        raise ConfigError("batch_size=1: method='mlp' normalises over the batch, so it needs a batch_size of 2 or more")
    prompted = method.prompts != "none" or (method.semantic != "none" and config.semantic_source == "class_prompts")
    if prompted and not backbone.family.prompts:
        free = ", ".join(name for name, other in METHODS.items() if other.prompts == "none" and other.adapter == "none")
        raise ConfigError(
            f"method={config.method!r} puts prompts into the blocks of the backbone, and {backbone.name} "
            f"({type(backbone.vit).__name__}) takes none: {why_no_prompts(backbone.vit)}. Choose "
            f"one of {free}, or a backbone that vptsp backbones lists with prompts"
        )
    if method.key_values and not backbone.family.key_values:
        raise ConfigError(
            f"method={config.method!r} puts learned keys and values into attention, and {backbone.name}, a "
            f"{backbone.family.title}, takes none; choose another backbone, or method=vpt_deep"
        )
    if method.prompts == "none":
        return
    if method.guided:
        _require_guidable(config, backbone)
        return
    where = config.prompt_location
    if where != "prepend" and where not in backbone.family.locations:
        raise ConfigError(
            f"prompt_location={where!r} is not for every backbone; {backbone.name} is a {backbone.family.title} "
            "and takes prompt_location=prepend, or a method without prompts"
        )
    if where == "add" and config.prompt_depth and config.prompt_depth > backbone.depth:
        raise ConfigError(
            f"prompt_depth={config.prompt_depth} is deeper than the backbone, which has {backbone.depth} blocks; "
            f"legal: 1 to {backbone.depth}"
        )
    if where == "add" and config.prompt_from == "top":
        raise ConfigError("prompt_from='top' is for prompt_location=prepend; added prompts count from the bottom")
    if where == "prepend_pixel" and hasattr(backbone.vit.patch_embed, "backbone"):
        raise ConfigError(
            f"prompt_location='prepend_pixel' makes tokens of pixels by one patch convolution, but {backbone.name} has "
            "a convolutional network in its place; choose another prompt_location"
        )


def _require_guidable(config: Config, backbone: Backbone) -> None:
    """Guided prompts follow CLS through the blocks, and their blocks must be there."""
    if not backbone.family.guides(backbone.vit):
        raise ConfigError(
            f"method={config.method!r} compares prompts with CLS in the blocks, and {backbone.name} "
            f"({type(backbone.vit).__name__}) has no CLS token that goes through all of them; choose a plain vision "
            "transformer with CLS, or method=vpt_deep"
        )
    if config.guided_blocks and config.guided_blocks[1] > backbone.depth:
        first, last = config.guided_blocks
        raise ConfigError(
            f"guided_blocks={first},{last} goes past the last block of the backbone, which has {backbone.depth}; "
            f"legal: 1 to {backbone.depth}"
        )
