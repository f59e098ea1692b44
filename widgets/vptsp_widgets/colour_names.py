"""Categories that are colours by name: cream, magenta, dark red."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.colors import is_color_like, to_hex

_CODES = ("none", "transparent")  # legal in matplotlib, and no colours to look at


def colours_named(values: Sequence[str]) -> list[str] | None:
    """The colour of each value as ``#rrggbb`` where every one of several names one, in CSS or in the survey of xkcd."""
    found = [_colour(value) for value in values]
    return [colour for colour in found if colour] if len(found) > 1 and all(found) else None


def _colour(value: str) -> str | None:
    name = " ".join(value.lower().replace("_", " ").replace("-", " ").split())
    if len(name) < 3 or name in _CODES or name.replace(".", "").isdigit():  # one letter and a number are colours, too
        return None
    return next((to_hex(known) for known in (name.replace(" ", ""), f"xkcd:{name}") if is_color_like(known)), None)
