"""Generated things: layered, coloured, textured shapes, alone or in piles, in front of clutter.

A class is a body with a few parts on it. Every layer is a superellipse whose outline may wave like a
petal, filled with two colours mixed by stripes or blotches. A photograph of it varies place, pose, size,
light, background and what stands in front.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from vptsp.pretraining.draws import cloud, coordinates, normal, photograph, pick, uniform

LAYERS, WAVES = 4, 5


@dataclass
class Things:
    """C random classes; every field has one row per class. The first layer is the body."""

    centre: Tensor  # C L 2   relative to the body
    radius: Tensor  # C L 2   half axes
    angle: Tensor  # C L
    power: Tensor  # C L     superellipse exponent: 1 diamond, 2 ellipse, 8 box
    wave: Tensor  # C L 2   height and count of the outline's lobes
    colour: Tensor  # C L 2 3
    stripe: Tensor  # C L 2   frequency vector of the stripes
    blotch: Tensor  # C L     share of smooth noise in the colour mix
    relief: Tensor  # C L     how round the layer is lit
    tiles: Tensor  # C       the object repeats tiles x tiles times

    @staticmethod
    def sample(count: int, g: torch.Generator) -> Things:
        shape = (count, LAYERS)
        body = torch.zeros(shape, device=g.device)
        body[:, 0] = 1
        size = body * uniform(shape, 0.5, 0.9, g) + (1 - body) * uniform(shape, 0.12, 0.45, g)
        stretch = (0.35 * normal(shape, g)).exp()
        boxy = pick((count, 1), 0.4, g)
        power = torch.where(boxy + pick(shape, 0.2, g) > 0, uniform(shape, 4, 9, g), uniform(shape, 1.4, 2.6, g))
        turned = pick(shape, 0.4, g) * (1 - boxy) * uniform(shape, 0, math.pi, g)
        heading, pitch = uniform(shape, 0, math.pi, g), uniform(shape, 3, 16, g)
        tiles = 1 + pick((count,), 0.45, g) * torch.randint(1, 4, (count,), generator=g, device=g.device)
        return Things(
            centre=(1 - body).unsqueeze(-1) * uniform((*shape, 2), -0.55, 0.55, g),
            radius=torch.stack([size * stretch, size / stretch], -1).clamp(0.08, 0.95),
            angle=turned,
            power=power,
            wave=torch.stack(
                [
                    pick(shape, 0.3, g) * uniform(shape, 0.05, 0.4, g),
                    torch.randint(2, 9, shape, generator=g, device=g.device).float(),
                ],
                -1,
            ),
            colour=palette(count, g),
            stripe=torch.stack([heading.cos(), heading.sin()], -1) * (pick(shape, 0.4, g) * pitch).unsqueeze(-1),
            blotch=pick(shape, 0.5, g) * uniform(shape, 0.1, 0.6, g),
            relief=(1 - boxy) * uniform(shape, 0, 0.7, g),
            tiles=tiles,
        )

    def render(self, copies: int, size: int, g: torch.Generator, nuisance: float = 1.0) -> Tensor:
        """``C * copies`` RGB images in [0, 1], the copies of a class side by side."""
        again = Things(**{k: v.repeat_interleave(copies, 0) for k, v in vars(self).items()})
        count = len(again.tiles)
        image = backdrop(count, size, g)
        u, v = again.pose(size, nuisance, g)
        noise = cloud(count, LAYERS, size, g)
        jitter = 0.05 * nuisance
        for i in range(LAYERS):
            mask, mix, light = again.layer(i, u, v, noise[:, i], jitter, g)
            first, second = again.colour[:, i].view(count, 2, 3, 1, 1).unbind(1)
            paint = (first + (second - first) * mix.unsqueeze(1)) * light.unsqueeze(1)
            image = image + (paint - image) * mask.unsqueeze(1)
        return photograph(occlude(image, g), g)

    def pose(self, size: int, nuisance: float, g: torch.Generator) -> tuple[Tensor, Tensor]:
        """Object coordinates ``B H W`` of every pixel: turned, zoomed, shifted, tilted, repeated."""
        count = len(self.tiles)
        axis = coordinates(size, g.device)
        x, y = axis.view(1, 1, -1), axis.view(1, -1, 1)
        angle = (0.2 * nuisance * normal((count, 1, 1), g)).clamp(-0.6, 0.6)
        zoom = (0.18 * nuisance * normal((count, 1, 1), g)).exp()
        shift = 0.16 * nuisance * normal((count, 2, 1, 1), g)
        tilt = 0.12 * nuisance * normal((count, 2, 1, 1), g)
        depth = zoom * (1 + tilt[:, 0] * x + tilt[:, 1] * y).clamp(0.5, 1.5)
        u = (angle.cos() * x - angle.sin() * y) * depth + shift[:, 0]
        v = (angle.sin() * x + angle.cos() * y) * depth + shift[:, 1]
        tiles = self.tiles.view(-1, 1, 1)
        many = tiles > 1
        v_tiled = (v + 1) * tiles / 2
        u_tiled = (u + 1) * tiles / 2 + 0.5 * (v_tiled.floor() % 2)
        return (
            torch.where(many, (u_tiled % 1) * 2.2 - 1.1, u),
            torch.where(many, (v_tiled % 1) * 2.2 - 1.1, v),
        )

    def layer(
        self, i: int, u: Tensor, v: Tensor, noise: Tensor, jitter: float, g: torch.Generator
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Coverage, colour mix and light of layer ``i`` at the object coordinates ``u, v``."""
        count = len(u)
        column = (count, 1, 1)
        moved = self.centre[:, i] + jitter * normal((count, 2), g)
        x, y = u - moved[:, 0].view(column), v - moved[:, 1].view(column)
        angle = self.angle[:, i].view(column) + 2 * jitter * normal(column, g)
        across, down = ((self.radius[:, i, k] * (2 * jitter * normal((count,), g)).exp()).view(column) for k in (0, 1))
        cos, sin = angle.cos(), angle.sin()
        a, b = (cos * x + sin * y) / across, (cos * y - sin * x) / down
        power = self.power[:, i].view(column)
        rho = ((a.abs() + 1e-4).log() * power).exp() + ((b.abs() + 1e-4).log() * power).exp()
        rho = (rho.log() / power).exp()
        height, count_ = self.wave[:, i, 0].view(column), self.wave[:, i, 1].view(column)
        edge = 1 + height * torch.cos(count_ * torch.atan2(b, a))
        inner = rho / edge
        mask = torch.sigmoid((1 - inner) * 25)
        fx, fy = self.stripe[:, i, 0].view(column), self.stripe[:, i, 1].view(column)
        stripes = torch.sigmoid(4 * torch.sin(fx * a + fy * b)) * ((fx.abs() + fy.abs()) > 0)
        mix = (stripes + self.blotch[:, i].view(column) * noise).clamp(0, 1)
        lit = 1.1 - self.relief[:, i].view(column) * (inner.clamp(0, 1.2) ** 2 + 0.35 * a)
        return mask, mix, lit.clamp(0.1, 1.6)


