"""The map of embeddings: :class:`~vptsp_widgets.space.view.SpaceExplorer`."""

from __future__ import annotations

from vptsp_widgets.space.view import SpaceExplorer

__all__ = ["SpaceExplorer"]
