"""Write the backbone as half-precision safetensors, atomically."""

from __future__ import annotations

import os
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import nn


def save_weights(model: nn.Module, path: Path) -> None:
    """Write ``model``'s state as fp16; the file appears whole or not at all."""
    state = {name: value.detach().to("cpu", torch.float16).contiguous() for name, value in model.state_dict().items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    save_file(state, partial)
    os.replace(partial, path)
