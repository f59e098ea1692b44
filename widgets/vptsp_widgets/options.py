"""Options of a view: traitlets takes any name and forgets it, so that a typing error shows the default."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Iterable
from typing import Any

import ipywidgets

from vptsp.errors import ConfigError
from vptsp.text import plain

_MEANT = {"projection": ("method", "coordinates"), "color": ("colour",), "colors": ("colours",)}


def require_options(kind: type[Any], given: Iterable[str]) -> None:
    """Refuse names that a kind of view neither takes nor has as traits. Raises ConfigError, naming those it has."""
    taken = {*kind.class_trait_names(), *inspect.signature(kind.__init__).parameters}
    unknown = [name for name in given if name not in taken]
    if not unknown:
        return
    legal = options_of(kind)
    near = [name for name in _MEANT.get(unknown[0], ()) if name in legal] or difflib.get_close_matches(
        unknown[0], legal, 1, cutoff=0.7
    )
    meant = f"perhaps {near[0]} was meant; " if near else ""
    raise ConfigError(f"{kind.__name__} has no option {plain(unknown[0])}; {meant}it has {', '.join(legal)}")


def options_of(kind: type[Any]) -> list[str]:
    """What the constructor and ``of_run`` take by name, then the public traits of the view."""
    named: list[str] = []
    for make in (getattr(kind, "of_run", None), kind.__init__):
        parameters = inspect.signature(make).parameters.values() if make is not None else ()
        named += [
            one.name for one in parameters if one.kind is not one.VAR_KEYWORD and one.name not in ("self", "content")
        ]
    own = set(kind.class_trait_names()) - set(ipywidgets.DOMWidget.class_trait_names())
    named += sorted(name for name in own if not name.startswith("_"))
    return list(dict.fromkeys(named))
