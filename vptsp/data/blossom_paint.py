"""Painting a flower's parts into a float image (3, H, W) with smooth edges, all in array maths.

Every shape is a distance ``d`` to its outline in some unit (positive inside), turned into an opacity
``clip(d / softness + 1/2)``; one pixel of softness is an anti-aliased edge.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from vptsp.data.blossom_species import CENTRE_COLOURS, COLOURS, Species

Array = np.ndarray
LUT = 512


def clamp(x: Array) -> Array:
    """``x`` cut to 0..1; on small arrays several times faster than np.clip."""
    return np.minimum(np.maximum(x, 0), 1)


def smooth(x: Array, low: float, high: float) -> Array:
    """0 below ``low``, 1 above ``high``, smooth between (``low`` > ``high`` falls instead)."""
    t = clamp((x - low) * (1 / (high - low)))
    return t * t * (3 - 2 * t)


def blend(canvas: Array, colour: Array, opacity: Array) -> None:
    """Lays ``colour``, (3, 1, 1) or (3, H, W), over the canvas (3, H, W) with ``opacity`` (H, W)."""
    canvas += opacity * (colour - canvas)


def as_colour(rgb: Array | tuple[float, float, float]) -> Array:
    return np.asarray(rgb, np.float32).reshape(3, 1, 1)


@lru_cache(maxsize=1024)
def petal_profile(shape: str, width: float) -> tuple[Array, Array]:
    """Half-width of a petal along its axis (0..1), float32 (512,), and the factor that turns a
    difference in half-width into a distance to the outline."""
    x = np.linspace(0, 1, LUT)
    powers = {"round": (0.7, 0.45), "oval": (0.75, 0.62), "strap": (0.35, 0.25), "lance": (0.8, 1.1)}
    if shape == "spoon":
        bowl = np.sqrt(np.clip(1 - ((x - 0.70) / 0.30) ** 2, 0, 1))
        profile = np.maximum(bowl, 0.34 * x**0.3 * (1 - x) ** 0.1)
    elif shape == "heart":
        profile = x**0.85 * (1 - x) ** 0.30
    elif shape == "fringed":
        profile = x**0.95 * (1 - x) ** 0.16
    else:
        rise, fall = powers[shape]
        profile = x**rise * (1 - x) ** fall
    half = width * profile / profile.max()
    slope = np.gradient(half, x)
    return half.astype(np.float32), (1 / np.sqrt(1 + np.minimum(slope, 50) ** 2)).astype(np.float32)


@dataclass(frozen=True)
class Pose:
    """The flower's own plane seen through one crop of the image: polar coordinates (H, W), the size
    of a pixel in that plane, and the direction to the light in it."""

    radius: Array
    angle: Array
    pixel: float
    light: tuple[float, float]


@dataclass(frozen=True)
class Whorl:
    """One ring of petals of one image: its size, turn, and each petal's own deviations (N,)."""

    length: float
    turn: float
    lengths: Array
    brightness: Array