def palette(count: int, g: torch.Generator) -> Tensor:
    """``C L 2 3`` colours: one leading hue per class, its shades, and a few contrasts."""
    shape = (count, LAYERS, 2)
    lead = uniform((count, 1, 1), 0, 1, g)
    near = lead + 0.05 * normal(shape, g)
    hue = torch.where(pick(shape, 0.55, g) > 0, near, uniform(shape, 0, 1, g)) % 1
    grey = pick(shape, 0.25, g)
    saturation = (1 - grey) * uniform(shape, 0.25, 1, g) + grey * uniform(shape, 0, 0.15, g)
    return hsv(hue, saturation, uniform(shape, 0.15, 1, g))


def hsv(hue: Tensor, saturation: Tensor, value: Tensor) -> Tensor:
    """RGB on a new last axis; hue in turns."""
    offset = torch.tensor([5.0, 3.0, 1.0], device=hue.device)
    k = (offset + hue.unsqueeze(-1) * 6) % 6
    fade = torch.minimum(k, 4 - k).clamp(0, 1)
    return value.unsqueeze(-1) * (1 - saturation.unsqueeze(-1) * fade)


def backdrop(count: int, size: int, g: torch.Generator) -> Tensor:
    """A blotchy wall of two colours, or an empty one."""
    shape = (count,)
    ends = [hsv(uniform(shape, 0, 1, g), uniform(shape, 0, 0.6, g), uniform(shape, 0.05, 1, g)) for _ in "ab"]
    first, second = (e.view(count, 3, 1, 1) for e in ends)
    mix = torch.sigmoid(2 * cloud(count, 1, size, g)) * pick((count, 1, 1, 1), 0.7, g)
    return first + (second - first) * mix


def occlude(image: Tensor, g: torch.Generator) -> Tensor:
    """In one image of four, a bar or a corner of something else hides a part."""
    count, size = len(image), image.shape[-1]
    axis = coordinates(size, g.device)
    angle = uniform((count, 1, 1, 1), 0, 2 * math.pi, g)
    along = angle.cos() * axis.view(1, 1, 1, -1) + angle.sin() * axis.view(1, 1, -1, 1)
    cover = torch.sigmoid((along - uniform((count, 1, 1, 1), 0.45, 0.9, g)) * 40)
    cover = cover * pick((count, 1, 1, 1), 0.25, g)
    return image + (uniform((count, 3, 1, 1), 0, 1, g) - image) * cover
