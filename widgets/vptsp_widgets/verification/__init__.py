"""Are two images of one class: :class:`~vptsp_widgets.verification.view.SimilarityHistogram`."""

from __future__ import annotations

from vptsp_widgets.verification.view import SimilarityHistogram

__all__ = ["SimilarityHistogram"]
