"""Errors meant for the person at the keyboard.

Anything raised as a :class:`UsageError` is printed by the command line as one sentence without a
traceback. Its message says what was given, what is legal, and what to do.
"""

from __future__ import annotations


class UsageError(Exception):
    """The input cannot be used; the message is written for the user."""


class ConfigError(UsageError, ValueError):
    """A setting is unknown, impossible, or contradicts another one."""


class DataError(UsageError):
    """Images, labels or splits on disk are not what they should be."""


class BackboneError(UsageError):
    """A backbone or its weights cannot be had, or do not fit."""


class RunError(UsageError):
    """A run directory cannot be created, read, resumed or written."""


class TrainingError(UsageError):
    """Training went wrong in a way that only the user can mend (a non-finite loss, for example)."""