def _petal(
    species: Species, pose: Pose, whorl: Whorl, index: Array, bend: Array, half_width: float
) -> tuple[Array, Array, Array, Array]:
    """Petal ``index`` (H, W) at angle ``bend`` from its axis: distance to the outline, place along the
    axis (0..1), place across it (-1..1), light."""
    scale = 1 / (whorl.length * whorl.lengths[index])
    r = pose.radius * scale
    along, across = r * np.cos(bend), r * np.sin(bend)
    t = across * (1 / half_width)
    end = along
    if species.petal_shape == "heart":
        cleft = np.maximum(1 - 1.5 * np.abs(t), 0)
        end = along + 0.26 * along * cleft * (2 - cleft)
    elif species.petal_shape == "fringed":
        end = along * (1 + 0.05 * np.abs(np.sin(t * 6.5 + index)))
    half, normal = petal_profile(species.petal_shape, half_width)
    place = (clamp(end) * (LUT - 1)).astype(np.int32)
    w = half[place]
    gap = w - np.abs(across)
    # Past the outline the slope of a blunt tip says nothing about distance.
    d = np.minimum(gap * np.where(gap > 0, normal[place], 0.7), 1 - end) * whorl.length
    t = np.minimum(np.maximum(across / (w + 0.02), -1), 1)
    # A petal is a shallow trough that rises outwards: one side and one end face the light.
    axis = (np.arange(species.petals) + 0.5) * (2 * math.pi / species.petals) + whorl.turn
    facing = (np.cos(axis) * pose.light[0] + np.sin(axis) * pose.light[1]).astype(np.float32)[index]
    aside = (np.cos(axis) * pose.light[1] - np.sin(axis) * pose.light[0]).astype(np.float32)[index]
    light = whorl.brightness[index] * (0.76 + 0.34 * np.sqrt(clamp(along)))
    light *= 1 + 0.20 * t * aside - 0.22 * facing * (along - 0.3)
    light *= 1 - 0.14 * np.maximum(1 - 5 * np.abs(t), 0) * (1 - along)
    return d, np.minimum(along, 1), t, light


def _petal_colour(species: Species, along: Array, t: Array, index: Array) -> Array:
    base, second = as_colour(COLOURS[species.petal_colour]), as_colour(COLOURS[species.second_colour])
    side = np.abs(t)
    if species.pattern == "throat":
        share = smooth(along, 0.66, 0.36)
    elif species.pattern == "tipped":
        share = smooth(along, 0.58, 0.82)
    elif species.pattern == "edged":
        share = np.maximum(smooth(side, 0.50, 0.72), smooth(along, 0.80, 0.92))
    elif species.pattern == "rayed":
        share = smooth(side + 0.5 * along, 0.66, 0.42)
    elif species.pattern == "banded":
        share = smooth(np.abs(along - 0.62), 0.17, 0.08)
    else:
        share = np.zeros_like(along)
    colour = base + share * (second - base)
    if species.texture == "veined":
        line = np.maximum(np.cos(t * 9.5), 0) ** 2 * smooth(along, 1.0, 0.7)
        colour *= 1 - line * as_colour((0.34, 0.46, 0.34))
    elif species.texture == "spotted":
        dots = smooth(np.sin(along * 22 + index) * np.cos(t * 6 + 1.7 * index), 0.25, 0.55)
        colour += dots * (as_colour((0.34, 0.05, 0.12)) - colour) * 0.85
    return colour


def paint_whorl(canvas: Array, species: Species, pose: Pose, whorl: Whorl) -> None:
    """One ring of petals, each lying over its neighbour on one side, as in a pinwheel."""
    sector = 2 * math.pi / species.petals
    reach = {"strap": 0.5, "lance": 0.5}.get(species.petal_shape, 0.68)
    half_width = float(min(species.petal_width * reach * math.tan(min(sector / 2, 0.75)), 0.5))
    turned = (pose.angle - whorl.turn) * (1 / sector) - 0.5
    before = np.floor(turned)
    ahead = (turned - before) * sector
    lower = _petal(species, pose, whorl, (before.astype(np.int32) + 1) % species.petals, ahead - sector, half_width)
    index = before.astype(np.int32) % species.petals
    upper = _petal(species, pose, whorl, index, ahead, half_width)
    edge = 1 / pose.pixel
    canvas *= 1 - 0.38 * smooth(np.maximum(lower[0], upper[0]), -0.14, 0.02)
    for nth, (d, along, t, light) in enumerate((lower, upper)):
        if nth == 1:
            canvas *= 1 - 0.36 * smooth(d, -0.09, 0.0)
        number = index if nth else (index + 1) % species.petals
        colour = _petal_colour(species, along, t, number) * light
        blend(canvas, colour, clamp(d * edge + 0.5))


