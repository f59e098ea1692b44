"""Errors meant for the person at the keyboard.

Anything raised as a :class:`UsageError` is printed by the command line as one sentence without a
traceback. Its message says what was given, what is legal, and what to do.
"""

from __future__ import annotations

from vptsp.core.errors import BackboneError as BackboneError
from vptsp.core.errors import ConfigError as ConfigError
from vptsp.core.errors import RunError as RunError
from vptsp.core.errors import UsageError as UsageError
from vptsp.core.errors import explained as explained


class DataError(UsageError):
    """Images, labels or splits on disk are not what they should be."""


class Note(UserWarning):
    """Something is not as its owner may think: it is told once, and the work goes on."""


class DataWarning(Note):
    """Something of the data."""


class MachineWarning(Note):
    """Something of the machine that computes."""


class TrainingError(UsageError):
    """Training went wrong in a way that only the user can mend (a non-finite loss, for example)."""
