"""Places that have moved: the old ones work until the next release, and say where to import from."""

from __future__ import annotations

import functools
import sys
import warnings
from collections.abc import Sequence
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

ROOMS = ("anatomy", "board", "confused", "gallery", "monitor", "picker", "sandbox", "space", "timemachine", "why")
_PARTS = {
    "anatomy": ("data", "still"),
    "board": ("data", "still"),
    "confused": ("data", "still"),
    "sandbox": ("gradients", "presets", "run", "state", "still"),
    "space": ("data", "still"),
    "timemachine": ("data", "still", "tiles"),
    "why": ("pair", "pictures", "still"),
}
MOVED = {
    "vptsp.front": "vptsp_widgets.front",
    "vptsp_widgets.queries": "vptsp_widgets.gallery.queries",
    "vptsp_widgets.watching": "vptsp_widgets.monitor.watching",
    **{f"vptsp_widgets.{room}_{part}": f"vptsp_widgets.{room}.{part}" for room in _PARTS for part in _PARTS[room]},
}


class _Moved(MetaPathFinder, Loader):
    """Imports an old place as the module of the new one: one module, known by two names."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        return ModuleSpec(fullname, self) if fullname in MOVED else None

    def exec_module(self, module: ModuleType) -> None:
        _warn(module.__name__, MOVED[module.__name__])
        sys.modules[module.__name__] = import_module(MOVED[module.__name__])


def _of_view(room: str, name: str) -> Any:
    """A name that stood in ``vptsp_widgets.<room>`` when that was one file."""
    view = import_module(f"{room}.view")
    if name.startswith("__") or not hasattr(view, name):
        raise AttributeError(f"module {room!r} has no attribute {name!r}")
    _warn(f"{room}.{name}", f"{room}.view.{name}")
    return getattr(view, name)


def _warn(old: str, new: str) -> None:
    # level 3: the line that imports; Python leaves out those of its own import system
    warnings.warn(f"{old} has moved to {new}; the old place goes with the next release", DeprecationWarning, 3)


def install() -> None:
    """Make the old places known; again does no harm."""
    if not any(isinstance(finder, _Moved) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Moved())  # before folders that an older version has left behind
    for room in (f"vptsp_widgets.{room}" for room in ROOMS):
        vars(import_module(room)).setdefault("__getattr__", functools.partial(_of_view, room))
