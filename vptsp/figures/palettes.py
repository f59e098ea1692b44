"""Colours of categories and numbers, in the light and in the dark theme: those of every map, figure or view."""

from __future__ import annotations

import numpy as np

from vptsp.figures.signs_and_colours import CATEGORIES_DARK, CATEGORIES_LIGHT


def palette(count: int, dark: bool) -> np.ndarray:
    """Colours (count, 3) uint8 for categories: seven that everybody can tell apart, then hues by the golden ratio."""
    named = CATEGORIES_DARK if dark else CATEGORIES_LIGHT
    first = np.array([list(bytes.fromhex(colour[1:])) for colour in named])[:count] / 255
    number = np.arange(max(0, count - len(first)))
    hue = 2 * np.pi * (0.07 + number * 0.61803)
    lightness = np.array((0.70, 0.84, 0.77) if dark else (0.42, 0.62, 0.53))[number % 3]
    return (255 * np.concatenate([first, _oklch(lightness, 0.125, hue)]) + 0.5).astype(np.uint8)


def palette_for_both(count: int) -> list[str]:
    """The same categories for figures that stand on either page, as CSS colours.

    Between the light and the dark ones, with contrasts of at least 2.5 to white and 3 to #111.
    """
    between = 0.7 * palette(count, dark=False) + 0.3 * palette(count, dark=True)
    return [f"#{red:02x}{green:02x}{blue:02x}" for red, green, blue in between.round().astype(int).tolist()]


def ramp(dark: bool) -> np.ndarray:
    """256 colours (256, 3) uint8 for numbers: viridis without the end that the page would swallow."""
    from matplotlib import colormaps  # late: a plotly figure needs no matplotlib

    low, high = (0.22, 1.0) if dark else (0.0, 0.86)
    return (255 * colormaps["viridis"](np.linspace(low, high, 256))[:, :3] + 0.5).astype(np.uint8)


def _oklch(lightness: np.ndarray, chroma: float, hue: np.ndarray) -> np.ndarray:
    """OKLCH to sRGB in 0..1, clipped to the gamut (B. Ottosson, A perceptual color space, 2020)."""
    a, b = chroma * np.cos(hue), chroma * np.sin(hue)
    cones = np.stack(
        [
            lightness + 0.3963377774 * a + 0.2158037573 * b,
            lightness - 0.1055613458 * a - 0.0638541728 * b,
            lightness - 0.0894841775 * a - 1.2914855480 * b,
        ]
    )
    matrix = np.array(
        [
            [4.0767416621, -3.3077115913, 0.2309699292],
            [-1.2684380046, 2.6097574011, -0.3413193965],
            [-0.0041960863, -0.7034186147, 1.7076147010],
        ]
    )
    linear = (matrix @ cones**3).clip(0, 1).T
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
