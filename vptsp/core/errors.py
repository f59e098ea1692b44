"""Errors meant for the person at the keyboard, and the system's refusals turned into them.

The rest of the workbench takes these from :mod:`vptsp.errors`; they are defined here so that the core needs nothing
else.
"""

from __future__ import annotations

import contextlib
import errno
import traceback
from collections.abc import Iterator
from pathlib import Path

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class UsageError(Exception):
    """The input cannot be used; the message is written for the user."""

    def _render_traceback_(self) -> list[str]:
        """What IPython shows of it instead of a traceback: the message, and the line of the cell that led to it."""
        shown = [f"\x1b[31m{type(self).__name__}\x1b[39m: {self}"]
        frames = traceback.extract_tb(self.__traceback__)
        asked = next((frame for frame in reversed(frames) if frame.name == "<module>" and frame.line), None)
        return [*shown, f"in line {asked.lineno} of the cell: {asked.line}"] if asked else shown


class ConfigError(UsageError, ValueError):
    """A setting is unknown, impossible, or contradicts another one."""


class BackboneError(UsageError):
    """A backbone or its weights cannot be had, or do not fit."""


class RunError(UsageError):
    """A run directory cannot be created, read, resumed or written."""


@contextlib.contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn the system's refusal to write ``path`` into a :class:`RunError` that says what to do."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise RunError(
                f"no space left while writing {path}; what was saved before is intact. "
                "Free some space and resume the run, or do again what was no run, or choose another disk"
            ) from error
        raise RunError(f"cannot write {path}: {error.strerror or error}; choose a place that can be written") from error
