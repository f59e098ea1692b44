"""Proxies as handles as a part of the map's ``view_state``: by names of classes and ids of images, which last.

``{}`` is as the run has them. Else ``alpha`` (none: the run's own) and ``moved``, for each proxy moved its class
``proxy``, the ids ``images`` that it is the mean of, their ``weights`` (none: alike), and its place ``x``, ``y`` on the
map, where one was given.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from vptsp.errors import DataError
from vptsp.text import plain
from vptsp_widgets.space.handle_answers import Asked, Move, around, placed

_PARTS = {"proxy", "images", "weights", "x", "y"}


def require_handles(state: Any) -> None:
    """Raises DataError for what is no state of handles, saying what one is."""
    if not isinstance(state, Mapping) or not state.keys() <= {"alpha", "moved"}:
        raise DataError(f"view_state handles is {plain(state, 80)!r}; it must hold alpha and moved, or be empty")
    alpha, moved = state.get("alpha"), state.get("moved", [])
    if alpha is not None and not (_is_number(alpha) and 0 <= alpha <= 1):
        raise DataError(f"view_state handles has alpha {plain(alpha, 80)!r}; it must be a share from 0 to 1, or none")
    if not isinstance(moved, (list, tuple)) or not all(map(_is_move, moved)):
        raise DataError(
            f"view_state handles has moved {plain(moved, 80)!r}; it must be a list that names for each a proxy, and "
            "the ids of images with as many weights above 0, or a place x and y"
        )


def state_of(asked: Asked, own: float, names: Sequence[str], ids: Sequence[str]) -> dict[str, Any]:
    """What is asked for, as a state; ``own`` is the run's alpha, ``names`` are the classes of the proxies."""
    alpha = None if asked.alpha is None or asked.alpha == own else asked.alpha
    if alpha is None and not asked.moved:
        return {}
    moved = []
    for row, move in asked.moved.items():
        x, y = (value if math.isfinite(value) else None for value in move.place)
        images = [ids[one] for one in move.rows]
        moved.append({"proxy": names[row], "images": images, "weights": list(move.weights), "x": x, "y": y})
    return {"alpha": alpha, "moved": moved}


def asked_of(state: Mapping[str, Any], names: Sequence[str], row: Mapping[str, int], points: np.ndarray) -> Asked:
    """What a state asks for; ``row`` is that of each image by id, ``points`` (N, 2) are their places.

    Raises DataError for classes and images that are not here.
    """
    number = {name: place for place, name in enumerate(names)}
    moved: dict[int, Move] = {}
    for one in state.get("moved", []):
        if one["proxy"] not in number:
            raise DataError(f"{plain(one['proxy'], 60)!r} has no proxy here; there are: {plain(', '.join(names), 200)}")
        place = (float("nan") if one.get("x") is None else one["x"], float("nan") if one.get("y") is None else one["y"])
        images = one.get("images") or ()
        if gone := [name for name in images if name not in row]:
            raise DataError(f"{len(gone)} of the images of a moved proxy are not here, the first is {plain(gone[0])!r}")
        if not images:
            moved[number[one["proxy"]]] = around(points, place)
            continue
        move = Move(place, tuple(row[name] for name in images), tuple(one.get("weights") or (1.0,) * len(images)))
        moved[number[one["proxy"]]] = move if np.isfinite(place).all() else placed(points, move)
    return Asked(state.get("alpha"), moved)


def handles_there(
    state: Mapping[str, Any], names: Sequence[str], row: Mapping[str, int], same_map: bool
) -> tuple[dict[str, Any], list[str]]:
    """What there is here of a state that was kept, and what there is not, in words; nothing raises.

    On a map that is another one, a moved proxy stands where its images are.
    """
    if not state:
        return {}, []
    try:
        require_handles(state)
    except DataError:
        return {}, ["what its file says of the proxies"]
    moved, gone = [], []
    for one in state.get("moved", []):
        images = list(one.get("images") or ())
        weights = list(one.get("weights") or (1.0,) * len(images))
        here = [(name, weight) for name, weight in zip(images, weights, strict=True) if name in row]
        if one["proxy"] not in names or not (here or (same_map and not images)):
            gone.append(f"the moved proxy of {plain(one['proxy'], 60)!r}")
            continue
        if len(here) < len(images):
            gone.append(f"{len(images) - len(here)} of the images that the proxy of {plain(one['proxy'], 60)!r} was at")
        place = {"x": one.get("x"), "y": one.get("y")} if same_map and len(here) == len(images) else {}
        moved.append(
            {"proxy": one["proxy"], "images": [name for name, _ in here], "weights": [w for _, w in here], **place}
        )
    alpha = state.get("alpha")
    return ({"alpha": alpha, "moved": moved} if moved or alpha is not None else {}), gone


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) <= sys.float_info.max


def _is_move(one: Any) -> bool:
    if not isinstance(one, Mapping) or not one.keys() <= _PARTS or not isinstance(one.get("proxy"), str):
        return False
    images, weights, place = one.get("images") or [], one.get("weights"), [one.get("x"), one.get("y")]
    if not isinstance(images, (list, tuple)) or not all(isinstance(name, str) for name in images):
        return False
    if weights is not None and not (
        isinstance(weights, (list, tuple)) and all(_is_number(weight) and weight >= 0 for weight in weights)
    ):
        return False
    if weights and (len(weights) != len(images) or not sum(weights) > 0):
        return False
    placed_at = all(map(_is_number, place))
    return (bool(images) and (placed_at or place == [None, None])) or (not images and placed_at)
