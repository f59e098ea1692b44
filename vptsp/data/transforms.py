"""What happens to an image between the disk and the network."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from PIL import Image
from torch import Tensor
from torchvision.transforms import InterpolationMode, v2
from torchvision.transforms.v2.functional import pil_to_tensor

from vptsp.data.image_set import ImageSize, shortened, with_margin

ImageTransform = Callable[[Image.Image], Tensor]

_SMOOTH: dict[str, Any] = {"interpolation": InterpolationMode.BICUBIC, "antialias": True}


def train_transform(
    size: ImageSize,
    mean: Sequence[float],
    std: Sequence[float],
    scale: tuple[float, float] = (0.08, 1.0),
    flip: bool = True,
    augment: str = "resized_crop",
) -> ImageTransform:
    """What the training images go through: PIL image -> float32 (3, H, W), normalised by ``mean`` and ``std``.

    ``size`` is the side of a square, or height and width. ``augment`` is ``resized_crop``, a random part of an area
    share in ``scale`` (VPTSP); ``crop``, the image to ``size * 256 / 224`` and a random part of it (VPT's way with
    FGVC); or ``resize``, the whole image stretched to it (VPT's way with VTAB-1k). The first two are mirrored in half
    of the cases where ``flip`` allows.
    """
    if augment == "resize":
        return eval_transform(size, mean, std, whole=True)
    height, width = _sides(size)
    ratio = (0.75 * width / height, width / height / 0.75)
    first: list[torch.nn.Module] = [RandomPart((height, width), scale=scale, ratio=ratio, **_SMOOTH)]
    if augment == "crop":
        first = [ShortenStrip(), cover(size), v2.RandomCrop((height, width))]
    mirror = [v2.RandomHorizontalFlip()] if flip else []
    return v2.Compose([*first, *mirror, Normalised(mean, std)])


def eval_transform(size: ImageSize, mean: Sequence[float], std: Sequence[float], whole: bool = False) -> ImageTransform:
    """Shorter side to ``size * 256 / 224``, then the central square (256 and 224 in the papers).

    Where height and width differ the image is made to cover both, times 256 / 224, and its middle is cut out.
    With ``whole`` the whole image is stretched instead. PIL image -> float32 (3, H, W), normalised by the
    backbone's ``mean`` and ``std``.
    """
    if whole:
        return v2.Compose([v2.Resize(_sides(size), **_SMOOTH), Normalised(mean, std)])
    return v2.Compose([ShortenStrip(), cover(size), v2.CenterCrop(_sides(size)), Normalised(mean, std)])


# Two steps of torchvision, to the bit, for one PIL image. Its general way through trees of inputs takes longer than
# what these steps do, and with small images a tenth of an epoch is the loader's.
class RandomPart(v2.RandomResizedCrop):
    """A random part of a PIL image, resized: torchvision's, draw for draw."""

    def forward(self, image: Image.Image) -> Image.Image:
        """The part, bicubic."""
        part = self.make_params([image])
        left, top = part["left"], part["top"]
        own = image.crop((left, top, left + part["width"], top + part["height"]))
        return own.resize((self.size[1], self.size[0]), Image.Resampling.BICUBIC)


class Normalised(torch.nn.Module):
    """A PIL image as a tensor (3, H, W), normalised: ``PILToTensor``, ``ToDtype`` and ``Normalize`` of torchvision."""

    def __init__(self, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()
        self.mean, self.std = (torch.tensor(list(each), dtype=torch.float32).view(-1, 1, 1) for each in (mean, std))

    def forward(self, image: Image.Image) -> Tensor:
        """float32, by the mean and the standard deviation of each channel."""
        return pil_to_tensor(image).to(torch.float32).mul_(1 / 255).sub(self.mean).div_(self.std)  # grey to three


class ShortenStrip(torch.nn.Module):
    """:func:`~vptsp.data.image_set.shortened` as a step of a transform, before an image is enlarged."""

    def forward(self, image: Image.Image) -> Image.Image:
        """A PIL image, cut if need be."""
        return shortened(image)


def resize_short(side: int) -> torch.nn.Module:
    """The shorter side of a PIL image to ``side`` pixels, bicubic."""
    return v2.Resize(side, **_SMOOTH)


def cover(size: ImageSize) -> torch.nn.Module:
    """A PIL image so large that the part of ``size`` that is then cut out leaves the usual margin, bicubic."""
    height, width = _sides(size)
    return resize_short(with_margin(height)) if height == width else Cover(with_margin(height), with_margin(width))


class Cover(torch.nn.Module):
    """A PIL image, its aspect kept, to the least size that covers ``height`` and ``width`` pixels."""

    def __init__(self, height: int, width: int) -> None:
        super().__init__()
        self.height, self.width = height, width

    def forward(self, image: Image.Image) -> Image.Image:
        scale = max(self.width / image.width, self.height / image.height)
        size = max(self.width, round(scale * image.width)), max(self.height, round(scale * image.height))
        return image.resize(size, Image.Resampling.BICUBIC)


def _sides(size: ImageSize) -> tuple[int, int]:
    return (size, size) if isinstance(size, int) else (size[0], size[1])
