"""What a loader saw and did not take: counted, named, and told wherever the data are spoken of."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple


class Passed(NamedTuple):
    """A file, folder or split that is not in the data set: its path below the root, and why."""

    path: str
    why: str


class Looked:
    """The notes of one look at a data set: what it passes over, and what else its user should know."""

    def __init__(self) -> None:
        self.passed: list[Passed] = []
        self.notes: list[str] = []

    def pass_over(self, paths: Iterable[str], why: str) -> None:
        """These are not in the data set."""
        self.passed += [Passed(path, why) for path in paths]


def by_reason(passed: Sequence[Passed]) -> dict[str, list[str]]:
    """Paths by the reason why they were passed over, as ``summary.json`` has them."""
    reasons: dict[str, list[str]] = defaultdict(list)
    for path, why in passed:
        reasons[why].append(path)
    return dict(reasons)


def told(name: str, passed: Sequence[Passed], most: int = 3) -> str:
    """One sentence for a person: how many were passed over, why, and ``most`` examples of each; empty for none."""
    if not passed:
        return ""
    reasons = "; ".join(f"{_some(paths, most)} ({why})" for why, paths in by_reason(passed).items())
    return f"{name}: {len(passed):,} {'was' if len(passed) == 1 else 'were'} passed over: {reasons}"


def lines(passed: Mapping[str, Sequence[str]], most: int = 5) -> list[str]:
    """The same, a line for the count and one for each reason with its examples."""
    total = sum(map(len, passed.values()))
    return [f"passed over: {total:,}"] + [
        f"  {len(paths):,} ({why}): {_some(paths, most)}" for why, paths in passed.items()
    ]


def _some(paths: Sequence[str], most: int) -> str:
    rest = f" and {len(paths) - most:,} more" if len(paths) > most else ""
    return ", ".join(repr(path) for path in paths[:most]) + rest
