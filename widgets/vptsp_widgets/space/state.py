"""The state of the map that a person sets: camera, column to colour by, what is shown. One small JSON object."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

from vptsp.errors import DataError
from vptsp.runs.snapshots import KINDS
from vptsp.text import plain
from vptsp_widgets.space.data import CLASS
from vptsp_widgets.space.handle_state import require_handles

# whose density is drawn: none's, of the images shown, of each category of the colour, of those selected and the rest
DENSITIES = ("", "shown", "categories", "selection")

# what the front end remembers; x and y: the centre of the view in the map's units, none: the whole map's
VIEW_STATE: dict[str, Any] = {
    "x": None,
    "y": None,
    "zoom": 1.0,
    "turn": [],  # of a map in three dimensions, a quaternion (x, y, z, w); empty: not turned
    "colour": CLASS,
    "solo": [],
    "find": "",
    "filter": [],
    "labels": True,
    "pictures": True,
    "examples": False,
    "density": "",
    "proxies": ["fused"],  # of a class looked at, the others are shown as well
    "arrows": True,
    "handles": {},
    "neighbours": True,
    "truth": False,
    "all": False,
}


def whole_state(given: Mapping[str, Any], columns: Sequence[str], kinds: Sequence[str] = KINDS) -> dict[str, Any]:
    """A state with all of its keys, those that are not given as at the start.

    ``columns`` are those to colour by, ``kinds`` those of the proxies there are: without fused ones, all are shown.

    Raises DataError for a key, a column or a number that is none.
    """
    unknown = sorted(map(str, given.keys() - VIEW_STATE.keys()))
    if unknown:
        raise DataError(f"view_state has no {', '.join(unknown)}; it has {', '.join(VIEW_STATE)}")
    state = {**VIEW_STATE, **given}
    if "proxies" not in given and kinds and "fused" not in kinds:
        state["proxies"] = list(kinds)
    if state["colour"] not in columns:
        name = plain(state["colour"])
        raise DataError(f"there is no column {name!r} to colour by; there are {', '.join(columns)}")
    for name in ("x", "y", "zoom"):
        value = state[name]
        if not _is_number(value) and (value is not None or name == "zoom"):
            raise DataError(f"view_state {name} is {value!r}; it must be a number")
    if not state["zoom"] > 0:
        raise DataError(f"view_state zoom is {state['zoom']!r}; it must be above 0, and 1 shows the whole map")
    if state["density"] not in DENSITIES:
        given_density, legal = plain(state["density"]), ", ".join(DENSITIES[1:])
        raise DataError(f"view_state density is {given_density!r}; it must be one of {legal}, or '' for none")
    require_handles(state["handles"])
    turn = state["turn"]
    if not isinstance(turn, (list, tuple)) or len(turn) not in (0, 4) or not all(map(_is_number, turn)):
        raise DataError(f"view_state turn is {plain(turn)!r}; it must be a quaternion of four numbers, or empty")
    if turn and not any(turn):
        raise DataError("view_state turn is a quaternion of zeros, which turns nothing; give another, or an empty one")
    for condition in state["filter"]:
        _require_condition(condition, columns)
    return state


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and abs(value) <= sys.float_info.max  # not-a-number is not


def _require_condition(condition: Any, columns: Sequence[str]) -> None:
    """Raises DataError for what is no condition of a filter, as ``front/filter.js`` has them."""
    parts = condition.keys() if isinstance(condition, Mapping) else set()
    if "column" not in parts or not parts <= {"column", "low", "high", "values", "text"}:
        raise DataError(
            f"view_state filter has {plain(condition)!r}; a condition names a column, and low and high, values, or text"
        )
    if condition["column"] not in ("", *columns):
        name = plain(condition["column"])
        raise DataError(f"there is no column {name!r} to filter by; there are {', '.join(columns)}, and '' for ids")
