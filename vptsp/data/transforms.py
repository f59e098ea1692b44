"""What happens to an image between the disk and the network."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from PIL import Image
from torch import Tensor
from torchvision.transforms import InterpolationMode, v2

ImageTransform = Callable[[Image.Image], Tensor]


def train_transform(
    size: int,
    mean: Sequence[float],
    std: Sequence[float],
    scale: tuple[float, float] = (0.08, 1.0),
    flip: bool = True,
) -> ImageTransform:
    """Random resized crop of an area share in ``scale``, then a mirror flip in half of the cases.

    PIL image -> float32 (3, size, size), normalised by the backbone's ``mean`` and ``std``.
    """
    steps: list[torch.nn.Module] = [
        v2.RandomResizedCrop(size, scale=scale, interpolation=InterpolationMode.BICUBIC, antialias=True)
    ]
    if flip:
        steps.append(v2.RandomHorizontalFlip())
    return v2.Compose([*steps, *_to_normalised(mean, std)])


def test_transform(size: int, mean: Sequence[float], std: Sequence[float]) -> ImageTransform:
    """Shorter side to ``size * 256 / 224``, then the central square (256 and 224 in the papers).

    PIL image -> float32 (3, size, size), normalised by the backbone's ``mean`` and ``std``.
    """
    resize = v2.Resize(round(size * 256 / 224), interpolation=InterpolationMode.BICUBIC, antialias=True)
    return v2.Compose([resize, v2.CenterCrop(size), *_to_normalised(mean, std)])


# pytest would otherwise collect this function wherever a test module imports it.
test_transform.__test__ = False  # type: ignore[attr-defined]


def _to_normalised(mean: Sequence[float], std: Sequence[float]) -> list[torch.nn.Module]:
    return [
        v2.PILToTensor(),
        v2.ToDtype(torch.float32, scale=True),
        v2.Normalize(mean=list(mean), std=list(std)),
    ]
