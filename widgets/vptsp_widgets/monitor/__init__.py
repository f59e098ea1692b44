"""A run watched from outside: :class:`~vptsp_widgets.monitor.view.TrainingMonitor`."""

from __future__ import annotations

from vptsp_widgets.monitor.view import TrainingMonitor

__all__ = ["TrainingMonitor"]
