"""A map in three dimensions as it is seen from the front once it is turned, as ``front/turning.js`` has it.

It is turned about its middle, by a unit quaternion (x, y, z, w) (Shoemake, "Animating rotation with quaternion curves",
SIGGRAPH 1985). The first two coordinates are then seen; the third one points to who looks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float64

AT_FIRST = (0.0, 0.0, 0.0, 1.0)


@dataclass(frozen=True)
class Sight:
    """What is seen of a map: places (N, 2) and those of proxies, ``depths`` (N,) from 0, farthest, to 1.

    ``middle`` (2,) and ``extent`` (2,) are those of the whole map, however it is turned; ``axes`` (3, 2) is where the
    axes point to.
    """

    points: np.ndarray
    glyphs: dict[str, np.ndarray]
    depths: np.ndarray
    middle: np.ndarray
    extent: np.ndarray
    axes: np.ndarray


def matrix(turn: Sequence[float]) -> Float64[np.ndarray, "3 3"]:
    """The rotation that a quaternion stands for; an empty one for none."""
    x, y, z, w = np.asarray(turn or AT_FIRST, dtype=float) / np.linalg.norm(turn or AT_FIRST)
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )


def sight(points: Float[np.ndarray, "N 3"], glyphs: Mapping[str, np.ndarray], turn: Sequence[float]) -> Sight:
    """A map as it is seen."""
    places = np.concatenate([points, *glyphs.values()]).astype(float)
    places = places[np.isfinite(places).all(axis=1)]
    middle = (places.min(axis=0) + places.max(axis=0)) / 2 if len(places) else np.zeros(3)
    radius = float(np.linalg.norm(places - middle, axis=1).max()) if len(places) else 0.0
    rotation = matrix(turn)
    seen = (points - middle) @ rotation.T
    depths = (seen[:, 2] / (radius or 1.0) + 1) / 2
    return Sight(
        seen[:, :2] + middle[:2],
        {kind: ((rows - middle) @ rotation.T)[:, :2] + middle[:2] for kind, rows in glyphs.items()},
        depths,
        middle[:2],
        np.full(2, 2 * radius or 1.0),
        rotation.T[:, :2],
    )
