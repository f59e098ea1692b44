"""Blossoms: fine-grained flower photographs that never were, rendered on the fly.

A class is a species (blossom_species.py); an image shows one specimen of it in its own pose, light,
surroundings and weather. An image is a function of (seed, class, image number) and shows the same
scene at every size.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter

from vptsp.data.blossom_paint import (
    Array,
    Pose,
    Whorl,
    as_colour,
    blend,
    clamp,
    paint_centre,
    paint_leaf,
    paint_whorl,
    smooth,
)
from vptsp.data.blossom_species import COLOURS, Species, attribute_table, grow_species, name_species
from vptsp.data.image_set import ImageSet, Parts, drawn_side
from vptsp.data.kept_drawings import KeptDrawings
from vptsp.data.settings import DataConfig
from vptsp.errors import ConfigError

CACHE_BYTES = 1 << 29
_DRAWN_BY = (__name__, "vptsp.data.blossom_paint", "vptsp.data.blossom_species")
TURN = 2 * math.pi
PALETTE = np.array(list(COLOURS.values()), np.float32)
GREEN, DRY = np.array([[0.30, 0.52, 0.14], [0.55, 0.36, 0.12]], np.float32)
# Two colours that a background wanders between: meadow, shade, dusk, soil, sky, stone, straw, snow.
SCENES = np.array(
    [
        [[0.10, 0.22, 0.05], [0.48, 0.62, 0.20]],
        [[0.03, 0.10, 0.05], [0.20, 0.34, 0.16]],
        [[0.07, 0.09, 0.20], [0.35, 0.33, 0.52]],
        [[0.14, 0.09, 0.05], [0.50, 0.37, 0.24]],
        [[0.42, 0.60, 0.86], [0.88, 0.93, 0.98]],
        [[0.28, 0.28, 0.29], [0.68, 0.66, 0.62]],
        [[0.48, 0.34, 0.12], [0.92, 0.78, 0.44]],
        [[0.62, 0.68, 0.76], [0.96, 0.97, 0.98]],
    ],
    np.float32,
)


@lru_cache(maxsize=8)
def _axis(size: int) -> Array:
    return ((np.arange(size, dtype=np.float32) + 0.5) * (2 / size) - 1).astype(np.float32)


def _between(rng: np.random.Generator, *ranges: tuple[float, float]) -> list[float]:
    """One number from each range; plain floats, which leave float32 arrays as they are."""
    shares = rng.random(len(ranges)).tolist()
    return [low + (high - low) * share for (low, high), share in zip(ranges, shares, strict=True)]


def _cloud(rng: np.random.Generator, cells: int, size: int) -> Array:
    """Smooth noise in 0..1, float32 (size, size)."""
    grid = Image.fromarray(rng.random((cells, cells), dtype=np.float32))
    return clamp(np.asarray(grid.resize((size, size), Image.Resampling.BICUBIC)))


def _leaf_colour(rng: np.random.Generator) -> Array:
    dry, strength = _between(rng, (0, 1), (0.55, 1.3))
    shift = rng.random(3, dtype=np.float32) * 0.18 - 0.08
    return (DRY if dry < 0.15 else GREEN + shift) * strength


def _background(rng: np.random.Generator, size: int, at: tuple[float, float]) -> Array:
    axis = _axis(size)
    dark, light = SCENES[rng.integers(len(SCENES))]
    across, upward = _between(rng, (-0.35, 0.35), (-0.35, 0.35))
    mix = 0.75 * _cloud(rng, 4, size) + 0.4 * _cloud(rng, 13, size) - 0.1
    mix += across * axis + (upward * axis)[:, None]
    canvas = as_colour(dark) + clamp(mix) * as_colour(light - dark)
    for _ in range(rng.integers(0, 5)):  # other flowers and glints, out of focus
        x, y, r, opacity = _between(rng, (-1, 1), (-1, 1), (0.07, 0.30), (0.3, 0.9))
        colour = as_colour(PALETTE[rng.integers(len(PALETTE))]) * _between(rng, (0.5, 1.0))[0]
        distance = np.sqrt((axis - x) ** 2 + ((axis - y) ** 2)[:, None])
        blend(canvas, colour, smooth(distance, r * 1.25, r * 0.75) * opacity)
    for _ in range(rng.integers(2, 8)):
        x, y, angle, length = _between(rng, (-1.1, 1.1), (-1.1, 1.1), (0, TURN), (0.4, 1.3))
        slim, bend, soft = _between(rng, (0.06, 0.30), (-0.3, 0.3), (0.5, 5.0))
        softness = soft / 32 if soft > 2 else 2 / size
        paint_leaf(canvas, axis, axis, (x, y), angle, length, length * slim, bend, _leaf_colour(rng), softness)
    down, bend = _between(rng, (TURN / 4 - 0.7, TURN / 4 + 0.7), (-0.15, 0.15))
    start = (at[0] - 0.25 * math.cos(down), at[1] - 0.25 * math.sin(down))
    paint_leaf(canvas, axis, axis, start, down, 3.0, 0.05, bend, _leaf_colour(rng) * 0.9, 2 / size)
    return canvas


def _flower(canvas: Array, rng: np.random.Generator, species: Species, at: tuple[float, float]) -> None:
    size = canvas.shape[-1]
    reach, roll, tilt, towards = _between(rng, (0.46, 0.92), (0, TURN), (0, 1.0), (0, TURN))
    cup, light_from = _between(rng, (0, 0.22), (0, TURN))
    whorls = [
        Whorl(
            length=0.72**layer,
            turn=layer * math.pi / species.petals,
            lengths=rng.normal(1, 0.035, species.petals).clip(0.9, 1.1).astype(np.float32),
            brightness=(rng.normal(1, 0.04, species.petals) * (0.93 + 0.06 * layer)).astype(np.float32),
        )
        for layer in range(species.layers)
    ]
    # Only the square around the flower is worked on.
    axis = _axis(size)
    x0, x1 = np.searchsorted(axis, (at[0] - 1.15 * reach, at[0] + 1.15 * reach))
    y0, y1 = np.searchsorted(axis, (at[1] - 1.15 * reach, at[1] + 1.15 * reach))
    x, y = (axis[x0:x1] - at[0]) * (1 / reach), ((axis[y0:y1] - at[1]) * (1 / reach))[:, None]
    # Seen from the side: turn the tilt direction upright, undo perspective, foreshortening and cup.
    c, s = math.cos(towards), math.sin(towards)
    u, v = x * c + y * s, y * c - x * s
    nearer = 1 / (1 - 0.22 * math.sin(tilt) * v)
    u, v = u * nearer, v * nearer * (1 / math.cos(tilt))
    v = v - cup * math.tan(tilt) * np.minimum(u * u + v * v, 1.2)
    pose = Pose(
        radius=np.sqrt(u * u + v * v),
        angle=np.arctan2(v, u) + roll,
        pixel=2 / size / reach / math.sqrt(math.cos(tilt)),
        light=(math.cos(light_from), math.sin(light_from)),
    )
    part = canvas[:, y0:y1, x0:x1]
    part *= 1 - 0.30 * smooth(pose.radius, 1.15, 0.5)
    for whorl in whorls:
        paint_whorl(part, species, pose, whorl)
    paint_centre(part, species, pose, roll)


def _occlusion(canvas: Array, rng: np.random.Generator) -> None:
    size = canvas.shape[-1]
    axis = _axis(size)
    for _ in range((0, 0, 1, 1, 2)[rng.integers(5)]):
        around, angle, length = _between(rng, (0, TURN), (-0.7, 0.7), (0.8, 1.5))
        slim, bend, soft = _between(rng, (0.05, 0.20), (-0.3, 0.3), (1, 4))
        base, angle = (1.35 * math.cos(around), 1.35 * math.sin(around)), around + TURN / 2 + angle
        blade = rng.random() < 0.5  # a long blade across the flower, or the tip of a leaf over its rim
        length, slim = (2.4, slim * 0.35) if blade else (length, slim)
        colour = _leaf_colour(rng)
        paint_leaf(canvas, axis, axis, base, angle, length, length * slim, bend, colour, soft / 32)


def _photograph(canvas: Array, rng: np.random.Generator) -> Array:
    """Light, exposure, focus and sensor; uint8 (size, size, 3)."""
    size = canvas.shape[-1]
    axis = _axis(size)
    warmth, tint, exposure = _between(rng, (-0.20, 0.20), (-0.07, 0.07), (-0.40, 0.28))
    slope, direction = _between(rng, (0, 0.35), (0, TURN))
    gain = np.exp(np.array([exposure + warmth, exposure + tint, exposure - warmth], np.float32))
    light = 1 + slope * (axis * math.cos(direction) + (axis * math.sin(direction))[:, None])
    if rng.random() < 0.35:  # light through leaves
        light = light * (0.62 + 0.55 * smooth(_cloud(rng, 6, size), 0.35, 0.65))
    canvas = canvas * (as_colour(gain) * light)
    blur, grain = _between(rng, (0, 0.9), (1, 6))
    noise = rng.standard_normal((size, size), dtype=np.float32) * grain
    pixels = np.ascontiguousarray((clamp(canvas) * 255).astype(np.uint8).transpose(1, 2, 0))
    if blur > 0.35:
        radius = blur * size / 96
        pixels = np.asarray(Image.fromarray(pixels).filter(ImageFilter.GaussianBlur(radius)))
    return np.clip(pixels + noise[..., None], 0, 255).astype(np.uint8)


def render(species: Species, size: int, seed: int, label: int, number: int) -> Array:
    """Image ``number`` of class ``label``, uint8 RGB (size, size, 3)."""
    rng = np.random.default_rng([seed, label, number])
    x, y = _between(rng, (-0.22, 0.22), (-0.22, 0.22))
    canvas = _background(rng, size, (x, y))
    _flower(canvas, rng, species, (x, y))
    _occlusion(canvas, rng)
    return _photograph(canvas, rng)


@dataclass
class BlossomLoader:
    """Renders image ``position`` and keeps it, in memory up to half a gibibyte of images, and on disk."""

    species: list[Species]
    first_label: int
    images: int
    size: int
    seed: int
    kept: KeptDrawings
    cache: dict[int, Array] = field(default_factory=dict, repr=False)

    def __call__(self, position: int) -> Image.Image:
        pixels = self.cache.get(position)
        if pixels is None:
            pixels = self.kept.get(position)
            if pixels is None:
                label, number = divmod(position, self.images)
                pixels = render(self.species[label], self.size, self.seed, self.first_label + label, number)
                self.kept.keep(position, pixels)
            if (len(self.cache) + 1) * pixels.nbytes <= CACHE_BYTES:
                self.cache[position] = pixels
        return Image.fromarray(pixels)


@lru_cache(maxsize=2)  # one flora serves a run and its baselines without being drawn again
def blossom_sets(classes: int, images: int, image_size: int, seed: int = 0) -> tuple[ImageSet, ImageSet]:
    """Train (the first half of ``classes`` species) and test (the others), ``images`` of each.

    ``seed`` chooses the flora; it is apart from a run's own seed, so that repeated runs see the same data.
    Raises ConfigError for fewer than 4 classes, 1 image, or images too small to show a flower.
    """
    if classes < 4 or images < 1 or image_size < 16:
        raise ConfigError(
            f"blossoms_classes={classes}, blossoms_images={images}, image_size={image_size}: blossoms needs "
            "at least 4 classes (2 to train on, 2 to test on), 1 image per class and 16 pixels"
        )
    species = grow_species(classes, seed)
    names = name_species(species)
    table = attribute_table(species, names)
    half = classes // 2
    set_name = f"blossoms-{seed}-{classes}-{images}-{image_size}"

    def part(split: str, start: int, stop: int) -> ImageSet:
        return ImageSet(
            name=f"blossoms/{split}",
            ids=[f"{split}/{c}/{n:04d}" for c in names[start:stop] for n in range(images)],
            labels=np.repeat(np.arange(stop - start), images),
            class_names=names[start:stop],
            load=BlossomLoader(
                species[start:stop],
                start,
                images,
                image_size,
                seed,
                KeptDrawings(f"{set_name}-{split}", images * (stop - start), image_size, _DRAWN_BY),
            ),
            attributes=table.iloc[start:stop],
        )

    return part("train", 0, half), part("test", half, classes)


def blossoms(config: DataConfig, root: Path) -> Parts:
    """The set of a configuration; it is drawn, so there is no ``root``."""
    return Parts(*blossom_sets(config.blossoms_classes, config.blossoms_images, drawn_side(config.image_size)))
