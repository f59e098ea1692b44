"""scikit-learn's handwritten digits: 8 x 8 pixels, no download; train on 0-4, test on 5-9."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits

from vptsp.data.images import ImageSet


@dataclass(frozen=True)
class DigitLoader:
    """Enlarges an 8 x 8 digit, uint8 (N, 8, 8), to ``size`` pixels."""

    pixels: np.ndarray
    size: int

    def __call__(self, position: int) -> Image.Image:
        digit = Image.fromarray(self.pixels[position])
        return digit.resize((self.size, self.size), Image.Resampling.BICUBIC).convert("RGB")


def digits(image_size: int) -> tuple[ImageSet, ImageSet]:
    """Train (digits 0-4) and test (5-9), 1,797 images together."""
    data = load_digits()
    pixels = (data.images * (255 / 16)).round().astype(np.uint8)
    return tuple(  # type: ignore[return-value]
        _one(f"digits/{split}", pixels, data.target, first, image_size)
        for split, first in (("train", 0), ("test", 5))
    )


def _one(name: str, pixels: np.ndarray, target: np.ndarray, first: int, size: int) -> ImageSet:
    chosen = np.flatnonzero((target >= first) & (target < first + 5))
    ids = [f"{name.rsplit('/')[-1]}/{target[i]}/{i:04d}" for i in chosen]
    names = [str(first + d) for d in range(5)]
    return ImageSet(
        name, ids, target[chosen] - first, names, DigitLoader(pixels[chosen], size), mirror_ok=False
    )
