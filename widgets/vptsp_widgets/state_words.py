"""What a run is doing, in words."""

from __future__ import annotations


def state_word(state: str) -> str:
    """A run's state as people say it."""
    return "not begun" if state == "unknown" else state
