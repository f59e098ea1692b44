"""Images that changed between two runs: :class:`~vptsp_widgets.flips.view.FlipList`."""

from __future__ import annotations

from vptsp_widgets.flips.view import FlipList

__all__ = ["FlipList"]
