"""Map, gallery and why of a run together: :class:`~vptsp_widgets.workbench.view.Workbench`."""

from __future__ import annotations

from vptsp_widgets.workbench.view import Workbench

__all__ = ["Workbench"]
