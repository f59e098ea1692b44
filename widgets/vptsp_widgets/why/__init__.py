"""Why an image is a neighbour: :class:`~vptsp_widgets.why.view.WhyNeighbour`."""

from __future__ import annotations

from vptsp_widgets.why.view import WhyNeighbour

__all__ = ["WhyNeighbour"]
