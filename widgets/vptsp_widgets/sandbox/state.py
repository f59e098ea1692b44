"""What stands on the whiteboard of :class:`~vptsp_widgets.sandbox.ProxySandbox`: checked, as arrays and as JSON."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from vptsp.errors import DataError
from vptsp.text import plain

State = dict[str, Any]
LOSSES = {
    "proxy_anchor": "proxy anchor",
    "image_anchor": "image anchor",
    "proxy_nca": "Proxy-NCA",
    "normalized_softmax": "normalised softmax",
}
MOVERS = ("samples", "proxies", "semantic")
MOST_CLASSES, MOST_SAMPLES = 8, 60
RANGES = {"scale": (0.1, 512.0), "margin": (0.0, 1.0), "alpha": (0.0, 1.0), "learning_rate": (1e-4, 1.0)}
LETTERS = "ABCDEFGH"
_DEFAULTS: State = {
    "semantic": None,
    "loss": "proxy_anchor",
    "positive_mean": "present",
    "scale": 16.0,
    "margin": 0.1,
    "alpha": 0.5,
    "learning_rate": 0.005,
    "moves": ["proxies", "samples"],
    "preset": "own",
}
_POINTS = ("samples", "labels", "proxies")
KEYS = (*_POINTS, "class_names", *_DEFAULTS, "turn")


def complete(given: Mapping[str, Any]) -> State:
    """All of a state, checked; what is not given gets its default.

    Samples (B, D) and semantic proxies (C, D) come out as unit vectors, and so do learned proxies (C, D) where there
    are no semantic ones; D is 2 or 3. Beside semantic proxies the length of a learned one is its weight in the
    mixture, and stays. Raises DataError, saying what was given and what is legal.
    """
    unknown = [name for name in given if name not in KEYS]
    if unknown:
        raise DataError(f"{plain(unknown[0])!r} is not part of a sandbox's state; it has {', '.join(KEYS)}")
    missing = [name for name in _POINTS if given.get(name) is None]
    if missing:
        raise DataError(f"a sandbox needs samples, labels and proxies; {' and '.join(missing)} not given")
    state = _DEFAULTS | dict(given)
    samples = _points(state["samples"], "samples", MOST_SAMPLES)
    width = samples.shape[1]
    proxies = _points(state["proxies"], "proxies", MOST_CLASSES, width)
    semantic = None
    if state["semantic"] is not None:
        semantic = _unit(_points(state["semantic"], "semantic proxies", MOST_CLASSES, width))
        if len(semantic) != len(proxies):
            raise DataError(f"{len(semantic)} semantic proxies for {len(proxies)} proxies; give one of each per class")
    return {
        "samples": _unit(samples),
        "labels": _labels(state["labels"], len(samples), len(proxies)),
        "proxies": _unit(proxies) if semantic is None else proxies,
        "semantic": semantic,
        "class_names": _names(state.get("class_names"), len(proxies)),
        "loss": _one_of(state["loss"], "loss", tuple(LOSSES)),
        "positive_mean": _one_of(state["positive_mean"], "positive_mean", ("present", "all")),
        **{name: _number(state[name], name) for name in RANGES},
        "moves": [name for name in MOVERS if name in _movers(state["moves"])],
        "preset": str(state["preset"]),
        "turn": _turn(state.get("turn"), width),
    }


def to_json(state: State) -> State:
    """The state as the front end has it: lists in place of arrays, every float64 kept exactly."""
    return {name: value.tolist() if isinstance(value, np.ndarray) else value for name, value in state.items()}


def _points(given: Any, what: str, most: int, width: int | None = None) -> np.ndarray:
    try:
        points = np.array(given, dtype=np.float64)
    except (TypeError, ValueError):
        raise DataError(f"{what} are not an array of numbers; give one row of 2 or 3 numbers per point") from None
    if points.ndim != 2 or points.shape[1] not in (2, 3):
        raise DataError(f"{what} have shape {points.shape}; give (points, 2) for the circle or (points, 3)")
    if width is not None and points.shape[1] != width:
        raise DataError(f"{what} have {points.shape[1]} coordinates and the samples {width}; both need the same")
    if not 1 <= len(points) <= most:
        raise DataError(f"{len(points)} {what} given; the sandbox draws 1 to {most}")
    if not np.isfinite(points).all():
        raise DataError(f"{what} hold values that are not finite; give finite numbers")
    if (np.linalg.norm(points, axis=1) < 1e-9).any():
        raise DataError(f"one of the {what} lies at the origin, which has no direction; move it away")
    return points


def _unit(points: np.ndarray) -> np.ndarray:
    """Unit rows; those that are it already stay bit for bit, so that front end and kernel never correct each other."""
    lengths = np.linalg.norm(points, axis=1, keepdims=True)
    return np.where(np.abs(lengths - 1) > 1e-9, points / lengths, points)


def _labels(given: Any, samples: int, classes: int) -> np.ndarray:
    try:
        labels = np.asarray(given)
    except ValueError:  # rows of different lengths
        raise DataError(f"labels are not a list of numbers; give one integer for each of {samples} samples") from None
    if labels.shape != (samples,) or labels.dtype.kind not in "iu":
        raise DataError(
            f"labels have shape {labels.shape} and type {labels.dtype}; give one integer for each of {samples} samples"
        )
    if labels.min() < 0 or labels.max() >= classes:
        wrong = labels[(labels < 0) | (labels >= classes)][0]
        raise DataError(f"label {wrong} has no proxy; with {classes} proxies labels are 0 to {classes - 1}")
    return labels.astype(np.int64)


def _names(given: Sequence[Any] | None, classes: int) -> list[str]:
    if given is None:
        return [f"class {LETTERS[row]}" for row in range(classes)]
    if isinstance(given, str) or not isinstance(given, Iterable):
        raise DataError(f"class_names={plain(given)} is not a list of names; give one name per class")
    names = [plain(name) for name in given]
    if len(names) != classes:
        raise DataError(f"{len(names)} class names for {classes} proxies; give one name per class")
    return names


def _one_of(given: Any, what: str, legal: tuple[str, ...]) -> str:
    if not isinstance(given, str) or given not in legal:
        raise DataError(f"{what}={plain(given)!r} is unknown; choose one of {', '.join(legal)}")
    return str(given)


def _number(given: Any, what: str) -> float:
    low, high = RANGES[what]
    number = float(given) if isinstance(given, (int, float, np.number)) else math.nan
    if not low <= number <= high:
        raise DataError(f"{what}={plain(given)} is not a number from {low:g} to {high:g}")
    return number


def _movers(given: Any) -> Sequence[str]:
    known = isinstance(given, Iterable) and not isinstance(given, str)
    if not known or not all(isinstance(name, str) and name in MOVERS for name in given):
        raise DataError(f"moves={plain(given)} is not a list of who moves; choose among {', '.join(MOVERS)}")
    return list(given)


def _turn(given: Any, width: int) -> list[list[float]] | None:
    """Rows: the directions in space that point right, up and towards the reader. None on the circle."""
    if width == 2:
        return None
    try:
        turn = np.array(LOOK if given is None else given, dtype=np.float64)
    except (TypeError, ValueError):
        turn = np.empty(0)  # no numbers
    if turn.shape != (3, 3) or not np.allclose(turn @ turn.T, np.eye(3), atol=1e-6):
        raise DataError("turn is not a rotation; give three orthogonal unit rows: right, up and towards the reader")
    return turn.tolist()


def looking_from(x: float, y: float, z: float) -> list[list[float]]:
    """The ``turn`` of somebody who looks at the sphere from (x, y, z), with the third axis upwards."""
    towards = np.array([x, y, z]) / math.hypot(x, y, z)
    right = np.cross([0.0, 0.0, 1.0], towards)
    right /= np.linalg.norm(right)
    return np.stack([right, np.cross(towards, right), towards]).tolist()


LOOK = looking_from(1.0, 0.55, 0.5)