def paint_centre(canvas: Array, species: Species, pose: Pose, turn: float) -> None:
    """What sits where the petals meet."""
    size, colour = species.centre_size, as_colour(CENTRE_COLOURS[species.centre_colour])
    r, edge = pose.radius, 1 / pose.pixel
    inner = r * (1 / size)
    lit = np.cos(pose.angle) * pose.light[0] + np.sin(pose.angle) * pose.light[1]
    dome = (0.86 + 0.34 * lit * np.minimum(inner, 1)) * (1 - 0.30 * np.minimum(inner, 1.0) ** 4)
    shade = smooth(r, size * 1.45, size)
    canvas *= 1 - 0.35 * shade
    if species.centre == "stamens":
        small = 0.45 * size
        blend(canvas, as_colour((0.62, 0.70, 0.24)) * dome, clamp((small - r) * edge + 0.5))
        number = 9
        step = 2 * np.pi / number
        f = ((pose.angle + turn) * (1 / step)) % 1.0 - 0.5
        across = np.abs(f) * step * r
        stalk = np.minimum(0.018 - across, 1.5 * size - r)
        blend(canvas, as_colour((0.93, 0.92, 0.74)), clamp(stalk * edge + 0.5) * 0.8)
        anther = 0.30 * size - np.sqrt((r - 1.5 * size) ** 2 + (across * 0.8) ** 2)
        blend(canvas, colour, clamp(anther * edge + 0.5))
        return
    seeds = np.sin(8 * (pose.angle + turn) + 26 * inner) * np.sin(5 * (pose.angle + turn) - 22 * inner)
    if species.centre == "eye":
        blend(canvas, as_colour((0.16, 0.07, 0.12)), clamp((1.35 * size - r) * edge + 0.5) * 0.85)
        blend(canvas, colour * dome, clamp((0.80 * size - r) * edge + 0.5))
    elif species.centre == "cone":
        grain = 1 + 0.45 * seeds
        blend(canvas, colour * (dome * grain), clamp((1.2 * size - r) * edge + 0.5))
        blend(canvas, colour * 0.45, smooth(r, 0.62 * size, 0.38 * size) * 0.8)
    else:
        blend(canvas, colour * (dome * (1 + 0.12 * seeds)), clamp((size - r) * edge + 0.5))


def paint_leaf(
    canvas: Array,
    x: Array,
    y: Array,
    base: tuple[float, float],
    angle: float,
    length: float,
    width: float,
    bend: float,
    colour: Array,
    softness: float,
) -> None:
    """A leaf (or, very narrow, a blade or stem) from ``base`` towards ``angle``.

    ``x`` (W,) and ``y`` (H,) are the canvas's coordinates; lengths are in the same unit.
    """
    c, s = math.cos(angle), math.sin(angle)
    tip = (base[0] + length * c, base[1] + length * s)
    pad = width + abs(bend) * length * 0.5 + softness
    x0, x1 = np.searchsorted(x, (min(base[0], tip[0]) - pad, max(base[0], tip[0]) + pad))
    y0, y1 = np.searchsorted(y, (min(base[1], tip[1]) - pad, max(base[1], tip[1]) + pad))
    if x1 <= x0 or y1 <= y0:
        return
    dx, dy = x[x0:x1] - base[0], (y[y0:y1] - base[1])[:, None]
    along = (dx * c + dy * s) * (1 / length)
    across = dy * c - dx * s - bend * length * along * (1 - along) * 2
    hump = along * (1 - along) * 4
    side = across * (1 / width)
    away = np.abs(side)
    d = (hump * (1.15 - 0.3 * along) - away) * width
    opacity = np.minimum(clamp(d * (1 / softness) + 0.5), np.maximum(hump * 12, 0))
    light = 0.84 + 0.32 * clamp(side * 4 + 0.5) + 0.18 * np.maximum(1 - 9 * away, 0)
    light += 0.05 * np.sin(along * 40 - away * 6)
    blend(canvas[:, y0:y1, x0:x1], as_colour(colour) * light, opacity)
