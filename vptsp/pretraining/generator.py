"""Endless batches of generated classes: half handwriting, half things."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from vptsp.pretraining.glyphs import Glyphs
from vptsp.pretraining.objects import Things


def batch(classes: int, copies: int, size: int, g: torch.Generator, nuisance: float = 1.0) -> Tensor:
    """``classes * copies`` images ``B 3 size size`` in [0, 1] of new classes, copies side by side.

    The first half of the classes are glyphs, the others things. Only ``g`` decides what comes out.
    """
    glyphs = Glyphs.sample(classes // 2, g).render(copies, size, g, nuisance)
    things = Things.sample(classes - classes // 2, g).render(copies, size, g, nuisance)
    return torch.cat([glyphs, things])


def stream(
    classes: int, copies: int, size: int, seed: int, device: str = "cpu", nuisance: float = 1.0
) -> Iterator[Tensor]:
    """Batches without end, the same ones for the same seed."""
    g = torch.Generator(device).manual_seed(seed)
    while True:
        yield batch(classes, copies, size, g, nuisance)
