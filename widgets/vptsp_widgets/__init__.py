"""Views for JupyterLab: a room for each, and what they share beside them."""

from __future__ import annotations

from vptsp_widgets import moved
from vptsp_widgets.anatomy import ProxyAnatomy
from vptsp_widgets.board import SweepBoard
from vptsp_widgets.confused import ConfusedPairs
from vptsp_widgets.gallery import RetrievalGallery
from vptsp_widgets.linking import link
from vptsp_widgets.live import LiveTraining
from vptsp_widgets.monitor import TrainingMonitor
from vptsp_widgets.picker import RunPicker
from vptsp_widgets.sandbox import ProxySandbox
from vptsp_widgets.space import SpaceExplorer
from vptsp_widgets.timemachine import TimeMachine
from vptsp_widgets.why import WhyNeighbour
from vptsp_widgets.workbench import Workbench

__all__ = [
    "ConfusedPairs",
    "LiveTraining",
    "ProxyAnatomy",
    "ProxySandbox",
    "RetrievalGallery",
    "RunPicker",
    "SpaceExplorer",
    "SweepBoard",
    "TimeMachine",
    "TrainingMonitor",
    "WhyNeighbour",
    "Workbench",
    "link",
]

moved.install()
