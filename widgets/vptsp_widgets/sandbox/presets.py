"""Stories for the sandbox: a configuration each, and two sentences on what to look for."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from vptsp_widgets.sandbox.state import complete, looking_from, to_json


def presets() -> dict[str, dict[str, Any]]:
    """Name -> ``{title, caption, state}``, the state as JSON; ``orthant`` marks the one that shows it."""
    stories = (_random, _semantic, _shared, _outlier, _absent, _passing, _orthant)
    return {story.__name__[1:]: _story(story) for story in stories}


@functools.cache
def _story(story: Any) -> dict[str, Any]:
    told = story()
    return told | {"state": to_json(complete(told["state"] | {"preset": story.__name__[1:]}))}


def _at(*degrees: float) -> np.ndarray:
    """Points of the circle."""
    angles = np.deg2rad(degrees)
    return np.stack([np.cos(angles), np.sin(angles)], axis=1)


def _around(centres: Any, count: int, spread: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """``count`` points of the sphere around each centre, and their labels."""
    centres = np.repeat(np.array(centres, dtype=np.float64), count, axis=0)
    points = centres + spread * np.random.default_rng(seed).normal(size=centres.shape)
    return points / np.linalg.norm(points, axis=1, keepdims=True), np.arange(len(points)) // count


_THREE = {"samples": _at(68, 79, 91, 104, 190, 203, 214, 226, 312, 322, 335, 347), "labels": np.repeat([0, 1, 2], 4)}


def _random() -> dict[str, Any]:
    return {
        "title": "random proxies start far away",
        "caption": "Chance puts the proxies far from the images of their class, so each is pulled across the circle "
        "and pushed by whatever lies on its way. Press play: for some two hundred steps samples and proxies block each "
        "other, then they pass and the loss falls at once.",
        "state": {**_THREE, "proxies": _at(247, 20, 128)},
    }


def _semantic() -> dict[str, Any]:
    return {
        "title": "a semantic proxy starts near",
        "caption": "G is made from images of its class and starts beside them; the fused q, which the loss sees, lies "
        "on the line between G and the learned O. Move alpha from 0 to 1 and watch q swing from the images to chance, "
        "and the loss grow.",
        "state": {
            **_THREE,
            "proxies": 0.6 * _at(247, 310, 118),
            "semantic": _at(97, 197, 341),
            "alpha": 0.4,
        },
    }


def _shared() -> dict[str, Any]:
    return {
        "title": "two classes share a neighbourhood",
        "caption": "The proxies of A and B lie among the images of both, so the same place attracts and repels, and "
        "nearly all of the loss is push. Press play: the images flee to both sides with their classes mixed, and "
        "descent ends there; reset, drag proxy B to 150° and play again.",
        "state": {
            "samples": _at(55, 70, 86, 102, 63, 78, 94, 110, 251, 262, 278, 289),
            "labels": np.repeat([0, 1, 2], 4),
            "proxies": _at(82, 90, 270),
        },
    }


def _outlier() -> dict[str, Any]:
    return {
        "title": "an outlier",
        "caption": "One image of A lies amid class B: a mislabelled photograph, perhaps. Under proxy anchor that "
        "sample alone decides the gradient of proxy A; switch to normalised softmax, where every sample has a bounded "
        "say, and compare the arrow at proxy A.",
        "state": {
            "samples": _at(76, 87, 98, 109, 221, 190, 202, 213, 232, 311, 322, 333, 345),
            "labels": [0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2],
            "proxies": _at(92, 208, 328),
        },
    }


def _absent() -> dict[str, Any]:
    return {
        "title": "classes absent from the batch",
        "caption": "A batch holds few of the classes; the proxies of the absent ones are only pushed. Switch the "
        "positive mean from the classes present to all classes, as the published code has it: the pull falls "
        "to a third and the pushes win.",
        "state": {
            "samples": _at(54, 66, 79, 233, 246, 259),
            "labels": [0, 0, 0, 3, 3, 3],
            "proxies": _at(170, 112, 18, 345, 208, 290),
        },
    }


def _passing() -> dict[str, Any]:
    centres = [[0.8, 0.1, 0.55], [-0.35, 0.75, 0.55], [-0.5, -0.65, 0.55]]
    samples, labels = _around(centres, 4, 0.13, seed=1)
    return {
        "title": "room on the sphere",
        "caption": "A and B start at each other's place, as on the circle they might, but with one dimension more. "
        "On the circle they would have to go through each other; here they walk around, and with hundreds of "
        "dimensions there is always a way.",
        "state": {
            "samples": samples,
            "labels": labels,
            "proxies": [[-0.5, 0.5, 0.7], [0.75, 0.45, 0.5], [-0.1, -0.9, 0.4]],
            "turn": looking_from(0.35, -0.15, 0.9),
        },
    }


def _orthant() -> dict[str, Any]:
    centres = [[0.85, -0.45, 0.2], [-0.35, 0.85, 0.35], [0.1, -0.35, 0.9], [0.75, 0.6, -0.3]]
    samples, labels = _around(centres, 3, 0.13, seed=5)
    learned = [[0.62, -0.6, 0.05], [-0.6, 0.5, 0.1], [-0.25, -0.45, 0.6], [0.3, 0.55, -0.6]]
    return {
        "title": "ReLU-GRU proxies crowd one orthant",
        "caption": "A GRU with ReLU writes no negative numbers, so its semantic proxies G crowd the shaded eighth of "
        "the sphere, where no two can be more than 90° apart. Push alpha up: the learned O pull the fused q out "
        "of the crowd, and the pushes shrink.",
        "orthant": True,
        "state": {
            "samples": samples,
            "labels": labels,
            "proxies": learned,
            "semantic": [[0.85, 0.25, 0.45], [0.3, 0.85, 0.4], [0.45, 0.3, 0.85], [0.7, 0.66, 0.25]],
            "alpha": 0.25,
            "turn": looking_from(0.8, 0.55, 0.6),
        },
    }
