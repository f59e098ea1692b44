"""Classical image descriptors, batched: the raw material of the pretraining targets.

Every function takes RGB images in [0, 1] and returns one row per image, power-normalised (Hellinger) and
of unit length, so that the descriptors can be weighed against each other before they are joined.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

Images = Float[Tensor, "B 3 H W"]
Features = Float[Tensor, "B F"]
Descriptor = Callable[[Images], Features]


def _unit(x: Tensor) -> Features:
    return F.normalize(x.flatten(1), dim=1)


def _hellinger(x: Tensor) -> Features:
    return _unit(x.flatten(1).clamp_min(0).sqrt())


def luminance(x: Images) -> Float[Tensor, "B 1 H W"]:
    """ITU-R BT.601 luma."""
    weights = x.new_tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)
    return (x * weights).sum(1, keepdim=True)


def orientation_energy(x: Images, bins: int = 8) -> Float[Tensor, "B bins H W"]:
    """Gradient magnitude, softly assigned to unsigned orientations (Dalal and Triggs, CVPR 2005).

    The two angles nearest to the gradient share its magnitude through a raised cosine of the doubled
    angle, which is smooth where hard bins jump.
    """
    grey = F.pad(luminance(x), (1, 1, 1, 1), mode="replicate")
    dx = grey[..., 1:-1, 2:] - grey[..., 1:-1, :-2]
    dy = grey[..., 2:, 1:-1] - grey[..., :-2, 1:-1]
    magnitude = (dx.square() + dy.square() + 1e-8).sqrt()
    cos2, sin2 = (dx.square() - dy.square()) / magnitude, 2 * dx * dy / magnitude
    angle = torch.arange(bins, device=x.device) * (2 * math.pi / bins)
    response = cos2 * angle.cos().view(1, -1, 1, 1) + sin2 * angle.sin().view(1, -1, 1, 1)
    sharpened = (response / (magnitude + 1e-4)).clamp_min(0) ** 4
    return sharpened * magnitude


def _pool(maps: Tensor, cells: int) -> Tensor:
    """Average over a grid of overlapping cells, each twice as wide as the grid's step."""
    step = maps.shape[-1] // cells
    return F.avg_pool2d(F.pad(maps, (step // 2,) * 4), 2 * step, stride=step)


def hog(x: Images, cells: int = 8, scale: int = 1) -> Features:
    """Histogram of oriented gradients on a ``cells x cells`` grid of the image shrunk ``scale`` times."""
    if scale > 1:
        x = F.avg_pool2d(x, scale)
    return _hellinger(_pool(orientation_energy(x), cells))


def colour_histogram(x: Images, levels: int = 4, cells: int = 1) -> Features:
    """Soft RGB histogram of ``levels**3`` bins, one per cell of a ``cells x cells`` grid."""
    x = F.avg_pool2d(x, 2)
    centres = torch.linspace(0, 1, levels, device=x.device).view(1, 1, levels, 1, 1)
    vote = (1 - (x.unsqueeze(2) - centres).abs() * (levels - 1)).clamp_min(0)  # B 3 levels H W
    r, g, b = vote.unbind(1)
    size, step = x.shape[-1], x.shape[-1] // cells

    def split(v: Tensor) -> Tensor:  # B levels H W -> (B cells cells) pixels levels
        v = v.unfold(2, step, step).unfold(3, step, step).permute(0, 2, 3, 4, 5, 1)
        return v.reshape(len(x) * cells * cells, step * step, levels)

    r, g, b = split(r), split(g), split(b)
    rg = (r.unsqueeze(3) * g.unsqueeze(2)).flatten(2)
    joint = torch.bmm(rg.transpose(1, 2), b) / size**2
    return _hellinger(joint.reshape(len(x), -1))


def colour_layout(x: Images, cells: int = 8) -> Features:
    """Mean opponent colours on a grid; hue counts twice as much as light."""
    grid = F.adaptive_avg_pool2d(x, cells)
    r, g, b = grid.unbind(1)
    opponent = torch.stack([(r + g + b) / 3 - 0.5, (r - g), (r + g) / 2 - b], 1)
    return opponent.flatten(1)


def binary_patterns(x: Images, scale: int = 1) -> Features:
    """Histogram of 256 soft local binary patterns (Ojala et al., PAMI 2002) at one scale."""
    grey = luminance(F.avg_pool2d(x, scale) if scale > 1 else x)[:, 0]
    size = grey.shape[-1]
    offsets = [(0, 0), (0, 1), (0, 2), (1, 2), (2, 2), (2, 1), (2, 0), (1, 0)]
    centre = grey[:, 1:-1, 1:-1]
    code = torch.zeros_like(centre, dtype=torch.long)
    for bit, (i, j) in enumerate(offsets):
        neighbour = grey[:, i : i + size - 2, j : j + size - 2]
        code += (neighbour > centre + 0.02).long() << bit
    counts = torch.zeros(len(x), 256, device=x.device)
    counts.scatter_add_(1, code.flatten(1), torch.ones_like(code.flatten(1), dtype=counts.dtype))
    return _hellinger(counts)


def frequency_energy(x: Images) -> Features:
    """Energy in rings and sectors of the spectrum of each opponent colour, blind to place (a Gabor bank)."""
    r, g, b = x.unbind(1)
    planes = torch.stack([(r + g + b) / 3, r - g, (r + g) / 2 - b], 1)
    planes = planes - planes.mean((-1, -2), keepdim=True)
    power = torch.fft.rfft2(planes).abs().square()
    size = x.shape[-1]
    fy = torch.fft.fftfreq(size, device=x.device).view(-1, 1) * size
    fx = torch.fft.rfftfreq(size, device=x.device).view(1, -1) * size
    ring = ((fx**2 + fy**2).sqrt() + 1e-6).log2().clamp(0, 4.99).long()
    sector = ((torch.atan2(fy, fx) / math.pi + 0.5) * 6).long() % 6
    bank = F.one_hot((ring * 6 + sector).flatten(), 30).to(x.dtype)
    return _unit(((power.flatten(2) @ bank) / size**4 + 1e-8).sqrt().sqrt())


def describe(x: Images) -> Features:
    """All descriptors side by side, each weighed by how much its likeness should count."""
    return torch.cat(
        [
            hog(x, 8, 2),
            0.7 * hog(x, 8),
            0.5 * hog(x, 4, 2),
            1.2 * colour_histogram(x, 6),
            0.3 * colour_histogram(x, 4, 2),
            0.1 * colour_layout(x, 4),
            0.4 * binary_patterns(x, 2),
            0.5 * frequency_energy(x),
        ],
        1,
    )
