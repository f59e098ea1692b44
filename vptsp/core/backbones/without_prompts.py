"""Why prompts cannot enter the models of a file of timm, or do not here; who says it lists what these models can do."""

from __future__ import annotations

from typing import Any

UNKNOWN = "how its layers attend, if they do, is not known here"
_CONVOLUTIONS = "it is made of convolutions and has no attention among tokens"
_BETWEEN = "its attention stands between convolutions over the grid of patches, where a prompt has no place"
_MIXES = "it mixes tokens by weights of their places, and a prompt has none"
_SPLIT = "its windows and its relative positions, which are made of the queries, are not taken apart here"
_SHORTER = "its keys and values are made of a smaller grid of patches by convolution, where a prompt has no place"

_WHY = {
    "mvitv2": "its convolutions pool keys and values over the grid of patches, where a prompt has no place; Hiera, "
    "which pools by maxima, takes prompts",
    "xcit": "it attends among channels and not among tokens, so that no token could attend to a prompt",
    "vision_transformer_sam": _SPLIT,
    "hieradet_sam2": _SPLIT,
    "pvt_v2": _SHORTER,
    "twins": _SHORTER,
    "mlp_mixer": _MIXES,
    **dict.fromkeys(
        ("maxxvit", "tiny_vit", "fastvit", "levit", "edgenext", "mobilevit", "efficientformer", "efficientformer_v2"),
        _BETWEEN,
    ),
    **dict.fromkeys(("nextvit", "repvit", "swiftformer", "efficientvit_mit", "efficientvit_msra", "iformer"), _BETWEEN),
    **dict.fromkeys(
        (
            "resnet",
            "resnetv2",
            "res2net",
            "convnext",
            "efficientnet",
            "mobilenetv3",
            "densenet",
            "dla",
            "dpn",
            "regnet",
        ),
        _CONVOLUTIONS,
    ),
    **dict.fromkeys(
        ("vgg", "inception_next", "inception_v3", "inception_v4", "nfnet", "cspnet", "ghostnet", "hrnet", "rexnet"),
        _CONVOLUTIONS,
    ),
    **dict.fromkeys(
        ("selecsls", "tresnet", "vovnet", "xception", "starnet", "convmixer", "hardcorenas"), _CONVOLUTIONS
    ),
}


def why_no_prompts(model: Any) -> str:
    """The reason, as the end of a sentence about the model."""
    return _WHY.get(type(model).__module__.rpartition(".")[2], UNKNOWN)
