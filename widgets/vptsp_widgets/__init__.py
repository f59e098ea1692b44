"""Views for JupyterLab: façades over the front ends of :mod:`vptsp.front`."""

from __future__ import annotations

from vptsp_widgets.gallery import RetrievalGallery
from vptsp_widgets.linking import link
from vptsp_widgets.live import LiveTraining
from vptsp_widgets.monitor import TrainingMonitor
from vptsp_widgets.picker import RunPicker
from vptsp_widgets.space import SpaceExplorer
from vptsp_widgets.why import WhyNeighbour

__all__ = [
    "LiveTraining",
    "RetrievalGallery",
    "RunPicker",
    "SpaceExplorer",
    "TrainingMonitor",
    "WhyNeighbour",
    "link",
]
