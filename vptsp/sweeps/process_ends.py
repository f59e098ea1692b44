"""What it means that a process ended as it did; imported by both sides of a run, so it imports nothing."""

from __future__ import annotations

import signal


def killed_by(number: int) -> str:
    """What a signal that ended a run usually means."""
    why = ", as the system does when memory runs out, or by hand" if number == signal.SIGKILL else ""
    return f"killed by {signal.Signals(number).name}{why}; starting the sweep again resumes it"
