"""How much longer a training takes, from the pace of its latest steps."""

from __future__ import annotations

WINDOW = 300.0  # seconds of the latest steps, which know of validation between epochs


class Pace:
    """Moments of a training, and what they say of the rest.

    >>> pace = Pace()
    >>> for moment, step in [(0.0, 0), (2.0, 10), (4.0, 20)]:
    ...     pace.note(moment, step)
    >>> pace.left(100)
    16.0
    """

    def __init__(self) -> None:
        self._moments: list[tuple[float, int]] = []
        self._head_alone = False

    def note(self, moment: float, step: int, head_alone: bool = False) -> None:
        """``step`` steps are done at this ``moment`` (seconds), in the last of them the head trained alone or not.

        Such steps are several times faster than those that follow, so they are not counted with them. A step before
        the last one noted begins anew: somebody went on from an earlier checkpoint.
        """
        if head_alone != self._head_alone or (self._moments and step < self._moments[-1][1]):
            self._moments = []
        self._head_alone = head_alone
        if not self._moments or step > self._moments[-1][1]:
            self._moments = [kept for kept in self._moments if moment - kept[0] <= WINDOW] + [(moment, step)]

    def forget(self) -> None:
        """Nothing is known of what comes next."""
        self._moments = []

    def left(self, steps: int) -> float | None:
        """Seconds until ``steps`` are done; None while nothing is known of the steps that follow."""
        if self._head_alone or not self._moments:
            return None
        (since, first), (until, last) = self._moments[0], self._moments[-1]
        return (steps - last) * (until - since) / (last - first) if last - first > 1 else None  # one step is no pace
