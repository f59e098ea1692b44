"""The two tasks, and the metrics by which each is selected, compared and named in tables."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Task:
    """``metric`` selects the epoch and leads every table; ``second`` stands beside it. Titles are as printed."""

    metric: str
    title: str
    second: str
    second_title: str


TASKS = {
    "retrieval": Task("recall_at_1", "R@1", "map_at_r", "MAP@R"),
    "recognition": Task("top1", "top-1", "mean_class_accuracy", "mean class accuracy"),
}
