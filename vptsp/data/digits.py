"""scikit-learn's handwritten digits: 8 x 8 pixels, no download; train on 0-4, test on 5-9."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from vptsp.data.image_set import ImageSet, Parts, drawn_side
from vptsp.data.settings import DataConfig


@dataclass(frozen=True)
class DigitLoader:
    """Enlarges an 8 x 8 digit, uint8 (N, 8, 8), to ``size`` pixels."""

    pixels: np.ndarray
    size: int

    def __call__(self, position: int) -> Image.Image:
        digit = Image.fromarray(self.pixels[position])
        return digit.resize((self.size, self.size), Image.Resampling.BICUBIC).convert("RGB")


def digits(config: DataConfig, root: Path) -> Parts:
    """The set of a configuration; it comes with scikit-learn, so there is no ``root``."""
    return Parts(*digit_sets(drawn_side(config.image_size)))


def digit_sets(image_size: int) -> tuple[ImageSet, ImageSet]:
    """Train (digits 0-4) and test (5-9), 1,797 images together."""
    return _split("train", range(5), image_size), _split("test", range(5, 10), image_size)


def _split(split: str, wanted: range, size: int) -> ImageSet:
    from sklearn.datasets import load_digits  # here, as it takes seconds that only this set should cost

    data = load_digits()
    chosen = np.flatnonzero(np.isin(data.target, wanted))
    pixels = (data.images[chosen] * (255 / 16)).round().astype(np.uint8)
    return ImageSet(
        name=f"digits/{split}",
        ids=[f"{split}/{data.target[i]}/{i:04d}" for i in chosen],
        labels=data.target[chosen] - wanted.start,
        class_names=[str(digit) for digit in wanted],
        load=DigitLoader(pixels, size),
        mirror_ok=False,
    )
