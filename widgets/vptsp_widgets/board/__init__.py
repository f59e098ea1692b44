"""A sweep watched from outside: :class:`~vptsp_widgets.board.view.SweepBoard`."""

from __future__ import annotations

from vptsp_widgets.board.view import SweepBoard

__all__ = ["SweepBoard"]
