"""How much longer a training takes, from the pace of the steps that are like those that follow."""

from __future__ import annotations


class Pace:
    """When how many steps were done, and what that says of the rest.

    >>> pace = Pace()
    >>> for moment, step in [(0.0, 0), (2.0, 10), (4.0, 20)]:
    ...     pace.note(moment, step)
    >>> pace.left(100)
    16.0
    """

    def __init__(self) -> None:
        self._first: tuple[float, int] | None = None
        self._last = (0.0, 0)
        self._head_alone = False

    def note(self, moment: float, step: int, head_alone: bool = False) -> None:
        """``step`` steps are done at this ``moment`` (seconds); those around it train the head alone, or not.

        Such steps are several times faster than those that follow, so they are not counted with them. All others are,
        as validation comes once an epoch.
        """
        if self._first is None or head_alone != self._head_alone or step < self._first[1]:
            self._first = (moment, step)
        self._last, self._head_alone = (moment, step), head_alone

    def left(self, steps: int) -> float | None:
        """Seconds until ``steps`` are done; None while nothing is known of the steps that follow."""
        if self._head_alone or self._first is None:
            return None
        (since, first), (until, last) = self._first, self._last
        return (steps - last) * (until - since) / (last - first) if last - first > 1 else None  # one step is no pace
