"""What the published VPTSP configuration files say, and what each of their keys became here.

The presets of the papers' data sets carry the published file's keys in a table ``[published]``. A key is either a
setting (:data:`BECAME`), or ignored for a reason (:data:`IGNORED`). Source: the code published with arXiv 2402.02340.

What still differs is said in :data:`STILL_DIFFERS`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Convert = Callable[[Any], Any]
STILL_DIFFERS = (
    "images are resized bicubically, as the paper says, where that code leaves torchvision's bilinear",
    "similarities, loss and evaluation are in fp32, there under autocast",
    "class prompts off the device count Adam's steps by row, there by block",
    "the 21,843-way head's unused biases are not trained",
    "MAP@R is reported by its definition and, as map_at_r_published, by that code's, and In-Shop's MAP of that code "
    "(50 neighbours) is not",
)  # between that code and this one, under the same settings


@dataclass(frozen=True)
class Setting:
    """The field a published key became, how its value converts, and the published code's default."""

    field: str
    default: Any
    convert: Convert = lambda value: value


_BACKBONES = {
    "vit_small_patch16_224_in21k": "vit_small_patch16_224.augreg_in21k",
    "vit_base_patch16_224_in21k": "vit_base_patch16_224.augreg_in21k",
}

BECAME: dict[str, Setting] = {
    "backbone": Setting("backbone", "vit_small_patch16_224_in21k", _BACKBONES.__getitem__),
    "embed_dim": Setting("embedding_size", 384),
    "batch_size": Setting("batch_size", 64),
    "samples_per_class": Setting("images_per_class", 2),
    "n_epochs": Setting("epochs", 30),
    "eval_start": Setting("track_from", 0, lambda epoch: epoch + 1),  # epochs count from 0 there
    "optim": Setting("optimizer", "sgd"),
    "lr": Setting("lr", 1e-3),
    "lr_proxy": Setting("lr_proxy", 0.5),
    "weight_decay": Setting("weight_decay", 0.0),
    "lr_cosine_length": Setting("cosine_length", 50),
    "lr_cosine_min": Setting("cosine_min", 1e-6),
    "num_prompt": Setting("num_prompts", 10),
    "prompt_depth": Setting("prompt_depth", 12),
    "prompt_block_step": Setting("prompt_step", 0),
    "num_p_prompt": Setting("num_class_prompts", 5),
    "p_prompt_depth": Setting("class_prompt_depth", 3),
    "prompt_p_block_step": Setting("class_prompt_step", 0),
    "proxy_bias_ratio": Setting("alpha", 0.5),
    "semantic_mix_type": Setting("gru_activation", "gru_relu", lambda name: name.removeprefix("gru_")),
    "rnn_dropout": Setting("gru_dropout", 0.0),
    "prompt_memory_bank": Setting("class_prompts_on", False, lambda on: "host" if on else "device"),
    "checkpoint": Setting("activation_checkpointing", False),
    "mix_precision": Setting("precision", False, lambda on: "fp16" if on else "fp32"),
    "vit_bitfit": Setting("bitfit", False),
    "proxy_data_range": Setting("loss_proxies", "in_batch", lambda name: "all" if name == "both_all" else "batch"),
}
"""Published key -> setting."""

IGNORED: dict[str, str] = {
    "data_sampler": "every name in the published code leads to the one sampler that is also used here",
    "scheduler": "cosine is the only schedule of the published files and of this code",
    "feature_dropout": "0 in every published file; the published code uses it for three different things",
    "vit_head": "part of the method vptsp_g: a LayerNorm and Linear of its own",
    "vit_prompt": "part of the method vptsp_g: shared prompts",
    "vit_proxy_net": "part of the method vptsp_g: the semantic tower",
    "proxy_mix_bias": "part of the method vptsp_g: learned proxies fused by alpha",
    "normal": "embeddings are always of unit length here, as the published head makes them too",
    "force_add_positive": "no published code reads it",
    "negative_push": "no published code reads it",
    "promot_mix": "no published code reads it",
    "naming_attributes": "no published code reads it",
    "same_p_scheduler": "no published code reads it",
    "proxy_net_head": "parsed by the published code, never read",
    "proxy_net_depth": "parsed by the published code, never read",
    "loss_oproxy_lrmulti": "parsed by the published code, never read",
}
"""Published key -> why it became nothing."""


def settings_of(
    published: Mapping[str, Any], became: Mapping[str, Setting] = BECAME, ignored: Mapping[str, str] = IGNORED
) -> dict[str, Any]:
    """The settings that a published file stands for, defaults of the published code included.

    Raises KeyError for a key that is neither a setting nor known to be ignored.
    """
    if odd := published.keys() - became.keys() - ignored.keys():
        raise KeyError(f"published keys without a meaning here: {', '.join(sorted(odd))}")
    return {setting.field: setting.convert(published.get(key, setting.default)) for key, setting in became.items()}
