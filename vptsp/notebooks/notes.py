"""What is said of the data, as a line of the cell that reads them, not as a red warning with a place in the code."""

from __future__ import annotations

import warnings
from typing import Any

from vptsp.errors import Note

_usual = warnings.showwarning
_told: set[str] = set()


def say_notes() -> None:
    """From now on a :class:`Note` is a printed line, each once, until this is called again."""
    _told.clear()
    warnings.filterwarnings("always", category=Note)  # Python's own "once" is of a place in the code
    warnings.showwarning = _show


def _show(message: Warning | str, category: type[Warning], *place: Any, **more: Any) -> None:
    if not issubclass(category, Note):
        _usual(message, category, *place, **more)
    elif str(message) not in _told:
        _told.add(str(message))
        print(f"note: {message}")
