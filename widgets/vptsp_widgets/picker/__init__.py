"""Runs to choose from: :class:`~vptsp_widgets.picker.view.RunPicker`."""

from __future__ import annotations

from vptsp_widgets.picker.view import RunPicker

__all__ = ["RunPicker"]
