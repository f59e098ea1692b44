"""A run's epochs played again: :class:`~vptsp_widgets.timemachine.view.TimeMachine`."""

from __future__ import annotations

from vptsp_widgets.timemachine.view import TimeMachine

__all__ = ["TimeMachine"]
