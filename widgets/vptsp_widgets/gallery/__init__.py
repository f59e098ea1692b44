"""The gallery that searches: :class:`~vptsp_widgets.gallery.view.RetrievalGallery`."""

from __future__ import annotations

from vptsp_widgets.gallery.view import RetrievalGallery

__all__ = ["RetrievalGallery"]
