"""Two runs side by side: :class:`~vptsp_widgets.beside.view.TwoRuns`."""

from __future__ import annotations

from vptsp_widgets.beside.view import TwoRuns

__all__ = ["TwoRuns"]
