"""Generated handwriting: random characters, each drawn by many random writers.

A character is up to five strokes; a stroke is a path whose heading turns at a slowly changing rate, with
at most one corner. Most strokes start on an earlier one, as they do in real scripts. A writer perturbs
every stroke and the whole, and picks pen and paper.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from vptsp.pretraining.draws import coordinates, normal, photograph, pick, uniform

STROKES, POINTS = 5, 36


@dataclass
class Glyphs:
    """C random characters; every field has one row per character."""

    used: Tensor  # C S      1 where the stroke exists
    heading: Tensor  # C S      direction at the start, radians
    bend: Tensor  # C S 2    total turn, and its change along the stroke, radians
    corner: Tensor  # C S 2    size (radians) and place (0..1) of a sharp turn
    length: Tensor  # C S      in half image widths
    start: Tensor  # C S 2    free start
    parent: Tensor  # C S      place (0..1) on the previous stroke; negative for a free start

    @staticmethod
    def sample(count: int, g: torch.Generator) -> Glyphs:
        shape = (count, STROKES)
        number = torch.randint(1, STROKES + 1, (count, 1), generator=g, device=g.device)
        straight = pick(shape, 0.4, g)
        eighth = torch.randint(0, 8, shape, generator=g, device=g.device) * (math.pi / 4)
        heading = torch.where(pick(shape, 0.6, g) > 0, eighth, uniform(shape, 0, 2 * math.pi, g))
        bend = normal((*shape, 2), g) * g_tensor([2.0, 1.5], g)
        loop = pick(shape, 0.12, g) * 5.5 * torch.sign(bend[..., 0])
        corner = pick(shape, 0.3, g) * torch.sign(normal(shape, g)) * uniform(shape, 1.0, 2.6, g)
        attached = pick(shape, 0.65, g)
        return Glyphs(
            used=(torch.arange(STROKES, device=g.device) < number).float(),
            heading=heading,
            bend=torch.stack([(bend[..., 0] + loop), bend[..., 1]], -1) * (1 - straight).unsqueeze(-1),
            corner=torch.stack([corner, uniform(shape, 0.25, 0.75, g)], -1),
            length=uniform(shape, 0.35, 1.6, g),
            start=uniform((*shape, 2), -0.7, 0.7, g),
            parent=torch.where(attached > 0, uniform(shape, 0, 1, g), -torch.ones(shape, device=g.device)),
        )

    def paths(self, copies: int, spread: Float[Tensor, " B"], g: torch.Generator) -> Tensor:
        """Pen positions ``B S P 2`` of ``copies`` writers per character (B = C * copies)."""
        again = {k: v.repeat_interleave(copies, 0) for k, v in vars(self).items()}
        shape = again["used"].shape
        s = spread.view(-1, 1)
        t = torch.linspace(0, 1, POINTS, device=g.device)
        bend, corner = again["bend"], again["corner"]
        turn = bend[..., :1] * (1 + 0.15 * s * normal(shape, g)).unsqueeze(-1) * t
        turn = turn + (bend[..., 1:] + (0.35 * s * normal(shape, g)).unsqueeze(-1)) * (t - 0.5) ** 2 * 2
        place = corner[..., 1:] + (0.06 * s * normal(shape, g)).unsqueeze(-1)
        turn = turn + corner[..., :1] * torch.sigmoid((t - place) * 40)
        heading = (again["heading"] + 0.14 * s * normal(shape, g)).unsqueeze(-1) + turn
        step = (again["length"] * (0.18 * s * normal(shape, g)).exp()).unsqueeze(-1) / POINTS
        path = (torch.stack([heading.cos(), heading.sin()], -1) * step.unsqueeze(-1)).cumsum(2)
        start = again["start"] + 0.1 * s.unsqueeze(-1) * normal((*shape, 2), g)
        slip = 0.05 * s * normal((len(s), 2), g)
        strokes = [path[:, 0] + start[:, 0].unsqueeze(1)]
        for i in range(1, STROKES):  # each stroke may hang on the one before
            at = (again["parent"][:, i].clamp_min(0) * (POINTS - 1)).long()
            hook = strokes[-1][torch.arange(len(s), device=g.device), at] + slip
            hangs = (again["parent"][:, i] >= 0).unsqueeze(1)
            strokes.append(path[:, i] + torch.where(hangs, hook, start[:, i]).unsqueeze(1))
        return torch.stack(strokes, 1)

    def render(self, copies: int, size: int, g: torch.Generator, nuisance: float = 1.0) -> Tensor:
        """``C * copies`` RGB images in [0, 1], the copies of a character side by side."""
        count = len(self.used) * copies
        spread = uniform((count,), 0.4, 1.3, g) * nuisance
        xy = self.paths(copies, spread, g)
        used = self.used.repeat_interleave(copies, 0)
        xy = place(xy, used, nuisance, g)
        thick = uniform((count, 1, 1), 0.018, 0.034, g) * 64 / min(size, 64)
        grid = coordinates(size, g.device)
        across, down = (torch.exp(-(((xy[..., i].flatten(1).unsqueeze(-1) - grid) / thick) ** 2) / 2) for i in (0, 1))
        gap = (xy[:, :, 1:] - xy[:, :, :-1]).norm(dim=-1)
        weight = (torch.cat([gap, gap[:, :, -1:]], 2) * used.unsqueeze(-1)).flatten(1) / thick[:, 0]
        density = torch.bmm((down * weight.unsqueeze(-1)).transpose(1, 2), across)  # B y x
        ink = torch.sigmoid((density - 1.1) * 5).unsqueeze(1)
        paper, pen = colours(count, g)
        image = paper + (pen - paper) * ink
        return torch.where(plain(count, g), image, photograph(image, g))


def g_tensor(values: list[float], g: torch.Generator) -> Tensor:
    return torch.tensor(values, device=g.device)


def place(xy: Tensor, used: Tensor, nuisance: float, g: torch.Generator) -> Tensor:
    """Centre the drawing in the image, at a random size, slant and place."""
    count = len(xy)
    far = (1 - used).view(count, STROKES, 1, 1) * 1e3
    low, high = (xy + far).amin((1, 2)), (xy - far).amax((1, 2))
    extent = (high - low).amax(1).clamp_min(0.3).view(-1, 1, 1, 1)
    xy = (xy - ((low + high) / 2).view(-1, 1, 1, 2)) / extent * 2
    angle, shear = 0.12 * nuisance * normal((count,), g), 0.12 * nuisance * normal((count,), g)
    aspect = (0.12 * nuisance * normal((count,), g)).exp()
    size = uniform((count,), 0.42, 0.78, g)
    cos, sin = angle.cos(), angle.sin()
    linear = torch.stack([torch.stack([cos * aspect, shear - sin], 1), torch.stack([sin, cos / aspect], 1)], 1)
    shift = 0.12 * nuisance * normal((count, 1, 1, 2), g)
    return torch.einsum("bspi,bji->bspj", xy, linear * size.view(-1, 1, 1)) + shift


def plain(count: int, g: torch.Generator) -> Tensor:
    """Which images stay as clean as a scanned page."""
    return pick((count, 1, 1, 1), 0.75, g) > 0


def colours(count: int, g: torch.Generator) -> tuple[Tensor, Tensor]:
    """Paper and pen colours: mostly black on white, sometimes tinted, sometimes inverted."""
    shape = (count, 3, 1, 1)
    paper, pen = torch.ones(shape, device=g.device), torch.zeros(shape, device=g.device)
    tinted = pick((count, 1, 1, 1), 0.3, g) > 0
    paper = torch.where(tinted, 1 - uniform(shape, 0, 0.4, g), paper)
    pen = torch.where(tinted, uniform(shape, 0, 0.5, g), pen)
    inverted = pick((count, 1, 1, 1), 0.15, g) > 0
    return torch.where(inverted, pen, paper), torch.where(inverted, paper, pen)
