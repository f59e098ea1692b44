"""Random draws and camera effects shared by the generators. Everything comes from one torch.Generator."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor


def uniform(shape: tuple[int, ...], low: float, high: float, g: torch.Generator) -> Tensor:
    return torch.rand(shape, generator=g, device=g.device) * (high - low) + low


def normal(shape: tuple[int, ...], g: torch.Generator) -> Tensor:
    return torch.randn(shape, generator=g, device=g.device)


def pick(shape: tuple[int, ...], chance: float, g: torch.Generator) -> Tensor:
    """Ones with the given probability, zeros elsewhere."""
    return (torch.rand(shape, generator=g, device=g.device) < chance).float()


def coordinates(size: int, device: torch.device) -> Float[Tensor, " size"]:
    """Pixel centres of one axis in [-1, 1]."""
    return (torch.arange(size, device=device) + 0.5) * (2 / size) - 1


def cloud(count: int, channels: int, size: int, g: torch.Generator) -> Float[Tensor, "B c H W"]:
    """Smooth noise of two octaves, about unit variance."""
    noise: Tensor = torch.zeros(1, device=g.device)
    for cells, weight in ((4, 0.8), (16, 0.6)):
        coarse = normal((count, channels, cells, cells), g) * (1.4 * weight)
        noise = noise + F.interpolate(coarse, size=(size, size), mode="bilinear", align_corners=False)
    return noise


def photograph(image: Float[Tensor, "B 3 H W"], g: torch.Generator) -> Float[Tensor, "B 3 H W"]:
    """Light, white balance, a shadow across the image, blur and sensor noise."""
    count, size = len(image), image.shape[-1]
    gain = (0.16 * normal((count, 1, 1, 1), g) + 0.05 * normal((count, 3, 1, 1), g)).exp()
    axis = coordinates(size, g.device)
    slope = 0.15 * normal((count, 2, 1, 1), g)
    shade = 1 + slope[:, :1] * axis.view(1, 1, 1, -1) + slope[:, 1:] * axis.view(1, 1, -1, 1)
    image = image * gain * shade
    blurred = F.avg_pool2d(F.pad(image, (1, 1, 1, 1), mode="replicate"), 3, stride=1)
    image = torch.where(pick((count, 1, 1, 1), 0.4, g) > 0, blurred, image)
    grain = uniform((count, 1, 1, 1), 0, 0.05, g) * normal((count, 1, size, size), g)
    return (image + grain).clamp(0, 1)
