"""Frozen weights in the number format that products are computed in, once instead of at every use.

Autocast keeps the cast of a weight that trains until the step ends, and casts a frozen one again at every use: once for
each tower and each pass. Cast beforehand it gives the same bits, at half the memory.
"""

from __future__ import annotations

import torch
from torch import nn

from vptsp.settings.build import ConfiguredModel
from vptsp.training.precision import Precision

_FORMATS = {"bf16-mixed": torch.bfloat16, "16-mixed": torch.float16}


def keep_frozen_weights(model: ConfiguredModel, precision: Precision) -> int:
    """Cast what is frozen of the backbone's linear layers and convolutions; bytes that it takes less.

    Only what autocast would cast at every use: weights that are multiplied. Norms, scales and position embeddings stay
    fp32, and so do biases, of which some train, and the weights beneath a low-rank update, which is added before the
    cast. From then on the backbone computes under autocast of this precision alone.
    """
    kind = _FORMATS.get(precision.name)
    if kind is None:
        return 0
    backbone = model.backbone
    _ = backbone.fingerprint  # of the weights as they were loaded; kept from now on
    updated = {
        id(part) for layer in backbone.vit.modules() if hasattr(layer, "get_delta_weight") for part in layer.modules()
    }
    saved = 0
    for layer in backbone.vit.modules():
        if type(layer) not in (nn.Linear, nn.Conv2d) or id(layer) in updated:
            continue
        weight = layer.weight
        if not weight.requires_grad and weight.dtype == torch.float32:
            saved += weight.nbytes // 2
            weight.data = weight.data.to(kind)
    return saved
