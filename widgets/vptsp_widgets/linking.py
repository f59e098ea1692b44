"""Views that move together."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

# traits that views share, as far as they have them; the neighbour last, as another focus brings another one
LINKED = ("selection", "focus", "run", "neighbour")


def link(*views: Any) -> Callable[[], None]:
    """Selecting, focusing or choosing a neighbour or a run in any of the views does so in the others; returns an undo.

    Images that a view does not have are passed over there. The first view's state is taken over at once.
    """
    if len(views) < 2:
        raise ValueError(f"link takes two or more views, not {len(views)}")
    moving: set[str] = set()  # traits on their way, so that an answer does not start another round
    ends = []

    def follow(change: Any) -> None:
        name = change["name"]
        if name in moving:
            return
        moving.add(name)
        try:
            for view in views:
                if view is not change["owner"] and view.has_trait(name):
                    _take(view, name, change["new"])
        finally:
            moving.discard(name)

    for view in views:
        names = [name for name in LINKED if view.has_trait(name)]
        view.observe(follow, names)
        ends.append((view, names))
    for name in LINKED:
        source = next((view for view in views if view.has_trait(name)), None)
        if source is not None and getattr(source, name):
            for view in views:
                if view is not source and view.has_trait(name):
                    _take(view, name, getattr(source, name))

    def undo() -> None:
        for view, names in ends:
            view.unobserve(follow, names)

    return undo


def _take(view: Any, name: str, value: Any) -> None:
    if name == "selection":
        view.selection = view.known(value)
    elif name == "focus":
        if not value or view.known([value]):
            view.focus = value
    elif name == "neighbour":
        if value and view.known([value]):
            view.neighbour = value
    else:
        setattr(view, name, value)
