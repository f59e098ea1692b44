"""The page for a lecture hall: :func:`~vptsp_widgets.classroom.page.classroom_page`."""

from __future__ import annotations

from vptsp_widgets.classroom.page import classroom_page

__all__ = ["classroom_page"]
