"""Classes taken for each other: :class:`~vptsp_widgets.confused.view.ConfusedPairs`."""

from __future__ import annotations

from vptsp_widgets.confused.view import ConfusedPairs

__all__ = ["ConfusedPairs"]
